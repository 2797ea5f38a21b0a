#!/usr/bin/env bash
# The two pictures of the README, docs/report.png and docs/label_page.png, from a finished quickstart: its report, and
# a label page with pairs of its summaries. Needs a build, and Chromium.
# usage: scripts/pictures.sh [--run DIR] [--output DIR]
#   --run     folder of the quickstart (default runs/quickstart)
#   --output  folder of the pictures (default docs)
# With PRECIS set to a program, that program makes the pages.
. "$(dirname "$0")/common.sh"

run=$root/runs/quickstart output=$root/docs
while [ $# -gt 0 ]; do
  case $1 in
    --run) run=$(value_of "a folder" "$@"); shift 2 ;;
    --output) output=$(value_of "a folder" "$@"); shift 2 ;;
    *) wrong_use "$1 is not an argument of pictures.sh." ;;
  esac
done
[ -e "$run/best.json" ] || fail "$run holds no finished quickstart; run scripts/quickstart.sh first, or give --run."
build=$root/build
PRECIS=${PRECIS:-$build/bin/precis}
cmake --build "$build" --target page_pictures

pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
"$PRECIS" report "$run" --title "the quickstart" --output "$pages/report.html"
"$PRECIS" label pairs --input "$run/posts_test.jsonl" --samples "$run/test_sft.jsonl,$run/test_ppo.jsonl" \
  --label.policies SFT,PPO --label.mix SFT/PPO=1 --label.pairs 20 --output "$pages/pairs.jsonl"
"$PRECIS" label export --input "$pages/pairs.jsonl" --output "$pages/label.html"
mkdir -p "$output"
"$build/tests/pages/page_pictures" "$pages/report.html" "$pages/label.html" "$output"
for picture in "$output/report.png" "$output/label_page.png"; do
  # Fewer colours, where the tool for it is there, make a picture several times smaller.
  if command -v pngquant > /dev/null; then
    pngquant --force --skip-if-larger --output "$picture" 64 "$picture" || [ $? = 98 ]
  fi
  size=$(stat -c %s "$picture")
  [ "$size" -le 150000 ] || fail "$picture has $size bytes, more than 150,000: install pngquant and run this again."
  echo "$picture: $size bytes"
done
