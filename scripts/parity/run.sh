#!/usr/bin/env bash
# Compares a falcon model with what it exported, in Hugging Face transformers and
# lm-evaluation-harness: weights, logits, greedy text, token ids, tasks. Then trains small models with
# learnable multipliers on the demo's shards and compares what folding them at export makes. Then GGUF files
# of every type in llama.cpp, and the published model SmolLM2-135M-Instruct in both.
#
#   scripts/parity/run.sh [--hf FOLDER] [--model RUN] [--text PATH] [--falcon PROGRAM]
#                         [--tasks FOLDER --names TASKS] [--shards FOLDER] [--mamba RUN] [--wikitext FILE] [--characters NUMBER]
#                         [--launcher "mpirun --oversubscribe"]
#
# Gradients of several ranks are checked if `make mpi` has put its library beside the program.
# The Python packages go to .venv-parity in the repository (PYTHON names the interpreter to use);
# they are installed when requirements.txt changes. Ends with status 1 if any check fails.
set -euo pipefail

root="$(cd "$(dirname "$0")/../.." && pwd)"
hf="$root/demo/hf"
model="$root/demo/run"
falcon="$root/.build/release/falcon"
tasks=
names=hellaswag
shards="$root/demo/shards"
mamba=
wikitext=
characters=0
launcher=mpirun
text=("$root/demo/text" "$root/Tests/EvalTests/Fixtures/hellaswag-200.jsonl")

while [ $# -gt 0 ]; do
    if [ $# -lt 2 ]; then
        echo "run.sh: $1 needs a value" >&2
        exit 64
    fi
    case "$1" in
        --hf) hf="$2" ;;
        --model) model="$2" ;;
        --text) text=("$2") ;;
        --falcon) falcon="$2" ;;
        --tasks) tasks="$(realpath "$2")" ;;
        --names) names="$2" ;;
        --shards) shards="$2" ;;
        --mamba) mamba="$(realpath "$2")" ;;
        --wikitext) wikitext="$(realpath "$2")" ;;
        --characters) characters="$2" ;;
        --launcher) launcher="$2" ;;
        *) echo "run.sh: unknown option $1" >&2; exit 64 ;;
    esac
    shift 2
done

for path in "$hf" "$model" "$falcon" "$shards"; do
    if [ ! -e "$path" ]; then
        echo "run.sh: $path is missing; build falcon, run the demo, or name another with an option" >&2
        exit 66
    fi
done

for name in hf model falcon shards; do
    printf -v "$name" %s "$(realpath "${!name}")"
done

venv="$root/.venv-parity"
requirements="$root/scripts/parity/requirements.txt"
mosaic="$root/scripts/parity/requirements-mosaic.txt"
if ! cat "$requirements" "$mosaic" | cmp -s - "$venv/installed.txt"; then
    echo "installing the Python packages into $venv" >&2
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement "$requirements"
    "$venv/bin/pip" install --quiet --no-deps --requirement "$mosaic"
    cat "$requirements" "$mosaic" >"$venv/installed.txt"
fi

python="$venv/bin/python"
common=(--falcon "$falcon" --hf "$hf" --model "$model")
texts=()
for path in "${text[@]}"; do
    [ ! -e "$path" ] || texts+=(--text "$path")
done

failed=0
cd "$root/scripts/parity"
"$python" check_weights.py "${common[@]}" || failed=1
"$python" check_logits.py "${common[@]}" || failed=1
"$python" check_generation.py "${common[@]}" || failed=1
"$python" check_tokenizer.py "${common[@]}" "${texts[@]}" || failed=1
"$python" check_conversion.py --falcon "$falcon" --shards "$shards" || failed=1
"$python" check_training.py --falcon "$falcon" "${texts[@]}" || failed=1
"$python" check_tasks.py "${common[@]}" ${tasks:+--data "$tasks" --tasks "$names"} || failed=1
"$python" check_multipliers.py --falcon "$falcon" --shards "$shards" || failed=1
if [ -e "$(dirname "$falcon")/libfalcon-mpi.so" ]; then
    "$python" check_ranks.py --falcon "$falcon" --launcher "$launcher" || failed=1
else
    echo "ranks: left out, there is no libfalcon-mpi.so beside $falcon (make mpi)"
fi
"$python" check_llama.py "${common[@]}" "${texts[@]}" --shards "$shards" \
    ${mamba:+--mamba "$mamba"} || failed=1
"$python" check_smollm.py --falcon "$falcon" "${texts[@]}" --characters "$characters" \
    ${wikitext:+--wikitext "$wikitext"} || failed=1
if [ "$failed" = 0 ]; then echo "parity: all checks passed"; else echo "parity: FAILED"; fi
exit "$failed"
