#!/usr/bin/env bash
# The whole cluster from nothing, on the miniature that is shipped (deploy/models/shapes): sets up, builds, starts every
# service, and takes a handful of captions to prompts, image pairs, a checked dataset, a short training run, a promoted
# checkpoint and edited pictures.
#
#   bash deploy/demo.sh [--edit-model DIR] [--captions N] [--train-steps N] [--steps N] [--out DIR] [--no-build] [--keep]
#     --edit-model   that edits at first and is trained further; default the miniature's
#     --captions     pictures to begin with; default 12
#     --train-steps  of the training run; default 40
#     --steps        denoising steps of a pair and of an edit; default 25
#     --out          where everything goes; made anew; default build/demo
#     --no-build     take the programs as they are
#     --keep         leave the cluster running at the end and say how to reach and stop it
#
# No GPU, key or download but for packages; about a minute after the build on 2 cores, 2 GB of memory. Everything
# listens on 127.0.0.1 only. Leaves DIR/sheet.png: before, instruction, after, and what a program sees on the result.
# Exit codes: 0 done, 1 a stage failed (its log is named), 2 usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

edit_model=build/share/models/shapes/edit captions=12 train_steps=40 steps=25 out=build/demo build=yes keep=no
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --keep) keep=yes; shift; continue ;;
    --no-build) build=no; shift; continue ;;
    --edit-model | --captions | --train-steps | --steps | --out) [ $# -ge 2 ] || { echo "demo: $1 wants a value" >&2; exit 2; } ;;
    *) echo "demo: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
  case "$1" in
    --edit-model) edit_model=$2 ;;
    --captions) captions=$2 ;;
    --train-steps) train_steps=$2 ;;
    --steps) steps=$2 ;;
    --out) out=$2 ;;
  esac
  shift 2
done
for number in "captions $captions" "train-steps $train_steps" "steps $steps"; do
  [[ ${number#* } =~ ^[1-9][0-9]{0,3}$ ]] || { echo "demo: --${number% *} is \"${number#* }\"; wants 1..9999" >&2; exit 2; }
done

[ -d "$edit_model" ] || { echo "demo: there is no edit model at $edit_model; wants --edit-model DIR" >&2; exit 2; }
edit_model=$(cd "$edit_model" && pwd)
bin=$PWD/build/bin
pids=()
declare -A line  # the ready line of each service, with its ports

stage() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
die() { echo "demo: $*" >&2; exit 1; }

finish() {
  local i
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM "${pids[i]}" 2>/dev/null || true  # drains: what was admitted finishes
    wait "${pids[i]}" 2>/dev/null || true
  done
}
trap finish EXIT

# start NAME ARGUMENT...: a service says one line with its ports once it is ready, and none when it cannot start.
start() {
  local name=$1 pipe=$logs/$1.ready
  shift
  mkfifo "$pipe"
  nohup "$bin/ip2p_$name" "$@" >"$pipe" 2>"$logs/$name.log" &
  pids+=($!)
  line[$name]=
  read -r -t 120 "line[$name]" <"$pipe" || true
  rm "$pipe"
  [ -n "${line[$name]}" ] || { tail -n 5 "$logs/$name.log" >&2; die "$name did not start; see $logs/$name.log"; }
  echo "$name: ${line[$name]}"
}

port() { sed -E "s/.*\"$2\":([0-9]+).*/\1/" <<<"${line[$1]}"; }
at() { echo "127.0.0.1:$(port "$1" "${2:-port}")"; }

if [ "$build" = yes ]; then
  stage "1/9 set-up"
  bash deploy/setup.sh
  stage "2/9 build"
  cmake --preset release >/dev/null
  cmake --build --preset release --target services/all
fi
SECONDS=0
rm -rf "$out"
mkdir -p "$out/logs" "$out/sets" "$out/datasets" "$out/models" "$out/edits"
out=$(cd "$out" && pwd)
logs=$out/logs

stage "3/9 the cluster"
local_ports=(--listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0)
start edit_server "${local_ports[@]}" --ckpt "$edit_model" --admin-listen 127.0.0.1:0 --models-dir "$out/models"
start prompt_generator "${local_ports[@]}" --data-dir "$out/prompts"
start pair_generator "${local_ports[@]}"
start training_coordinator "${local_ports[@]}" --worker-listen 127.0.0.1:0 --data-dir "$out" --cpu-slots 1 \
  --edit-server "$(at edit_server admin_port)"
start gateway "${local_ports[@]}" --edit-server "$(at edit_server)" --prompt-server "$(at prompt_generator)" \
  --pair-server "$(at pair_generator)" --training-server "$(at training_coordinator)" --training-data-dir "$out" \
  --datasets-dir "$out/datasets" --edit-metrics "$(at edit_server metrics_port)" \
  --prompt-metrics "$(at prompt_generator metrics_port)" --pair-metrics "$(at pair_generator metrics_port)" \
  --training-metrics "$(at training_coordinator metrics_port)"
page=http://$(at gateway)
echo "the pages: $page"

stage "4/9 captions: $captions drawn scenes"
"$bin/ip2p" shapes draw --out-dir "$out/sets/pictures" --count "$captions" --seed 2211
head -n 3 "$out/sets/pictures/captions.jsonl"

stage "5/9 prompts"
"$bin/ip2p" prompts generate --server "$(at prompt_generator)" --provider shapes \
  --captions "$out/sets/pictures/captions.jsonl" --out "$out/prompts.jsonl" --seed 9800
head -n 3 "$out/prompts.jsonl"

stage "6/9 pairs: 8 samples a prompt, the best 2 that CLIP approves"
"$bin/ip2p" pairs generate --prompts-file "$out/prompts.jsonl" --out-dir "$out/datasets/pairs" --steps "$steps" \
  --photos "$out/sets/pictures" --common-steps 0.5 --whole-common-steps 0.4 --n-samples 8 --max-out-samples 2 \
  --min-p2p 0.2 --min-cfg 2 --max-cfg 5 --clip-threshold 0.8 --clip-dir-threshold 0.2 --clip-img-threshold 0
"$bin/ip2p" dataset prepare "$out/datasets/pairs"
"$bin/ip2p" dataset check "$out/datasets/pairs"
"$bin/ip2p" dataset stats "$out/datasets/pairs"

stage "7/9 training: $train_steps steps from the edit model"
cp -rL "$edit_model" "$out/models/start"
"$bin/ip2p" train start --server "$(at training_coordinator)" --name demo --objective instruct-pix2pix \
  --base-checkpoint models/start --dataset datasets/pairs --resolution 128 --batch-size 8 --learning-rate 1e-5 \
  --max-steps "$train_steps" --cache-latents --request-id demo --watch
job=$(basename "$(ls -d "$out"/jobs/demo-*)")

stage "8/9 promotion: the edit server takes the new checkpoint, edits go on meanwhile"
"$bin/ip2p" train promote "$job" --server "$(at training_coordinator)"

stage "9/9 edits of new scenes, through the gateway as a browser makes them"
"$bin/ip2p" shapes draw --out-dir "$out/sets/scenes" --count 4 --seed 4242
for seed in 1 2; do  # two instructions for every scene
  "$bin/ip2p" prompts generate --server "$(at prompt_generator)" --provider shapes --seed "$seed" \
    --captions "$out/sets/scenes/captions.jsonl" --out "$out/edits-$seed.jsonl"
done
# Lines of: picture, tab, instruction.
python3 - "$out" >"$out/edits.tsv" <<'PYTHON'
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
read = lambda path: [json.loads(line) for line in path.read_text().splitlines()]
edits = [{row["caption"]: row["edit"] for row in read(out / f"edits-{seed}.jsonl")} for seed in (1, 2)]
for scene in read(out / "sets/scenes/metadata.jsonl"):
    for chosen in edits:
        if scene["caption"] in chosen:
            print(out / "sets/scenes" / scene["file_name"], chosen[scene["caption"]], sep="\t")
PYTHON
cells=()
# The usual text scale of 7.5 is for large models; what the miniature learned is seen best at 2.5 (its card).
while IFS=$'\t' read -r scene edit; do
  after=$out/edits/$((${#cells[@]} / 3)).png
  curl -sS --fail-with-body -F "image=@$scene" -F "instruction=$edit" -F "steps=$steps" -F cfg_text=2.5 -F seed=1 \
    "$page/api/v1/edit" >"$out/answer.json" || die "the edit failed: $(cat "$out/answer.json")"
  python3 -c 'import base64, json, sys
sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)["outputs"][0]["image"]["data"]))' \
    <"$out/answer.json" >"$after"
  echo "$edit"
  cells+=("$scene" "$edit" "$after")
done <"$out/edits.tsv"
[ ${#cells[@]} -gt 0 ] || die "no instruction was written for the scenes; see $out/edits-1.jsonl"
rm "$out/answer.json"
"$bin/ip2p" shapes sheet --output "$out/sheet.png" --columns 2 "${cells[@]}"

stage done
echo "look at  $out/sheet.png: before, instruction, after"
echo "pairs    $out/datasets/pairs"
echo "logs     $logs"
if [ "$keep" = yes ]; then
  echo "The cluster goes on: $page. Stop it with: kill ${pids[*]}"
  pids=()
fi
