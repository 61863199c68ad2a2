#!/usr/bin/env bash
# Sets up, builds and runs every check and test, on a machine where nothing was prepared.
#
#   bash tests/run.sh [--full] [PART ...]
#     --full   also what takes long: the fuzz targets' corpora, each GoogleTest in a process of its own (ctest),
#              clang-tidy, ASan/UBSan and TSan builds, the clang build, the benchmarks, the images where docker or
#              buildah is, models of the published sizes, and the fault tests at their full size (IP2P_FULL=1)
#     PART     only these, in the order below (setup and build come first when a part needs them)
#
#   setup build format proto gtest [fuzz ctest tidy sanitize clang bench docker] pytest
#
# A part that fails fails the run, yet the others still run, so that one run tells everything. Ends with pytest's own
# summary, the names of the failed parts and their count. Exit code: 0 all passed, 1 a part failed, 2 usage.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

EVERY=(setup build format proto gtest pytest)
EVERY_FULL=(setup build format proto gtest fuzz ctest tidy sanitize clang bench docker pytest)

full=no
wanted=()
for arg in "$@"; do
  case "$arg" in
    --full) full=yes ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *)
      if ! printf '%s\n' "${EVERY_FULL[@]}" | grep -qxF -- "$arg"; then
        echo "run: unknown part $arg; wants some of ${EVERY_FULL[*]}" >&2
        exit 2
      fi
      wanted+=("$arg")
      ;;
  esac
done
if [ ${#wanted[@]} -eq 0 ]; then
  wanted=("${EVERY[@]}")
  [ "$full" = no ] || wanted=("${EVERY_FULL[@]}")
fi

[ "$full" = no ] || export IP2P_FULL=1

jobs=$(nproc)

# The parts. Each is a command that fails when something is wrong.
part_setup() { bash deploy/setup.sh --tests; }

part_build() { cmake --preset release && cmake --build --preset release; }

part_format() { git ls-files -z '*.cc' '*.h' | xargs -0 clang-format-14 --dry-run -Werror; }

part_proto() { .venv/bin/buf lint protos; }

# Replays every fuzz target's corpus under the sanitizers; finding new inputs is done by hand (tests/fuzz/README.md).
part_fuzz() {
  cmake --preset fuzz && cmake --build --preset fuzz --target tests/fuzz/all &&
    ctest --test-dir build-fuzz/tests/fuzz --output-on-failure --no-tests=error -j "$jobs"
}

# One program at a time: many measure, and torch takes every core by itself.
part_gtest() { .venv/bin/python tests/tooling/run_shuffled.py build; }

part_ctest() { ctest --preset release --no-tests=error --schedule-random; }

# Needs the generated protobuf headers, so it comes after the build.
part_tidy() { .venv/bin/python tests/tooling/tidy.py build --torch; }

part_sanitize() {
  local preset failed=0
  for preset in asan-ubsan tsan; do
    { cmake --preset "$preset" && cmake --build --preset "$preset" && ctest --preset "$preset" --no-tests=error; } ||
      failed=1
  done
  return $failed
}

part_clang() { cmake --preset clang && cmake --build --preset clang; }

part_bench() {
  local bench failed=0
  for bench in run prompts pairs training miniature; do
    .venv/bin/python "tests/bench/$bench.py" || failed=1
  done
  return $failed
}

# Needs an engine that only some machines have; the images' definitions are checked by pytest everywhere.
part_docker() {
  docker info >/dev/null 2>&1 || command -v buildah >/dev/null || { echo "neither docker nor buildah is here"; return 0; }
  bash tests/docker/build.sh
}

# Bare "pytest" takes the tests of its folder in random order and prints the seed (pytest-randomly).
part_pytest() { .venv/bin/python -m pytest tests -q --durations=10; }

failed=()
ran=0
started=$SECONDS
for part in "${wanted[@]}"; do
  begun=$SECONDS
  ran=$((ran + 1))
  echo "=== $part"
  if "part_$part"; then
    echo "=== $part passed in $((SECONDS - begun)) s"
  else
    echo "=== $part FAILED in $((SECONDS - begun)) s"
    failed+=("$part")
    # Nothing works without the environment.
    [ "$part" != setup ] || break
  fi
done 2>&1

echo "=== done in $((SECONDS - started)) s, failed parts: ${failed[*]:-none}"
echo "parts: $((ran - ${#failed[@]})) passed, ${#failed[@]} failed"
[ ${#failed[@]} -eq 0 ]
