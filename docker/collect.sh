#!/usr/bin/env bash
# Lays what was built as the images want it: OUT/bin (programs, stripped), OUT/lib (torch and what it brings), OUT/share.
#
#   bash docker/collect.sh BUILD VENV OUT
#
# Libraries of the distribution are left out: images install those. Fails when a program misses one. Of the CUDA build all
# libraries are taken, since some are loaded by name at run time; of the CPU build those that are linked.
set -euo pipefail

[ $# -eq 3 ] || { echo "collect: wants BUILD VENV OUT" >&2; exit 2; }
build=$1 venv=$(readlink -f "$2") out=$3

mkdir -p "$out/bin" "$out/lib" "$out/share"
for program in ip2p ip2p-torch ip2p_prompt_generator ip2p_pair_generator ip2p_training_coordinator \
  ip2p_training_worker ip2p_edit_server ip2p_gateway; do
  strip -o "$out/bin/$program" "$build/bin/$program"
  libraries=$(ldd "$build/bin/$program")
  if grep -F 'not found' <<<"$libraries"; then
    echo "collect: $program misses libraries" >&2
    exit 1
  fi
  # "libc10.so => /src/.venv/.../libc10.so (0x...)"
  awk '$2 == "=>" {print $3}' <<<"$libraries" | while read -r library; do
    real=$(readlink -f "$library")
    if [[ $real == "$venv"/* ]]; then
      cp -n "$real" "$out/lib/$(basename "$library")"
    fi
  done
done

packages=$(echo "$venv"/lib/python3*/site-packages)
if [ -d "$packages/nvidia" ]; then
  find "$packages/nvidia" "$packages/torch/lib" -name '*.so*' -not -name 'libtorch_python.so' \
    -exec cp -n {} "$out/lib/" \;
fi

# Not share/models: no weights in images.
cp "$build/share/bpe_simple_vocab_16e6.txt.gz" deploy/config/prices.json "$out/share/"
