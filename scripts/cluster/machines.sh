# Machines that are not there: groups of processes with a host name, process numbers, shared memory and, if wanted, a
# network of their own. slurm.sh and hosts.sh read this file; $folder, where they keep everything, is theirs.
# shellcheck shell=bash

me=$(basename "$0" .sh)

# die STATUS MESSAGE
die() {
    echo "$me: $2" >&2
    exit "$1"
}

# What the first shell of a machine does: $1 is its name, $2 is $folder. Programs that share memory take processes with
# one boot_id for processes of one machine.
# shellcheck disable=SC2016
first_lines='
    set -e
    hostname "$1"
    mount -t tmpfs tmpfs /dev/shm
    cat /proc/sys/kernel/random/uuid >"$2/$1.boot_id"
    mount --bind "$2/$1.boot_id" /proc/sys/kernel/random/boot_id
    mount --bind "$2/hosts" /etc/hosts
    '

# start NAME OPTIONS SCRIPT: a machine; OPTIONS are more of unshare's, SCRIPT is more for its first shell.
start() {
    # Process 1 buries what is left over, and all processes of the machine end with it.
    # shellcheck disable=SC2086
    setsid unshare --uts --ipc --pid $2 --fork --kill-child --mount-proc bash -c "$first_lines$3" \
        machine "$1" "$folder" >"$folder/log/$1.start" 2>&1 </dev/null &
    echo $! >"$folder/$1.process"
}

# is_running FILE: whether the process whose number FILE holds is one that `start` has started.
is_running() {
    local process
    process=$(cat "$1" 2>/dev/null) && [[ -n $process ]] || return 1
    grep -qzxF -- "$folder" "/proc/$process/cmdline" 2>/dev/null
}

# await WHAT COMMAND…: until COMMAND succeeds, at most half a minute.
await() {
    local what=$1 tries
    shift
    for ((tries = 0; tries < 300; tries++)); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    die 69 "$what within 30 s; see $folder/log"
}

# process_of NAME: process 1 of a machine, as it is called from outside.
process_of() {
    is_running "$folder/$1.process" || die 66 "no machine \"$1\" is running in $folder"
    pgrep -P "$(<"$folder/$1.process")" | head -n 1
}

# enter NAME COMMAND…: in place of this shell, a command on a machine.
enter() {
    local process
    process=$(process_of "$1")
    shift
    exec nsenter --target "$process" --all --wdns="$PWD" "$@"
}

# end_machines NAME…: ends them with all that runs on them.
end_machines() {
    local name tries
    for name in "$@"; do
        is_running "$folder/$name.process" || continue
        kill -KILL "$(<"$folder/$name.process")"
        for ((tries = 0; tries < 100; tries++)); do
            is_running "$folder/$name.process" || break
            sleep 0.05
        done
    done
}

# machines: the names of those that were started.
machines() {
    find "$folder" -maxdepth 1 -name '*.process' -printf '%f\n' | sed 's/\.process$//' | sort -V
}

show_machines() {
    local name
    [[ -d $folder ]] || die 69 "nothing is running in $folder; start it with up"
    for name in $(machines); do
        if is_running "$folder/$name.process"; then echo "running  $name"; else echo "ended    $name"; fi
    done
}

# install PACKAGE…: installs those that dpkg misses, without starting any daemon of the system's own.
install() {
    local missing=() policy=/usr/sbin/policy-rc.d package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    echo "$me: installing ${missing[*]}" >&2
    [[ ! -e $policy ]] || policy=
    if [[ -n $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        # shellcheck disable=SC2064
        trap "rm -f '$policy'" EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    if [[ -n $policy ]]; then
        rm -f "$policy"
        trap - EXIT
    fi
}
