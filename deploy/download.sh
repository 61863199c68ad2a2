#!/usr/bin/env bash
# Fetches the published models, for machines with a network: about 15 GB.
#
#   bash deploy/download.sh [--to FOLDER] [NAME ...]
#     --to FOLDER   where to; default .cache/models
#     NAME          only these; default all:
#       instruct-pix2pix   the edit model of the paper (CompVis .ckpt, 7.7 GB)
#       sd15               Stable Diffusion 1.5, where training and pair generation start (4.3 GB)
#       vae                the VAE that the paper's samples were decoded with (335 MB)
#       clip               CLIP ViT-L/14 in the transformers layout, for the pair filter (1.7 GB): --clip
#                          .cache/models/clip-vit-large-patch14; the vocabulary is the one that setup.sh installed
#       safety             Stable Diffusion's safety checker, if unsafe pairs are to be dropped (1.2 GB):
#                          --safety-checker .cache/models/sd15-safety/safety_checker
#   IP2P_URL_BERKELEY, IP2P_URL_HUB   other addresses for the two sites, for example a mirror
#
# An interrupted download goes on where it stopped (NAME.part). A file gets its name only after its SHA-256 was
# checked. Where no checksum was published, the first download's is kept beside it (NAME.sha256) and said so; later
# downloads must match it. Exit code: 0 all there, 1 a file failed (the others were still tried), 2 usage.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

BERKELEY=${IP2P_URL_BERKELEY:-http://instruct-pix2pix.eecs.berkeley.edu}
HUB=${IP2P_URL_HUB:-https://huggingface.co}
SD15_AT=stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main
VAE_AT=stabilityai/sd-vae-ft-mse-original/resolve/main
SAFETY=sd15-safety/safety_checker
CLIP_AT=openai/clip-vit-large-patch14/resolve/32bd64288804d66eefd0ccbe215aa642df71cc41

# name, file, address, SHA-256 ("-": none was published)
FILES=(
  "instruct-pix2pix instruct-pix2pix-00-22000.ckpt $BERKELEY/instruct-pix2pix-00-22000.ckpt -"
  "sd15 v1-5-pruned-emaonly.safetensors $HUB/$SD15_AT/v1-5-pruned-emaonly.safetensors 6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
  "vae vae-ft-mse-840000-ema-pruned.ckpt $HUB/$VAE_AT/vae-ft-mse-840000-ema-pruned.ckpt c6a580b13a5bc05a5e16e4dbb80608ff2ec251a162311590c1f34c013d7f3dab"
  "clip clip-vit-large-patch14/config.json $HUB/$CLIP_AT/config.json 8a09b467700c58138c29d53c605b34ebc69beaadd13274a8a2af8ad2c2f4032a"
  "safety $SAFETY/config.json $HUB/$SD15_AT/safety_checker/config.json -"
  "safety $SAFETY/model.safetensors $HUB/$SD15_AT/safety_checker/model.safetensors -"
  "safety sd15-safety/feature_extractor/preprocessor_config.json $HUB/$SD15_AT/feature_extractor/preprocessor_config.json -"
  "clip clip-vit-large-patch14/model.safetensors $HUB/$CLIP_AT/model.safetensors a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb"
)
NAMES="instruct-pix2pix sd15 vae clip safety"

folder=.cache/models
wanted=()
while [ $# -gt 0 ]; do
  case "$1" in
    --to) [ $# -ge 2 ] || { echo "download: --to wants a folder" >&2; exit 2; }; folder=$2; shift ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *)
      case " $NAMES " in
        *" $1 "*) wanted+=("$1") ;;
        *) echo "download: unknown name $1; wants some of $NAMES" >&2; exit 2 ;;
      esac
      ;;
  esac
  shift
done
[ ${#wanted[@]} -gt 0 ] || read -r -a wanted <<<"$NAMES"
command -v curl >/dev/null || { echo "download: curl is not installed" >&2; exit 1; }

mkdir -p "$folder" || exit 1
exec 9>"$folder/.lock"
flock -n 9 || { echo "download: another download into this folder is running" >&2; exit 1; }

say() { echo "download: $*"; }
fetch() { curl --fail --location --show-error --proto '=http,https' --retry 5 --connect-timeout 20 --speed-limit 1 --speed-time 60 "$@"; }
size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

# Brings FILE.part to its full length.
transfer() {
  local part=$1 url=$2 length code
  # The last answer's length, after redirects. Unknown is fine: then only the checksum speaks.
  length=$(fetch --silent --head "$url" 2>/dev/null | tr -d '\r' | awk 'tolower($1) == "content-length:" {n = $2} END {print n}')
  if [ -n "$length" ] && [ "$(size_of "$part")" -gt "$length" ]; then
    say "$part is longer than the file; starting again"
    rm -f "$part"
  fi
  if [ -z "$length" ] || [ "$(size_of "$part")" -ne "$length" ]; then
    [ "$(size_of "$part")" -eq 0 ] || say "going on at byte $(size_of "$part")"
    fetch --progress-bar --continue-at - --output "$part" "$url"
    code=$?
    if [ $code -eq 33 ]; then # the server can't resume
      say "the server can't resume; starting again"
      rm -f "$part"
      fetch --progress-bar --output "$part" "$url"
      code=$?
    fi
    [ $code -eq 0 ] || { say "curl failed with code $code; run this again to go on"; return 1; }
  fi
  if [ -n "$length" ] && [ "$(size_of "$part")" -ne "$length" ]; then
    say "got $(size_of "$part") bytes; wants $length; run this again to go on"
    return 1
  fi
}

get() {
  local file=$1 url=$2 published=$3 path=$folder/$1 want sum
  if [ -f "$path" ]; then
    say "$file: there"
    return 0
  fi
  say "$file: from $url"
  mkdir -p "$(dirname "$path")"
  transfer "$path.part" "$url" || return 1
  sum=$(sha256sum "$path.part" | cut -d' ' -f1)
  want=$published
  if [ "$want" = - ] && [ -f "$path.sha256" ]; then
    want=$(cut -d' ' -f1 "$path.sha256")
  fi
  if [ "$want" = - ]; then
    echo "$sum  $(basename "$file")" >"$path.sha256.tmp" && mv "$path.sha256.tmp" "$path.sha256"
    say "$file: no checksum was published; trusting this download, SHA-256 $sum is kept in $file.sha256"
  elif [ "$sum" != "$want" ]; then
    rm -f "$path.part"
    say "$file: SHA-256 is $sum; wants $want; the download was removed"
    return 1
  fi
  sync "$path.part" && mv "$path.part" "$path" && say "$file: done"
}

failed=0
for entry in "${FILES[@]}"; do
  read -r name file url sha256 <<<"$entry"
  case " ${wanted[*]} " in
    *" $name "*) get "$file" "$url" "$sha256" || failed=1 ;;
  esac
done
[ $failed -eq 0 ] && say "everything is in $folder"
exit $failed
