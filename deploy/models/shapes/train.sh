#!/usr/bin/env bash
# Trains the miniature from nothing, by this project's own commands alone: pictures, prompts, autoencoder, CLIP,
# text-to-image, pairs, edits. Every stage goes on where an interruption left it; a finished one is not done again.
#
#   bash deploy/models/shapes/train.sh [--work DIR] [--until STAGE] [--threads N]
#     --work     folder of everything that is made (4 GB); default build/shapes
#     --until    stop after this stage: pictures vae-crops vae-whole vae clip-first clip
#                text-to-image-words -places -objects -outlines -together -scenes text-to-image copies
#                edit-copies prompts pairs pairs-after edits edit; default: edit.
#                "ablation" goes on: the same short training on these pairs and on ones that no CLIP chose
#     --threads  CPU threads of the training worker and of the pairs; default: all
#
# Needs the release build. Settings stand in recipe/*.json and below; seeds are in them. 8 hours on 2 cores.
# Leaves the models in DIR/data/models and the losses in DIR/data/curves.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."

work=build/shapes until=edit threads=$(nproc)
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --work | --until | --threads) [ $# -ge 2 ] || { echo "train: $1 wants a value" >&2; exit 2; } ;;
    *) echo "train: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
  case "$1" in
    --work) work=$2 ;;
    --until) until=$2 ;;
    --threads) threads=$2 ;;
  esac
  shift 2
done

ip2p=$PWD/build/bin/ip2p
mkdir -p "$work"
data=$(cd "$work" && pwd)/data
mkdir -p "$data/sets" "$data/configs"
cp -r "$here/configs/." "$data/configs/"
coordinator= address=

say() { printf '\n== %s %s\n' "$(date +%T)" "$*"; }

finish() { [ -z "$coordinator" ] || kill -TERM "$coordinator" 2>/dev/null || true; }
trap finish EXIT

# The coordinator lives as long as this script; a job that it leaves behind runs on and is found again.
start_coordinator() {
  [ -z "$coordinator" ] || return 0
  local ready=$data/ready
  rm -f "$ready" && mkfifo "$ready"
  build/bin/ip2p_training_coordinator --data-dir "$data" --listen 127.0.0.1:0 --worker-listen 127.0.0.1:0 \
    --metrics-listen off --cpu-slots 2 --threads-per-slot "$threads" >"$ready" 2>>"$data/coordinator.log" &
  coordinator=$!
  address=127.0.0.1:$(sed -n 's/.*"port":\([0-9]*\).*/\1/p;q' <"$ready")
  rm -f "$ready"
  [ "$address" != 127.0.0.1: ] || { echo "train: the coordinator did not start; see $data/coordinator.log" >&2; exit 1; }
}

# Ends here when the stage was the one to stop after.
stage_done() {
  [ "$1" != "$until" ] || { say "stopped after $1"; exit 0; }
}

# train NAME START NAME_OF_START: trains recipe/NAME.json to its end, from --base-checkpoint or --fresh-config
# START_NAME, and publishes the model in fp16 as data/models/NAME: what follows starts from what is shipped.
train() {
  local name=$1 start=$2 from=$3 id last
  if [ ! -e "$data/models/$name" ]; then
    say "$name"
    start_coordinator
    id=$("$ip2p" train start --server "$address" --spec "$here/recipe/$name.json" "$start" "$from" \
      --request-id "$name" --json | sed -n 's/^ *"id": "\(.*\)",*$/\1/p' | head -1)
    "$ip2p" train watch "$id" --server "$address" --interval-ms 30000
    last=$(ls "$data/jobs/$id/export" | tail -1)
    mkdir -p "$data/models" "$data/curves"
    cp "$data/jobs/$id/metrics.jsonl" "$data/curves/$name.jsonl"
    "$ip2p" model convert "$data/jobs/$id/export/$last" "$data/models/$name" --precision fp16
  fi
  stage_done "$name"
}

say pictures
"$ip2p" shapes draw --out-dir "$data/sets/pictures" --count 20000 --seed 1
"$ip2p" shapes draw --out-dir "$data/sets/placed" --count 20000 --seed 21 --places most
"$ip2p" shapes draw --out-dir "$data/sets/single" --count 8000 --seed 31 --objects 1 --places all
"$ip2p" shapes draw --out-dir "$data/sets/plain" --count 6000 --seed 41 --objects 1 --places most --plain
"$ip2p" shapes draw --out-dir "$data/sets/more" --count 30000 --seed 22 --places most
stage_done pictures

[ -e "$data/models/vae" ] || train vae-crops --fresh-config configs/diffusion
stage_done vae-crops
[ -e "$data/models/vae" ] || train vae-whole --base-checkpoint models/vae-crops
stage_done vae-whole
# The decoder alone, from latents that are not quite right, as those of a model are: it keeps outlines then.
train vae --base-checkpoint models/vae-whole

[ -e "$data/models/clip" ] || train clip-first --fresh-config configs/clip
stage_done clip-first
train clip --base-checkpoint models/clip-first

# as_config NAME FOLDER COMMAND...: configs/NAME is a copy of FOLDER, which the command changed.
as_config() {
  local to=$data/configs/$1 from=$2
  shift 2
  [ ! -e "$to" ] || return 0
  rm -rf "$to.part"
  cp -r "$from" "$to.part"
  (cd "$to.part" && "$@")
  mv "$to.part" "$to"
}

# First the words, of a text encoder without layers: fresh layers drown them, and places are never heard.
without_layers() {
  cp "$data/models/vae/vae/"* vae/
  sed -i 's/"num_hidden_layers": [0-9]*/"num_hidden_layers": 0/' text_encoder/config.json
}
if [ ! -e "$data/models/text-to-image" ]; then
  as_config words "$data/configs/diffusion" without_layers
  train text-to-image-words --fresh-config configs/words
  train text-to-image-places --base-checkpoint models/text-to-image-words
  # Then layers join, which start by adding nothing.
  as_config layers "$data/models/text-to-image-places" cp "$data/configs/diffusion/text_encoder/config.json" text_encoder/
  train text-to-image-objects --fresh-config configs/layers
  # Outlines are heard last, and only where nothing else is to be learned; min-SNR weighs the weak noise that shows them.
  train text-to-image-outlines --base-checkpoint models/text-to-image-objects
  train text-to-image-together --base-checkpoint models/text-to-image-outlines
  # How many objects there are is decided where noise is strong, which min-SNR hardly weighs.
  train text-to-image-scenes --base-checkpoint models/text-to-image-together
fi
for stage in words places objects outlines together scenes; do stage_done "text-to-image-$stage"; done
train text-to-image --base-checkpoint models/text-to-image-scenes

# copies NAME COUNT SEED: drawn scenes with themselves, each under an instruction that is carried out in it already.
copies() {
  "$ip2p" shapes draw --out-dir "$data/sets/$1" --count "$2" --seed "$3" --edits
  "$ip2p" dataset import "$data/sets/$1" -o "$data/$1" --before file_name --after file_name
  "$ip2p" dataset prepare "$data/$1"
}

# Text-to-image draws objects from words. So the edit model first learns that they are in the picture, then to edit.
say copies
copies copies 6000 51
copies copies-few 600 52
stage_done copies
train edit-copies --base-checkpoint models/text-to-image

say prompts
"$ip2p" prompts generate --provider shapes --captions "$data/sets/pictures/captions.jsonl" \
  --out "$data/prompts.jsonl" --seed 2
stage_done prompts

# pairs FOLDER ARGUMENT...: pairs of the first PAIR_PARTITIONS hundredths of the prompts, from drawn pictures, a process of
# one thread each: batches of a sample or two are too small to share.
PAIR_PARTITIONS=20
pairs() {
  local folder=$1
  shift
  say "$folder"
  seq 0 $((PAIR_PARTITIONS - 1)) | xargs -P "$threads" -I '{}' "$ip2p" pairs generate --out-dir "$data/$folder" \
    --prompts-file "$data/prompts.jsonl" --n-partitions 100 --partition '{}' --ckpt "$data/models/text-to-image" \
    --clip "$data/models/clip" --threads 1 --steps 24 --common-steps 0.65 --whole-common-steps 0.5 --min-p2p 0.2 \
    --min-cfg 1.5 --max-cfg 3 --seed 3 "$@"
  "$ip2p" dataset prepare "$data/$folder"
}

# with_copies NAME LEAST PAIRS...: the dataset NAME of these pairs, with CLIP's scores of captions from LEAST, some of
# whose prompts ask for nothing more. Early stop wants a margin over its threshold, so a high one would cost twice as
# much before.
with_copies() {
  local name=$1 least=$2
  shift 2
  "$ip2p" dataset merge "${@/#/$data/}" "$data/copies-few" -o "$data/$name"
  "$ip2p" dataset prepare "$data/$name" --clip-threshold "$least"
}

chosen=(--early-stop --clip-threshold 0.8 --clip-dir-threshold 0.2 --clip-img-threshold 0)
pairs pairs --photos "$data/sets/pictures" --n-samples 4 --max-out-samples 2 "${chosen[@]}"
stage_done pairs
# What a pair changes is softer than what was drawn. Of those above it is what the model is to make; of these it is only
# what it is given. Of these alone it would learn that what is soft is meant.
"$ip2p" shapes draw --out-dir "$data/sets/edited" --prompts-file "$data/prompts.jsonl" --seed 1
pairs pairs-after --photos "$data/sets/edited" --photos-show after --n-samples 3 --max-out-samples 1 "${chosen[@]}"
stage_done pairs-after

with_copies edits 0.88 pairs pairs-after
stage_done edits
train edit --base-checkpoint models/edit-copies

# The paper's ablation: as many steps on pairs that CLIP chose, and on the first ones that came.
with_copies pairs-and-copies 0.88 pairs
train ablation-filtered --base-checkpoint models/edit-copies
pairs pairs-random --photos "$data/sets/pictures" --n-samples 2 --max-out-samples 2 --clip-threshold 0 \
  --clip-dir-threshold -1 --clip-img-threshold 0
with_copies pairs-random-and-copies -1 pairs-random
train ablation-random --base-checkpoint models/edit-copies
for name in ablation-filtered ablation-random; do
  "$ip2p" evaluate --profile shapes --parts edit --ckpt "$data/models/$name" --clip "$data/models/clip" \
    --curve-cases 0 --out-dir "$data/evaluation/$name"
done
