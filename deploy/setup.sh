#!/usr/bin/env bash
# Makes a Debian 12 machine ready to build ip2p: system packages, a Python environment with torch, CLIP's vocabulary.
#
#   bash deploy/setup.sh [--tests] [--cuda]
#     --tests    also what tests/run.sh needs: clang tools, the pinned Python packages of tests/requirements.txt
#                and the Node.js packages of tests/package.json
#     --cuda     torch's CUDA build in place of the CPU build (needs a CUDA toolkit to compile against)
#   IP2P_TORCH   another requirement or wheel path in place of torch==2.13.0+cpu
#
# Idempotent: each step looks first, and a second run takes about a second. Uses sudo when not root.
# Fails with a non-zero code and the failing step's own output; what was done before stays usable.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TORCH_VERSION=2.13.0
TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
VOCAB_PACKAGE=open_clip_torch==3.3.0
VOCAB_SHA256=924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a
VOCAB=.cache/clip/bpe_simple_vocab_16e6.txt.gz

BUILD_PACKAGES=(g++ cmake ninja-build ccache mold pkg-config git ca-certificates curl
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev prometheus-cpp-dev nlohmann-json3-dev
  libabsl-dev libgtest-dev libgmock-dev libcurl4-openssl-dev libcli11-dev libsqlite3-dev libpq-dev libturbojpeg0-dev
  libjpeg62-turbo-dev libpng-dev libwebp-dev libgloo-dev libtcmalloc-minimal4 zlib1g-dev libpugixml-dev libicu-dev libssl-dev libmicrohttpd-dev python3 python3-venv)
TEST_PACKAGES=(clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev libomp-14-dev openssl postgresql prometheus
  docker-compose chromium fonts-dejavu-core)

tests=no cuda=no
for arg in "$@"; do
  case "$arg" in
    --tests) tests=yes ;;
    --cuda) cuda=yes ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "setup: unknown argument $arg; wants --tests or --cuda" >&2; exit 2 ;;
  esac
done

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

install_packages() {
  local missing=() package
  # One query for all: "install ok installed" is the only state that counts.
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}${binary:Package}\n' "$@" 2>/dev/null |
    sed -n 's/^ii *\([^:]*\).*/\1/p' || true)
  for package in "$@"; do
    grep -qxF "$package" <<<"$installed" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    say "system packages: all $# are installed"
    return
  fi
  say "system packages: installing ${missing[*]}"
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo; as root run: apt-get install ${missing[*]}"
    root=(sudo)
  fi
  "${root[@]}" apt-get -q -o Acquire::Retries=3 update </dev/null
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "${missing[@]}" </dev/null
}

pip_install() { .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off "$@"; }

# The CPU build carries a version suffix; some package sources have it, PyTorch's own index always does.
install_torch() {
  if [ -n "${IP2P_TORCH:-}" ]; then
    pip_install "$IP2P_TORCH"
  elif [ "$cuda" = yes ]; then
    pip_install "torch==$TORCH_VERSION"
  elif ! pip_install "torch==$TORCH_VERSION+cpu"; then
    say "torch: not in the configured package sources; asking PyTorch's CPU index"
    pip_install --extra-index-url "$TORCH_CPU_INDEX" "torch==$TORCH_VERSION+cpu"
  fi
}

# step NAME WANTED COMMAND...: runs the command unless a stamp says that it was done for the same WANTED.
step() {
  local name=$1 wanted=$2 stamp=.venv/.ip2p-$1
  shift 2
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    say "$name: up to date"
    return
  fi
  say "$name: installing"
  rm -f "$stamp"
  "$@"
  printf '%s' "$wanted" >"$stamp"
}

install_test_python() {
  pip_install -r tests/requirements.txt
  # Its declared dependencies are for training (wandb, clip-anytorch, ...); what its samplers import is pinned above.
  pip_install --no-deps -r tests/requirements-nodeps.txt
}

# Imitations of the OpenAI API and the browser's driver for tests, and the Node.js that runs them. npm from Debian unless there is one already.
install_node_packages() {
  if ! command -v npm >/dev/null; then
    install_packages npm
  fi
  local stamp wanted
  stamp=.cache/npm/.ip2p-installed
  wanted=$(sha256sum <tests/package.json)
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    say "node packages: up to date"
    return
  fi
  say "node packages: installing"
  mkdir -p .cache/npm
  rm -f "$stamp"
  cp tests/package.json .cache/npm/
  # No scripts of strangers at set-up.
  npm install --prefix .cache/npm --no-audit --no-fund --ignore-scripts
  printf '%s' "$wanted" >"$stamp"
}

make_venv() {
  if .venv/bin/python -c '' 2>/dev/null; then
    say ".venv: there"
    return
  fi
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "python3 is $(python3 --version 2>&1); wants 3.11 or newer"
  say ".venv: making it with $(python3 --version)"
  rm -rf .venv
  python3 -m venv .venv
}

fetch_vocabulary() {
  if [ -f "$VOCAB" ] && echo "$VOCAB_SHA256  $VOCAB" | sha256sum --check --status; then
    say "CLIP vocabulary: there"
    return
  fi
  say "CLIP vocabulary: taking it from the $VOCAB_PACKAGE wheel"
  local folder
  folder=$(mktemp -d)
  mkdir -p "$(dirname "$VOCAB")"
  # In a subshell, so that the folder goes whatever fails.
  (
    trap 'rm -rf "$folder"' EXIT
    .venv/bin/python -m pip download --disable-pip-version-check --no-input --progress-bar off --no-deps \
      --only-binary :all: --dest "$folder" "$VOCAB_PACKAGE"
    .venv/bin/python - "$folder"/open_clip_torch-*.whl "$VOCAB.tmp" <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, open(sys.argv[2], "wb") as out:
    out.write(wheel.read("open_clip/bpe_simple_vocab_16e6.txt.gz"))
PY
    echo "$VOCAB_SHA256  $VOCAB.tmp" | sha256sum --check --status ||
      die "the vocabulary's SHA-256 is $(sha256sum "$VOCAB.tmp" | cut -d' ' -f1); wants $VOCAB_SHA256"
    mv "$VOCAB.tmp" "$VOCAB"
  )
}

packages=("${BUILD_PACKAGES[@]}")
[ "$tests" = no ] || packages+=("${TEST_PACKAGES[@]}")
install_packages "${packages[@]}"
make_venv
# Without a flag of its own, a run keeps the torch that is there: --cuda needs saying once.
if [ -n "${IP2P_TORCH:-}" ] || [ "$cuda" = yes ] || [ ! -f .venv/.ip2p-torch ]; then
  step torch "${IP2P_TORCH:-$TORCH_VERSION cuda=$cuda}" install_torch
else
  say "torch: there ($(cat .venv/.ip2p-torch))"
fi
if [ "$tests" = yes ]; then
  step test-packages "$(cat tests/requirements.txt tests/requirements-nodeps.txt | sha256sum)" install_test_python
  install_node_packages
fi
fetch_vocabulary
say "ready"
