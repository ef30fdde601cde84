#!/usr/bin/env bash
# Hosts with a network of limited rate, on this one machine, to try programs of MPI over TCP.
#
#   scripts/cluster/hosts.sh up N [RATE]      N hosts behind one switch; RATE as for tc: 1gbit, 10gbit (default: no limit)
#   scripts/cluster/hosts.sh rate RATE        another rate, "none" for no limit
#   scripts/cluster/hosts.sh run openmpi|mpich PROCESSES COMMAND…    a program of MPI; the hosts take turns
#   scripts/cluster/hosts.sh on HOST COMMAND…      a command on a host: on host2 ip addr
#   scripts/cluster/hosts.sh status           what runs, and what went through each port
#   scripts/cluster/hosts.sh down             end all that runs on them, remove them
#
# Each host has a network, a host name (host1, host2, …), an address (10.77.0.1, …), process numbers and shared memory of
# its own, and shares the disk. Both directions of each cable have the rate. FOLDER (default: falcon-hosts in
# the folder for temporary files) keeps what is needed; BURST is how many bytes may pass at once.
# LAUNCHER_OPTIONS are more options of mpirun. Runs as root.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
folder=${FOLDER:-${TMPDIR:-/tmp}/falcon-hosts}
# shellcheck source=scripts/cluster/machines.sh
source "$here/machines.sh"

# The hosts are rooms in one machine, the switch: an agent on one of them can open the door to another.
hosts() { find "$folder" -name 'host*.pid' -printf '%f\n' | sed 's/\.pid$//' | sort -V; }

# inside COMMAND…: a command on the switch.
inside() { (enter switch "$@"); }

# door HOST: the words before a command that let it run on the host, for a process on the switch or on a host.
door() {
    [[ -s $folder/$1.pid ]] || die 66 "no host \"$1\" in $folder"
    door=(nsenter --target "$(<"$folder/$1.pid")" --uts --ipc --net --mount --wdns="$PWD")
}

# on_host HOST COMMAND…
on_host() {
    local door
    door "$1"
    shift
    inside "${door[@]}" "$@"
}

# bytes_of RATE: bytes a second.
bytes_of() {
    case $1 in
        *gbit) awk -v n="${1%gbit}" 'BEGIN { printf "%d", n * 125000000 }' ;;
        *mbit) awk -v n="${1%mbit}" 'BEGIN { printf "%d", n * 125000 }' ;;
        *) die 64 "got a rate of \"$1\", want a number and gbit or mbit, like 1gbit" ;;
    esac
}

# piece_of RATE: bytes that a host hands to the network in one piece: what passes in 64 microseconds, 8,000 to 65,536.
piece_of() {
    local bytes=1000000000
    [[ $1 == none ]] || bytes=$(bytes_of "$1")
    bytes=$((bytes * 64 / 1000000))
    echo $((bytes < 8000 ? 8000 : bytes > 65536 ? 65536 : bytes))
}

# limit on_host HOST|inside INTERFACE RATE: what leaves through the interface.
limit() {
    local rate=${*: -1} interface=${*: -2:1} bytes burst queue
    set -- "${@:1:$#-2}"
    "$@" tc qdisc del dev "$interface" root 2>/dev/null || true
    [[ $rate != none ]] || return 0
    bytes=$(bytes_of "$rate")
    # What may pass at once after a pause: a piece, and what the rate lets through while a timer is late (100
    # microseconds). With more, messages of that length seem faster than the rate; with less, the rate is not reached.
    burst=${BURST:-$(($(piece_of "$rate") + 2000 + bytes / 10000))}
    # What waits in the switch: 5 ms, at least 1 MB.
    queue=$((bytes / 200 > 1000000 ? bytes / 200 : 1000000))
    "$@" tc qdisc add dev "$interface" root tbf rate "$rate" burst "$burst" limit "$queue"
}

set_rate() {
    local name
    [[ $1 == none ]] || bytes_of "$1" >/dev/null
    for name in $(hosts); do
        on_host "$name" ip link set eth0 gso_max_size "$(piece_of "$1")"
        limit on_host "$name" eth0 "$1"
        limit inside "$name" "$1"
    done
}

up() {
    local count=$1 rate=${2:-none} number name
    ((EUID == 0)) || die 77 "only root can make a network"
    [[ $count =~ ^[0-9]+$ ]] && ((count >= 1 && count <= 200)) || die 64 "got \"$count\" hosts, want 1 to 200"
    [[ $rate == none ]] || bytes_of "$rate" >/dev/null
    [[ ! -d $folder ]] || die 73 "there are hosts in $folder already; down ends them"
    command -v ip >/dev/null && command -v tc >/dev/null || install iproute2
    mkdir -p "$folder/log"
    echo "127.0.0.1 localhost" >"$folder/hosts"
    for ((number = 1; number <= count; number++)); do echo "10.77.0.$number host$number" >>"$folder/hosts"; done
    start switch --net 'ip link add bridge type bridge; ip link set bridge up; touch "$2/ready"
        while :; do sleep 3600 & wait; done'
    await "the switch did not start" test -e "$folder/ready"
    for ((number = 1; number <= count; number++)); do
        name=host$number
        enter switch setsid unshare --uts --ipc --net --mount bash -c "$first_lines"'
            ip link set lo up
            echo $$ >"$2/$1.pid"
            exec sleep infinity' machine "$name" "$folder" >"$folder/log/$name.start" 2>&1 </dev/null &
        await "$name did not start" test -s "$folder/$name.pid"
        inside ip link add "$name" type veth peer name eth0 netns "$(<"$folder/$name.pid")"
        inside ip link set "$name" master bridge up
        on_host "$name" ip addr add "10.77.0.$number/24" dev eth0
        on_host "$name" ip link set eth0 up
    done
    set_rate "$rate"
    echo "$me: $count hosts at $rate; $0 down ends them" >&2
}

down() {
    [[ -d $folder ]] || {
        echo "$me: nothing in $folder" >&2
        return 0
    }
    end_machines switch
    rm -rf "$folder"
}

run() {
    local kind=$1 processes=$2 options
    shift 2
    [[ $processes =~ ^[1-9][0-9]*$ ]] || die 64 "got \"$processes\" processes, want a number"
    read -ra options <<<"${LAUNCHER_OPTIONS:-}"
    # What a Slurm or another mpirun outside has set would be believed.
    unset "${!SLURM_@}" "${!PMI_@}" "${!PMIX_@}" "${!OMPI_COMM_@}"
    export FOLDER=$folder
    case $kind in
        openmpi)
            export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
            on_host host1 mpirun.openmpi --mca plm rsh --mca plm_rsh_agent "$here/hosts.sh agent" \
                --mca btl tcp,self,vader --mca pml ob1 --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 \
                --host "$(hosts | sed 's/$/:200/' | paste -sd ,)" --map-by node --bind-to none \
                "${options[@]}" -n "$processes" "$@"
            ;;
        mpich)
            export UCX_NET_DEVICES=eth0
            hosts >"$folder/hostfile"
            printf '#!/bin/bash\nexec "%s" agent "$@"\n' "$here/hosts.sh" >"$folder/agent"
            chmod 755 "$folder/agent"
            on_host host1 mpirun.mpich -launcher ssh -launcher-exec "$folder/agent" -iface eth0 -bind-to none \
                -f "$folder/hostfile" "${options[@]}" -n "$processes" "$@"
            ;;
        *) die 64 "got \"$kind\", want openmpi or mpich" ;;
    esac
}

# agent [-OPTION]… HOST WORD…: what launchers call in place of ssh, on one host for another. As ssh does, it hands the words
# to a shell.
agent() {
    local door
    while [[ ${1:-} == -* ]]; do shift; done
    door "$1"
    shift
    exec "${door[@]}" bash -c "$*"
}

status() {
    local name
    show_machines
    for name in $(hosts); do
        echo "== $name: out, in"
        on_host "$name" tc -s -d qdisc show dev eth0
        inside tc -s -d qdisc show dev "$name"
    done
}

case ${1:-} in
    up) (($# == 2 || $# == 3)) || die 64 "up wants a number of hosts and maybe a rate" && up "${@:2}" ;;
    down) down ;;
    rate) (($# == 2)) || die 64 "rate wants a rate" && set_rate "$2" ;;
    run) (($# >= 4)) || die 64 "run wants openmpi or mpich, a number of processes and a command" && run "${@:2}" ;;
    on) (($# >= 3)) || die 64 "on wants a host and a command" && on_host "${@:2}" ;;
    agent) (($# >= 3)) || die 64 "agent wants a host and a command" && agent "${@:2}" ;;
    status) status ;;
    *) die 64 "got \"${1:-}\", want up, down, rate, run, on or status" ;;
esac
