#!/usr/bin/env bash
# A real Slurm of two nodes on this one machine, to try job scripts and launchers.
#
#   scripts/cluster/slurm.sh up             install what is missing, start, wait until the nodes are idle
#   scripts/cluster/slurm.sh status         nodes, jobs, daemons
#   scripts/cluster/slurm.sh run COMMAND…   a command that talks to it: run srun -N2 -n2 hostname
#   scripts/cluster/slurm.sh on NODE COMMAND…   a command on a node: on node2 ps aux
#   scripts/cluster/slurm.sh env            print what a shell needs: eval "$(scripts/cluster/slurm.sh env)"
#   scripts/cluster/slurm.sh down           end it with all its jobs, remove its files
#
# Each node is a slurmd with a host name, process numbers and spool folder of its own; disk and network are shared.
# FOLDER (default: falcon-slurm in the folder for temporary files) holds everything. NODES (2) and CPUS (2)
# count nodes and the CPUs that each claims to have; KILL_WAIT (5) are the seconds between SIGTERM and SIGKILL,
# REQUEUE_WAIT (5) those before a requeued job begins again; SETTINGS are further lines of slurm.conf. Runs as root, on Debian 12.
set -euo pipefail
export LC_ALL=C

folder=${FOLDER:-${TMPDIR:-/tmp}/falcon-slurm}
nodes=${NODES:-2}
cpus=${CPUS:-2}
kill_wait=${KILL_WAIT:-5}
requeue_wait=${REQUEUE_WAIT:-5}
first_port=${PORT:-17000}

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/cluster/machines.sh
source "$here/machines.sh"

write_configuration() {
    local node
    cat <<END
ClusterName=falcon
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmctldPort=$first_port
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=$requeue_wait
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
TmpFS=$folder/tmp/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
ReturnToService=2
JobRequeue=1
KillWait=$kill_wait
MaxArraySize=1001
END
    for ((node = 1; node <= nodes; node++)); do
        echo "NodeName=node$node NodeHostname=node$node NodeAddr=127.0.0.1 Port=$((first_port + node))" \
            "CPUs=$cpus RealMemory=1000 State=UNKNOWN"
    done
    echo "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
    printf '%s\n' "${SETTINGS:-}"
}

are_idle() { [[ $(sinfo -h -N -t idle -o %N | sort -u | wc -l) == "$nodes" ]]; }

up() {
    local node
    ((EUID == 0)) || die 77 "only root can give a node a name of its own"
    ! is_running "$folder/controller.process" || die 73 "it is running in $folder already; down ends it"
    # What an attempt that failed has left.
    [[ ! -d $folder ]] || down
    # Slurm opens libpmix.so, a link that only libpmix-dev has.
    install slurm-wlm munge libpmix-dev
    mkdir -p "$folder"/{munge,state,spool,tmp,log}
    chmod 755 "$folder" "$folder/munge"
    (umask 077 && head -c 1024 /dev/urandom >"$folder/key")
    write_configuration >"$folder/slurm.conf"
    {
        cat /etc/hosts
        for ((node = 1; node <= nodes; node++)); do echo "127.0.0.1 node$node"; done
        echo "127.0.0.1 controller"
    } >"$folder/hosts"
    # A folder for temporary files may be writable by all, which munged only accepts by force.
    start controller '' '
        munged --force --foreground --key-file="$2/key" --socket="$2/munge/socket" --pid-file="$2/munge/pid" \
            --log-file="$2/log/munged" --seed-file="$2/munge/seed" &
        until [[ -S $2/munge/socket ]]; do sleep 0.05; done
        slurmctld -D -f "$2/slurm.conf" &
        wait'
    await "munged did not start" test -S "$folder/munge/socket"
    for ((node = 1; node <= nodes; node++)); do
        mkdir -p "$folder"/{spool,tmp}/"node$node"
        start "node$node" '' 'slurmd -D -N "$1" -f "$2/slurm.conf" & wait'
    done
    await "the nodes were not idle" are_idle
    echo "slurm: $nodes nodes of $cpus CPUs; eval \"\$($0 env)\" lets a shell use them" >&2
}

down() {
    [[ -d $folder ]] || {
        echo "slurm: nothing in $folder" >&2
        return 0
    }
    # The controller goes first: it would call the nodes lost.
    # shellcheck disable=SC2046
    end_machines controller $(machines)
    rm -rf "$folder"
}

status() {
    show_machines
    sinfo -N -l
    squeue -l
}

export SLURM_CONF=$folder/slurm.conf
case ${1:-} in
    up) up ;;
    down) down ;;
    status) status ;;
    env) echo "export SLURM_CONF=$SLURM_CONF" ;;
    run)
        (($# > 1)) || die 64 "run wants a command"
        shift
        # mpirun of salloc's shell calls the nodes by their names.
        exec unshare --mount bash -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' run "$folder/hosts" "$@"
        ;;
    on)
        (($# > 2)) || die 64 "on wants a node and a command"
        enter "${@:2}"
        ;;
    *) die 64 "got \"${1:-}\", want up, down, status, run, on or env" ;;
esac
