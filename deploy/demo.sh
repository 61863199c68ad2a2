#!/usr/bin/env bash
# The main job from nothing: sets up, builds, starts the edit server on a Stable Diffusion 1.5-sized checkpoint, and
# edits a photo through it over gRPC.
#
#   bash deploy/demo.sh [--input PHOTO] [--edit TEXT] [--steps N] [--resolution N] [--model PATH] [--keep]
#     --input        photo to edit (JPEG, PNG or WebP); default tests/testdata/photo.jpg
#     --edit         instruction; default "make it winter"
#     --steps        denoising steps; default 8
#     --resolution   longest side in px; default 256
#     --model        checkpoint to serve (a diffusers folder, .safetensors or .ckpt) in place of random weights
#     --keep         leave the server running at the end and say how to reach and stop it
#
# Without --model the weights are random, so the edited photo is noise: it shows that everything works, at the real
# size and speed, and nothing else. With a published model (deploy/download.sh) it shows an edit.
# Writes build/demo/edited.png; needs about 8 GB of memory and 6 GB of disk. The server listens on 127.0.0.1 only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

input=tests/testdata/photo.jpg edit="make it winter" steps=8 resolution=256 model= keep=no
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --keep) keep=yes; shift; continue ;;
    --input | --edit | --steps | --resolution | --model)
      [ $# -ge 2 ] || { echo "demo: $1 wants a value" >&2; exit 2; } ;;
    *) echo "demo: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
  case "$1" in
    --input) input=$2 ;;
    --edit) edit=$2 ;;
    --steps) steps=$2 ;;
    --resolution) resolution=$2 ;;
    --model) model=$2 ;;
  esac
  shift 2
done

out=build/demo
server=

say() { printf '\n== %s\n' "$*"; }

finish() {
  [ -n "$server" ] || return 0
  kill -TERM "$server" 2>/dev/null || true  # drains: what was admitted finishes
  wait "$server" 2>/dev/null || true
}
trap finish EXIT

say "1/5 set-up"
bash deploy/setup.sh --python </dev/null

say "2/5 build"
cmake --preset release >/dev/null </dev/null
cmake --build --preset release --target ip2p ip2p_edit_server </dev/null
mkdir -p "$out"

say "3/5 checkpoint"
if [ -z "$model" ]; then
  model=.cache/demo/sd15-random
  if [ ! -f "$model/.complete" ]; then
    echo "making Stable Diffusion 1.5's architecture with random weights (bf16, 2.1 GB)"
    rm -rf "$model"
    .venv/bin/python tests/parity/checkpoints.py sd15 "$model" --dtype bf16 </dev/null
    touch "$model/.complete"
  fi
  random=yes
  echo "RANDOM WEIGHTS: the edited photo will be noise."
else
  random=no
fi
echo "serving $model"

say "4/5 edit server"
ready_pipe=$out/ready
rm -f "$ready_pipe" && mkfifo "$ready_pipe"
begun=$SECONDS
nohup build/bin/ip2p_edit_server --ckpt "$model" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
  --metrics-listen 127.0.0.1:0 </dev/null >"$ready_pipe" 2>"$out/server.log" &
server=$!
# The server says one line, with its ports, once the model is loaded; it ends without one when it can't start.
read -r -t 300 ready <"$ready_pipe" || { tail -n 20 "$out/server.log" >&2; exit 1; }
port_of() { sed -E "s/.*\"$1\":([0-9]+).*/\1/" <<<"$ready"; }
port=$(port_of port)
echo "ready after $((SECONDS - begun)) s on 127.0.0.1:$port"

say "5/5 edit: \"$edit\", $steps steps, $resolution px"
build/bin/ip2p edit --server "127.0.0.1:$port" --input "$input" --output "$out/edited.png" --edit "$edit" \
  --steps "$steps" --resolution "$resolution" --seed 1 </dev/null

say "done"
echo "before: $input"
echo "after:  $out/edited.png"
[ "$random" = no ] || echo "The weights are random, so the result is noise. For a real edit: bash deploy/download.sh instruct-pix2pix,
then bash deploy/demo.sh --model .cache/models/instruct-pix2pix-00-22000.ckpt --steps 100 --resolution 512"
if [ "$keep" = yes ]; then
  echo "The server goes on: 127.0.0.1:$port, admin port $(port_of admin_port), metrics at" \
    "http://127.0.0.1:$(port_of metrics_port)/metrics; stop it with: kill $server"
  server=
fi
