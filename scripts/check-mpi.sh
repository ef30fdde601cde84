#!/usr/bin/env bash
# Runs ranks under every MPI of this machine, among them some that are killed or stopped: check-mpi.sh [PROGRAM]
set -uo pipefail
cd "$(dirname "$0")/.."
program=$(readlink -f "${1:-.build/release/falcon}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Open MPI asks root, and more ranks than cores, to say that they mean it.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
bad=0

# The processes of the program below a process.
ranks() {
    local child
    for child in $(pgrep -P "$1"); do
        if [[ $(readlink "/proc/$child/exe") == "$program" ]]; then echo "$child"; fi
        ranks "$child"
    done
}

# check NAME STATUS WORDS SIGNAL COMMAND...: what it ends with, within 30 s, after a signal to a rank if any
check() {
    local name=$1 wanted=$2 words=$3 signal=$4 status=0 process running="" rank
    shift 4
    "$@" >"$folder/output" 2>&1 &
    process=$!
    if [[ -n $signal ]]; then
        sleep 2
        running=$(ranks "$process")
        kill "-$signal" "$(sed -n 2p <<<"$running")"
    fi
    (sleep 30 && kill "$process") 2>/dev/null &
    local watch=$!
    wait "$process" || status=$?
    kill "$watch" 2>/dev/null
    wait "$watch" 2>/dev/null
    # A launcher may end a little before the processes that it has killed.
    sleep 1
    for rank in $running; do
        # One that has ended and that nobody has asked about yet has no program.
        if [[ $(readlink "/proc/$rank/exe") == "$program" ]]; then
            status="$status, process $rank left"
        fi
    done
    if [[ $status =~ ^($wanted)$ ]] && grep -q -- "$words" "$folder/output"; then
        echo "ok: $name"
    else
        echo "BAD: $name: status $status, wanted $wanted and \"$words\""
        sed 's/^/    /' "$folder/output"
        bad=1
    fi
}

found=""
for mpi in openmpi mpich; do
    command -v "mpicc.$mpi" >/dev/null && command -v "mpirun.$mpi" >/dev/null || continue
    found="$found $mpi"
    scripts/build-mpi.sh "mpicc.$mpi" "$folder/$mpi.so" || exit
done
if [[ -z $found ]]; then
    echo "no mpirun.openmpi and no mpirun.mpich here (apt-get install openmpi-bin libopenmpi-dev mpich libmpich-dev)" >&2
    exit 69
fi
for mpi in $found; do
    export FALCON_MPI_LIBRARY=$folder/$mpi.so
    start="mpirun.$mpi -n"
    for count in 2 3 8; do
        check "$mpi, $count ranks" 0 "each rank sends and receives" "" \
            $start $count "$program" bench network --megabytes 8
    done
    long=(bench network --megabytes 100000 --silence-limit 3)
    # Open MPI adds 128 to the number of the signal.
    check "$mpi, a rank killed" "9|74|137" "" KILL $start 3 "$program" "${long[@]}"
    check "$mpi, a rank stopped" 74 "rank [012] on .* has failed .*silent for 3.0 s" STOP \
        $start 3 "$program" "${long[@]}"
    for other in $found; do
        if [[ $other != "$mpi" ]]; then
            check "$mpi under mpirun.$other" 69 "this one is alone" "" \
                "mpirun.$other" -n 2 "$program" bench network
        fi
    done
done
exit $bad
