#!/usr/bin/env python3
"""Asks launchers what they tell processes, and what they do when one fails or a job is stopped.

    scripts/cluster/slurm.sh up
    scripts/cluster/slurm.sh run scripts/cluster/launchers.py variables
    scripts/cluster/slurm.sh run scripts/cluster/launchers.py faults [--only srun] [--kind exit,kill]
    scripts/cluster/slurm.sh run scripts/cluster/launchers.py stops [--only srun]

Each prints a table in Markdown. Three processes of probe.c run on two nodes, with MPICH and with Open MPI; what is not
installed is left out. Nothing but Python's standard library is needed.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ["exit", "finalize", "kill", "stop", "abort", "all", "all-exit"]

# name, MPI, command; the last three run without Slurm.
LAUNCHERS = [
    ("srun --mpi=pmi2", "mpich", "srun --mpi=pmi2"),
    ("srun --mpi=pmi2 -K1", "mpich", "srun --mpi=pmi2 --kill-on-bad-exit=1"),
    ("srun --mpi=pmi2 -K0 -W5", "mpich", "srun --mpi=pmi2 --kill-on-bad-exit=0 --wait=5"),
    ("srun --mpi=pmix", "openmpi", "srun --mpi=pmix"),
    ("srun --mpi=pmix -K1", "openmpi", "srun --mpi=pmix --kill-on-bad-exit=1"),
    ("srun --mpi=none", "mpich", "srun --mpi=none"),
    ("srun --mpi=pmix", "mpich", "srun --mpi=pmix"),
    ("srun --mpi=none", "openmpi", "srun --mpi=none"),
    ("mpirun in a job", "openmpi", "mpirun.openmpi"),
    ("mpirun in a job", "mpich", "mpirun.mpich"),
    ("mpirun alone", "openmpi", "mpirun.openmpi --oversubscribe -n 3"),
    ("mpirun alone", "mpich", "mpirun.mpich -n 3"),
]
VARIABLES = [
    "SLURM_PROCID", "SLURM_NTASKS", "SLURM_NPROCS", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_STEP_ID",
    "SLURM_STEP_NUM_TASKS", "SLURM_MPI_TYPE", "PMI_RANK", "PMI_SIZE", "PMIX_RANK", "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID",
]  # fmt: skip


class Bench:
    """A folder with the probe built for each MPI, where jobs run."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="falcon-launchers-")
        self.kinds_of_mpi = [kind for kind in ("mpich", "openmpi") if shutil.which("mpicc." + kind)]
        for kind in self.kinds_of_mpi:
            source, program = os.path.join(HERE, "probe.c"), self.probe(kind)
            subprocess.run(["mpicc." + kind, "-O1", "-o", program, source], check=True)
        self.environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        for name in VARIABLES:
            self.environment.pop(name, None)
        self.count = 0

    def probe(self, kind):
        return os.path.join(self.folder, "probe." + kind)

    def place(self):
        """A new folder for one job."""
        self.count += 1
        folder = os.path.join(self.folder, str(self.count))
        os.mkdir(folder)
        return folder

    def call(self, words, **options):
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, **options)

    def resume(self):
        """A node whose processes took long to end is drained; it is wanted again."""
        for node in self.call(["sinfo", "-h", "-N", "-t", "drain", "-o", "%N"]).stdout.split():
            self.call(["scontrol", "update", "nodename=" + node, "state=resume"])

    def submit(self, folder, script, options=()):
        """Hands a script to Slurm; its number."""
        self.resume()
        path = os.path.join(folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/bash\n" + script)
        words = ["sbatch", "--parsable", "-N2", "-n3", "-o", folder + "/output", "--open-mode=append"]
        done = self.call(words + list(options) + [path])
        if done.returncode:
            sys.exit(f"sbatch: {done.stderr.strip()}")
        return done.stdout.strip()

    def job(self, number):
        """What Slurm says about a job."""
        return dict(re.findall(r"(\w+)=(\S*)", self.call(["scontrol", "show", "job", number]).stdout))

    def processes(self, folder):
        """The processes of the probe that run with this folder."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"probe." in words[0] and folder.encode() in words:
                found.append(int(name))
        return found


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def wait_until(condition, seconds):
    """Whether a condition came true in time."""
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def row(cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(cells):
    row(cells)
    print("|" + "---|" * len(cells), flush=True)


def signals(folder, start):
    """The signals that each process noted: "TERM +0.0" and seconds until it was gone."""
    said = []
    for rank in sorted(name for name in os.listdir(folder) if name.isdigit()):
        path = os.path.join(folder, rank)
        lines = [line.split() for line in read(path).splitlines()]
        notes = [
            f"{signal.Signals(int(line[2])).name[3:]} +{float(line[0]) - start:.1f}"
            for line in lines
            if line[1] == "signal"
        ]
        notes.append(f"end +{os.path.getmtime(path) - start:.1f}")
        said.append(f"{rank}: " + ", ".join(notes))
    return "; ".join(said)


def start_of_fault(folder):
    """When the last process failed, or half a second after all began; 0.5 if none did."""
    text = "\n".join(read(os.path.join(folder, name)) for name in os.listdir(folder) if name.isdigit())
    lines = [line.split() for line in text.splitlines() if line]
    moments = [float(line[0]) for line in lines if line[1] in KINDS]
    return moments[0] if moments else max([float(line[0]) for line in lines if line[1] == "begin"], default=0) + 0.5


def run_fault(bench, launcher, kind, patience):
    name, mpi, command = launcher
    folder = bench.place()
    line = f"{command} {bench.probe(mpi)} fault {kind} {folder}"
    status = os.path.join(folder, "status")
    number, alone, state = None, None, ""
    if "alone" in name:
        script = f'{line} >"{folder}/output" 2>&1; echo $? $(date +%s.%N) >"{status}"'
        alone = subprocess.Popen(["bash", "-c", script], env=bench.environment, start_new_session=True)
    else:
        script = f'{line}\ncode=$?\necho $code $(date +%s.%N) >"{status}"\nexit $code\n'
        number = bench.submit(folder, script)
    ended = wait_until(lambda: read(status).endswith("\n"), patience)
    start = start_of_fault(folder)
    gone = wait_until(lambda: not bench.processes(folder), 8 if ended else 0)
    left = "" if gone else f"{len(bench.processes(folder))} left"
    took = f"{float(read(status).split()[1]) - start:.1f}" if ended else f"> {patience:.0f}"
    if start < 1000:
        took = "did not begin"
    said = signals(folder, start)
    if number:
        if not ended:
            bench.call(["scancel", number])
        wait_until(lambda: bench.job(number).get("JobState") not in ("RUNNING", "COMPLETING"), 20)
        found = bench.job(number)
        state = f"{found.get('JobState')} {found.get('ExitCode')}" if ended else "(cancelled by us)"
    elif not ended:
        os.killpg(alone.pid, signal.SIGKILL)
    for process in bench.processes(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    if alone:
        alone.wait()
    code = read(status).split()[0] if ended else "hangs"
    row([name, mpi, kind, code, took, state, left or said])


def faults(bench, options):
    head(["launcher", "MPI", "the last of 3", "status", "seconds", "job", "others: signals, and seconds until the end"])
    for kind in options.kind.split(","):
        for launcher in chosen(bench, options):
            run_fault(bench, launcher, kind, options.patience)


def chosen(bench, options):
    return [
        launcher
        for launcher in LAUNCHERS
        if launcher[1] in bench.kinds_of_mpi and re.search(options.only, launcher[0] + " " + launcher[1])
    ]


def variables(bench, options):
    """What a batch script, salloc's shell and the processes of each launcher see."""
    columns = []
    folder = bench.place()
    number = bench.submit(folder, "env\n")
    wait_until(lambda: bench.job(number).get("JobState") == "COMPLETED", 20)
    columns.append(("the script of sbatch", "", [dict(re.findall(r"(?m)^(\w+)=(.*)", read(folder + "/output")))]))
    text = bench.call(["salloc", "-N2", "-n3", "env"]).stdout
    columns.append(("the shell of salloc", "", [dict(re.findall(r"(?m)^(\w+)=(.*)", text))]))
    for name, mpi, command in chosen(bench, options):
        if "-K" in name:  # tells the same as without
            continue
        folder = bench.place()
        line = f"{command} {bench.probe(mpi)} variables"
        if "alone" in name:
            text = bench.call(line.split()).stdout
        else:
            number = bench.submit(folder, line + "\n")
            if not wait_until(lambda: bench.job(number).get("JobState") in ("COMPLETED", "FAILED"), 30):
                bench.call(["scancel", number])
            text = read(folder + "/output")
        found = []
        for rank, size, rest in re.findall(r"(?m)^rank (\d+) of (\d+) on \S*:(.*)", text):
            found.append(dict(re.findall(r"(\w+)=(\S*)", rest), MPI=f"{rank} of {size}"))
        columns.append((name, mpi, sorted(found, key=lambda values: values["MPI"])))
    names = ["MPI"] + VARIABLES
    head(["variable"] + [f"{name} {mpi}".strip() for name, mpi, _ in columns])
    for variable in names:
        cells = []
        for _, _, processes in columns:
            values = [values.get(variable, "-") for values in processes]
            cells.append(values[0] if len(set(values)) == 1 else ", ".join(values))
        row([variable] + cells)


STOPS = [
    ("scancel", [["scancel", "JOB"]], []),
    ("scancel --full (script too)", [["scancel", "--full", "JOB"]], []),
    ("scancel --signal=TERM", [["scancel", "--signal=TERM", "JOB"]], []),
    ("scancel --signal=USR1 --batch", [["scancel", "--signal=USR1", "--batch", "JOB"]], []),
    ("scancel --signal=USR1 --full", [["scancel", "--signal=USR1", "--full", "JOB"]], []),
    ("scontrol requeue", [["scontrol", "requeue", "JOB"]], []),
    ("--time=1 (limit)", [], ["--time=1"]),
    ("--time=1 --signal=USR1@50", [], ["--time=1", "--signal=USR1@50"]),
    ("--time=1 --signal=B:USR1@50", [], ["--time=1", "--signal=B:USR1@50"]),
]


def run_stop(bench, launcher, stop):
    """One job that only waits, and is stopped from outside or by its time limit."""
    name, mpi, command = launcher
    title, commands, options = stop
    folder = bench.place()
    script = f"""
note() {{ echo $EPOCHREALTIME $1 >>"{folder}/script.signals"; }}
for name in HUP INT USR1 USR2 TERM CONT; do trap "note $name" $name; done
echo ${{SLURM_RESTART_COUNT:-0}} >>"{folder}/starts"
if [[ ${{SLURM_RESTART_COUNT:-0}} != 0 ]]; then exit 0; fi
{command} {bench.probe(mpi)} fault none {folder} &
child=$!
code=129
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
echo $code $EPOCHREALTIME >"{folder}/status"
exit $code
"""
    number = bench.submit(folder, script, options)
    for _ in range(4):
        if wait_until(lambda: len([name for name in os.listdir(folder) if name.isdigit()]) >= 3, 30):
            break
        bench.resume()
    time.sleep(1)
    start = time.time()
    for words in commands:
        bench.call([word.replace("JOB", number) for word in words])
    limit = 150 if options else 25
    gone = wait_until(lambda: not bench.processes(folder), limit)
    said = signals(folder, start)
    script_signals = [line.split() for line in read(folder + "/script.signals").splitlines()]
    script_said = ", ".join(f"{line[1]} +{float(line[0]) - start:.1f}" for line in script_signals)
    time.sleep(1)
    found = bench.job(number)
    state = f"{found.get('JobState')} {found.get('ExitCode')} {found.get('Reason')}"
    status = read(folder + "/status").split()
    if not gone:
        bench.call(["scancel", number])
        wait_until(lambda: not bench.processes(folder), 20)
    if "requeue" in title:
        wait_until(lambda: bench.job(number).get("JobState") == "COMPLETED", 180)
        state += f", later {bench.job(number).get('JobState')}, restarts {bench.job(number).get('Restarts')}"
    ended = f"{status[0]} +{float(status[1]) - start:.1f}" if status else "-"
    row([title, name, mpi, state, script_said or "-", ended, said + ("" if gone else " (runs on)")])


def stops(bench, options):
    head(["what", "launcher", "MPI", "job 1 s later", "signals of the script", "launcher's status", "processes"])
    for stop in STOPS:
        if not re.search(options.stop, stop[0]):
            continue
        for launcher in chosen(bench, options):
            if "alone" not in launcher[0] and "-K" not in launcher[0]:
                run_stop(bench, launcher, stop)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["variables", "faults", "stops"])
    parser.add_argument("--only", default="", help="launchers that match this pattern")
    parser.add_argument("--kind", default=",".join(KINDS), help="kinds of faults")
    parser.add_argument("--stop", default="", help="ways to stop that match this pattern")
    parser.add_argument("--patience", type=float, default=15, help="seconds after which a job hangs")
    parser.add_argument("--keep", action="store_true", help="leave the folder of what was run")
    options = parser.parse_args()
    if not os.environ.get("SLURM_CONF"):
        sys.exit("no SLURM_CONF; start this with slurm.sh run")
    bench = Bench()
    {"variables": variables, "faults": faults, "stops": stops}[options.what](bench, options)
    if options.keep:
        print(bench.folder, file=sys.stderr)
    else:
        shutil.rmtree(bench.folder)


if __name__ == "__main__":
    main()
