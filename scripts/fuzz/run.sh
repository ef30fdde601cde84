#!/usr/bin/env bash
# Fuzzes the readers of files from elsewhere with libFuzzer; see CONTRIBUTING.md, "Fuzz the readers".
#
#   scripts/fuzz/run.sh [READER...]     the readers that are named, or all
#
# Environment: MINUTES a reader (default 10), SEED (0 for one that differs every time), SWIFT.
# Inputs that crash, take 5 s of processor time or more memory than 64 MiB and 40 bytes a byte of input
# are kept in .build/crashes; `run.sh READER FILE` reads one again.
set -euo pipefail
file=
if [ $# = 2 ] && [ -f "$2" ]; then file=$(realpath "$2"); fi
cd "$(dirname "$0")"

readers=(safetensors shards gguf configuration tokenizer documents parquet mosaic sentencepiece
    folder recipe tasks)
minutes=${MINUTES:-10}
work=$PWD/.build
program=$work/release/fuzz-readers
# Freed blocks above this go back to the system, so that the bound on memory is exact.
export MALLOC_MMAP_THRESHOLD_=131072
# Naming the places of a crash would need more memory than the bound leaves, and lose the input.
export UBSAN_OPTIONS=symbolize=0

"${SWIFT:-swift}" build --configuration release --product fuzz-readers \
    -Xswiftc -sanitize=fuzzer -Xcc -fsanitize=fuzzer-no-link
TMPDIR=$(mktemp -d -p /dev/shm falcon-fuzz-XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

if [ -n "$file" ]; then
    "$program" "$1" -rss_limit_mb=4096 "$file"
    exit
fi
mkdir -p "$work/crashes" "$work/corpus" "$work/seeds"
rm -rf "$work/seeds"/*
"$program" seeds "$PWD/../../Tests" "$work/seeds"
[ $# = 0 ] || readers=("$@")
failed=0
for reader in "${readers[@]}"; do
    mkdir -p "$work/corpus/$reader"
    echo "$reader: $minutes minutes, log in scripts/fuzz/.build/$reader.log"
    status=0
    "$program" "$reader" \
        -max_total_time=$((minutes * 60)) -seed="${SEED:-1}" -max_len=100000 -timeout=60 \
        -rss_limit_mb=2048 -report_slow_units=60 -print_final_stats=1 -dict="$PWD/words.dict" \
        -artifact_prefix="$work/crashes/$reader-" "$work/corpus/$reader" "$work/seeds/$reader" \
        >"$work/$reader.log" 2>&1 || status=$?
    grep -a '^stat::number_of_executed\|^stat::peak_rss_mb\|^slowest input\|DONE' \
        "$work/$reader.log" || true
    if [ $status != 0 ]; then
        failed=1
        grep -a 'Fatal error\|ERROR\|Test unit written' "$work/$reader.log" || true
    fi
done
exit $failed
