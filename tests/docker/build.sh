#!/usr/bin/env bash
# Builds every image of docker/Dockerfile and asks each one something (smoke_images.py).
#
#   bash tests/docker/build.sh [--prebuilt] [--keep] [TARGET ...]
#     --prebuilt  with the programs of build/bin, built on this machine, in place of an hour's building inside an image
#     --keep      leaves buildah's images in build/docker for the next run; docker's stay anyway
#     TARGET      only these: prompt-generator pair-generator training-coordinator training-worker edit-server gateway cli
#
# With docker where its daemon answers, else with buildah as root (no daemon: --isolation chroot, the vfs driver). The base
# is IP2P_BASE, else Debian's own image where a registry is reached, else one that debootstrap makes. Exit codes: 0 all
# well, 1 something failed, 2 usage, 69 neither docker nor buildah is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

TARGETS=(prompt-generator pair-generator training-coordinator training-worker edit-server gateway cli)
TAG=test
prebuilt=no keep=no
wanted=()
for arg in "$@"; do
  case "$arg" in
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --prebuilt) prebuilt=yes ;;
    --keep) keep=yes ;;
    *)
      printf '%s\n' "${TARGETS[@]}" | grep -qxF -- "$arg" ||
        { echo "build: unknown target $arg; wants some of ${TARGETS[*]}" >&2; exit 2; }
      wanted+=("$arg")
      ;;
  esac
done
[ ${#wanted[@]} -gt 0 ] || wanted=("${TARGETS[@]}")

store=$PWD/build/docker
export BUILDAH_ISOLATION=chroot
storage=(--root "$store/root" --runroot "$store/run" --storage-driver "${STORAGE_DRIVER:-vfs}")
if docker info >/dev/null 2>&1; then
  engine=docker
elif command -v buildah >/dev/null; then
  engine=buildah
else
  echo "build: neither docker nor buildah is there" >&2
  exit 69
fi
say() { printf '\n== %s\n' "$*"; }
say "engine: $engine"

build_image() {  # TARGET ARGUMENT...
  local target=$1
  shift
  if [ "$engine" = docker ]; then
    docker build -f docker/Dockerfile --target "$target" -t "ip2p-$target:$TAG" "$@" .
  else
    buildah "${storage[@]}" bud --layers --format docker -f docker/Dockerfile --target "$target" -t "ip2p-$target:$TAG" "$@" .
  fi
}

# An image of nothing but a folder's content.
image_of() {  # FOLDER NAME
  if [ "$engine" = docker ]; then
    tar -C "$1" -c . | docker import - "$2"
  else
    local container
    container=$(buildah "${storage[@]}" from scratch)
    buildah "${storage[@]}" copy -q "$container" "$1" /
    buildah "${storage[@]}" commit -q --rm "$container" "$2"
  fi
}

has_image() {
  if [ "$engine" = docker ]; then
    docker image inspect "$1" >/dev/null 2>&1
  else
    buildah "${storage[@]}" inspect --type image "$1" >/dev/null 2>&1
  fi
}

# The name of Debian's image, from wherever it is to be had.
base_image() {
  local name=debian:bookworm-slim made=localhost/ip2p-debian:bookworm
  if [ -n "${IP2P_BASE:-}" ]; then
    echo "$IP2P_BASE"
  elif has_image "$made"; then
    echo "$made"
  elif [ "$engine" = docker ] && docker pull -q "$name" >&2; then
    echo "$name"
  elif [ "$engine" = buildah ] && timeout 30 buildah "${storage[@]}" pull -q "$name" >&2; then
    echo "$name"
  else
    echo "build: no registry gives $name; debootstrap makes one" >&2
    local folder
    folder=$(mktemp -d)
    debootstrap --variant=minbase bookworm "$folder" >&2
    # As Debian's own image does: apt keeps no packages and no index of them.
    printf '%s\n' 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' \
      'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };' >"$folder/etc/apt/apt.conf.d/docker-clean"
    # It trusts whom this machine trusts: indexes may lie behind a proxy with an authority of its own.
    mkdir -p "$folder/usr/local/share/ca-certificates"
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$folder/usr/local/share/ca-certificates/" \;
    rm -rf "$folder"/var/cache/apt/* "$folder"/var/lib/apt/lists/*
    image_of "$folder" "$made" >&2
    rm -rf "$folder"
    echo "$made"
  fi
}

[ "$engine" = docker ] || mkdir -p "$store"
finish() {
  [ "$keep" = yes ] || [ "$engine" = docker ] || rm -rf "$store"
}
trap finish EXIT

say "base"
base=$(base_image)
echo "$base"
arguments=(--build-arg "RUN_BASE=$base" --build-arg "BUILD_BASE=$base")
# Where pip finds torch on this machine, if that is a folder.
wheels=${IP2P_WHEELS:-$(.venv/bin/python -m pip config get global.find-links 2>/dev/null || true)}
if [ -d "$wheels" ]; then
  arguments+=(--build-context "wheels=$wheels")
fi
if [ "$prebuilt" = yes ]; then
  say "programs of build/bin"
  folder=$(mktemp -d)
  bash docker/collect.sh "${IP2P_BUILD:-build}" .venv "$folder/out"
  image_of "$folder" "localhost/ip2p-programs:$TAG"
  rm -rf "$folder"
  arguments+=(--build-arg "PROGRAMS=localhost/ip2p-programs:$TAG")
fi

for target in "${wanted[@]}"; do
  say "build $target"
  build_image "$target" "${arguments[@]}"
done

say "ask"
asked=()
for target in "${wanted[@]}"; do
  asked+=("tests/docker/smoke_images.py::test_what_is_inside[$target]" "tests/docker/smoke_images.py::test_${target//-/_}")
done
words=$engine
[ "$engine" = docker ] || words="buildah ${storage[*]}"
IP2P_ENGINE=$words IP2P_TAG=$TAG .venv/bin/python -m pytest -q -p no:randomly "${asked[@]}"
