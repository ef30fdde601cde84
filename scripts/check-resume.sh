#!/usr/bin/env bash
# Proves that a run killed with SIGKILL and resumed ends with the same bytes as one left alone.
#
#   scripts/check-resume.sh [SEED]      SEED decides the moments; without it, the clock does
#
# A tiny model is trained once to the end, then again while three kills fall on it: one at a random
# moment, one while a checkpoint is being written, one at a random moment after that. The SHA-256
# of every file of the last checkpoint is compared. FALCON names the program to test.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
falcon=${FALCON:-$root/.build/release/falcon}
[[ -x $falcon ]] || { echo "check-resume: no program at $falcon; run make build" >&2; exit 66; }
seed=${1:-$((EPOCHSECONDS % 100000))}
RANDOM=$seed
echo "seed $seed"

work=$(mktemp -d)
child=
cleanup() {
    [[ -z $child ]] || kill -KILL "$child" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

words=(the of a union state law people and in to war peace year tax bank land)
for ((document = 0; document < 40; document++)); do
    for ((word = 0; word < 90; word++)); do
        printf '%s ' "${words[(word * word + 3 * document + word / 7) % 16]}"
    done >"text-$document.txt"
done
cat >tiny.yaml <<'YAML'
name: tiny
data: {path: shards, sequence_length: 24}
schedule: {warmup_tokens: 960, decay_tokens: 9600}
train: {steps: 600, batch_tokens: 96, micro_batch_sequences: 2}
checkpoint: {every_steps: 20, keep_last: 2}
evaluation: {every_steps: 50, tokens: 200}
model:
  vocab_size: 300
  hidden_size: 32
  num_hidden_layers: 2
  intermediate_size: 48
  num_attention_heads: 2
  num_key_value_heads: 1
  head_dim: 16
  mamba_d_ssm: 64
  mamba_n_heads: 4
  mamba_d_head: 16
  mamba_d_state: 16
  mamba_chunk_size: 8
  max_position_embeddings: 64
  tie_word_embeddings: true
YAML
"$falcon" tokenizer train --input text-*.txt --vocab-size 300 --output tok.model --quiet >/dev/null
"$falcon" tokenize --tokenizer tok.model --output shards --validation-fraction 0.1 --quiet \
    text-*.txt >/dev/null

start=$EPOCHREALTIME
"$falcon" pretrain --recipe tiny.yaml --run whole --quiet >/dev/null
milliseconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%d", 1000 * (b - a) }')
echo "uninterrupted: 600 steps in $milliseconds ms"

saves() { find killed/checkpoints -maxdepth 1 -name "$1" 2>/dev/null; }
steps() { tail -n 1 killed/metrics.jsonl 2>/dev/null | sed -n 's/.*"step":\([0-9]*\).*/\1/p'; }

# kill_run HOW: starts or resumes the run and kills it; fails if it ended before.
kill_run() {
    local milliseconds_left
    "$falcon" pretrain --recipe tiny.yaml --run killed --quiet --resume >/dev/null &
    child=$!
    if [[ $1 == saving ]]; then
        # Wait until a folder that is being written is there.
        while kill -0 "$child" 2>/dev/null && [[ -z $(saves 'step-????????.partial') ]]; do :; done
    else
        milliseconds_left=$((RANDOM % (milliseconds / 4) + 20))
        sleep "$(awk -v ms="$milliseconds_left" 'BEGIN { printf "%.3f", ms / 1000 }')"
    fi
    kill -KILL "$child" 2>/dev/null || true
    local status=0
    wait "$child" 2>/dev/null || status=$?
    child=
    echo "killed ($1): status $status at step $(steps), left: $(
        find killed/checkpoints -mindepth 1 -maxdepth 1 -printf '%f ' 2>/dev/null)"
    [[ $status == 137 ]] || { echo "check-resume: the run ended before the kill" >&2; exit 1; }
}

kill_run random
kill_run saving
kill_run random
"$falcon" pretrain --recipe tiny.yaml --run killed --quiet --resume >/dev/null

last=checkpoints/step-00000600
(cd "whole/$last" && sha256sum -- *) >whole.sha256
(cd "killed/$last" && sha256sum -- *) >killed.sha256
if [[ -n $(find killed -name '*.partial*') ]]; then
    echo "check-resume: something unfinished was left in the run" >&2
    exit 1
fi
if ! diff whole.sha256 killed.sha256; then
    echo "check-resume: the resumed run differs" >&2
    exit 1
fi
cat killed.sha256
echo "the same bytes after three kills"
