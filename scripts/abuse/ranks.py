#!/usr/bin/env python3
"""Trains on several ranks and kills, stops, misleads and starves some of them.

    scripts/abuse/ranks.py --count 100 --seed 1 [--mpi openmpi,mpich] [--kind kills,faults]

`kills`: a rank that chance chooses is killed (SIGKILL) at a moment that chance chooses, once to three times, each
time resumed with another number of ranks; in the end the checkpoint has the bits of one undisturbed process, and
no process is left. `faults`: what each trouble says, with which status, and how long until all have ended.
Wants mpirun.openmpi and mpicc.openmpi, or those of mpich (apt-get install libopenmpi-dev openmpi-bin, libmpich-dev
mpich). Some faults need root.
"""

import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from common import ROOT, arguments, build_faults, chosen, safe_fingerprint, unfinished, workplace, write

RECIPE = """extends: tiny.yaml
name: ranks
train: {steps: 24, batch_tokens: 1152, leaves: 24, batch_ramp: {start_tokens: 192, tokens: 9000}}
optimizer: {kind: muon}
parametrization: {kind: learnable}
checkpoint: {every_steps: 4, keep_last: 2}
evaluation: {every_steps: 8, tokens: 200}
"""
COUNTS = [1, 2, 3, 4, 6, 8]
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
}


def processes(program, top):
    """The processes that run the program now, in a folder below another."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                place = os.readlink(f"/proc/{name}/cwd") + "/"
                if os.readlink(f"/proc/{name}/exe") == program and place.startswith(top + "/"):
                    found.append(int(name))
            except OSError:
                pass
    return sorted(found)


class Launch:
    """One MPI of this machine: its mpirun, and the library that lets falcon use it."""

    def __init__(self, mpi, folder, program):
        self.mpi, self.program, self.top = mpi, os.path.realpath(program), os.path.realpath(folder)
        self.library = os.path.join(folder, mpi + ".so")
        subprocess.run([os.path.join(ROOT, "scripts", "build-mpi.sh"), "mpicc." + mpi, self.library],
                       check=True, stdout=subprocess.DEVNULL)
        self.environment = {**os.environ, **ENVIRONMENT, "FALCON_MPI_LIBRARY": self.library}

    def running(self):
        return processes(self.program, self.top)

    def start(self, count, words, folder, wrapper=(), environment=None, mpi=None):
        """mpirun with so many ranks of falcon; each behind a wrapper, if there is one."""
        line = ["mpirun." + (mpi or self.mpi), "-n", str(count), *wrapper, self.program, *words]
        errors = tempfile.TemporaryFile()
        process = subprocess.Popen(
            line, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            env={**self.environment, **(environment or {})})
        return process, errors

    def finish(self, process, errors, timeout=90):
        """(status, seconds, what was said, processes that are left)"""
        begin = time.monotonic()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for left in self.running():
                os.kill(left, signal.SIGKILL)
            return "hung", timeout, "", []
        while self.running() and time.monotonic() - begin < timeout:
            time.sleep(0.01)
        seconds = time.monotonic() - begin
        errors.seek(0)
        text = errors.read().decode("utf-8", "replace")
        errors.close()
        return process.returncode, seconds, text, self.running()


WORDS = ["pretrain", "--recipe", "ranks.yaml", "--run", "OUT", "--resume", "--quiet", "--threads", "1",
         "--rank-silence", "5"]


def kills(launches, place, options):
    """100 times the same bits, whatever is killed."""
    reference = place.copy()
    place.program.need([*WORDS[:-2]], reference)
    wanted = safe_fingerprint("run", os.path.join(reference, "OUT"))
    times, bad, hits = [], 0, 0
    for number in range(options.count):
        random_ = random.Random(f"{options.seed}-{number}")
        launch = launches[number % len(launches)]
        folder = place.copy()
        story = []
        for _ in range(random_.choice([1, 1, 2, 3])):
            count = random_.choice(COUNTS[1:])
            process, errors = launch.start(count, WORDS, folder)
            time.sleep(random_.uniform(0.3, 0.4 + 0.5 * count))
            running = launch.running()
            if running and process.poll() is None:
                try:
                    os.kill(random_.choice(running), signal.SIGKILL)
                    hits += 1
                except ProcessLookupError:
                    pass
            status, seconds, text, left = launch.finish(process, errors)
            times.append(seconds)
            story.append(f"{count} ranks: {status}")
            if left or status == "hung":
                bad += 1
                print(f"{options.seed}-{number}: {story}, left {left}: {text[-300:]}")
        count = random_.choice(COUNTS)
        process, errors = launch.start(count, WORDS, folder)
        status, _, text, left = launch.finish(process, errors, timeout=180)
        got = safe_fingerprint("run", os.path.join(folder, "OUT"))
        if status != 0 or got != wanted or left or unfinished(os.path.join(folder, "OUT")):
            bad += 1
            print(f"{options.seed}-{number}: {story}, then {count} ranks: {status}, "
                  f"{'other bits' if got != wanted else 'the bits'}, left {left}: {text[-400:]}")
        else:
            shutil.rmtree(folder)
    print(f"{hits} kills hit in {options.count} trials, {bad} of these went wrong; until all had ended: "
          f"median {statistics.median(times):.1f} s, at most {max(times):.1f} s")
    return bad


def of_rank(number, then):
    """A wrapper that does something else for one rank: its words replace those of the others."""
    rank = "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}"
    return ["sh", "-c", f'if [ "{rank}" = {number} ]; then {then}; fi; exec "$@"', "sh"]


def faults(launches, place, options):
    """What each trouble says."""
    library = build_faults(place.top)
    bad = 0
    for launch in launches:
        other = "mpich" if launch.mpi == "openmpi" else "openmpi"

        def trial(name, wanted, said, *, count=3, words=WORDS, wrapper=(), environment=None, mpi=None, act=None,
                  prepare=None):
            nonlocal bad
            folder = place.copy()
            if prepare:
                prepare(folder)
            process, errors = launch.start(count, words, folder, wrapper, environment, mpi)
            if act:
                while len(launch.running()) < count and process.poll() is None:
                    time.sleep(0.05)
                time.sleep(1.5)
                act(launch.running(), folder)
            status, seconds, text, left = launch.finish(process, errors)
            lines = [line for line in text.splitlines() if "falcon:" in line or "rank " in line]
            is_right = str(status) in wanted.split("|") and said in text and not left
            bad += not is_right
            print(f"{'ok ' if is_right else 'BAD'} {launch.mpi} {name}: status {status}, {seconds:.1f} s until all had ended"
                  + (f", left {left}" if left else ""))
            for line in (lines or text.splitlines())[: 4 if is_right else 12]:
                print("      " + line[:230])
            shutil.rmtree(folder, ignore_errors=True)

        long = [word.replace("ranks.yaml", "long.yaml") for word in WORDS]
        saved = lambda folder: place.program.run([*long[:-2], "--until-tokens", "9000"], folder)  # noqa: E731
        last = lambda running: running[-1]  # noqa: E731
        trial("a rank is killed", "137|9|6|75", "", words=long, prepare=saved,
              act=lambda running, _: os.kill(last(running), signal.SIGKILL))
        trial("a rank is stopped (SIGSTOP)", "75", "the save of step", words=long, prepare=saved,
              act=lambda running, _: os.kill(last(running), signal.SIGSTOP))
        trial("SIGTERM at one rank", "75", "", words=long,
              act=lambda running, _: os.kill(last(running), signal.SIGTERM))

        def save_and_stop(running, folder):
            os.kill(last(running), signal.SIGUSR1)
            time.sleep(1.5)
            names = os.listdir(os.path.join(folder, "OUT", "checkpoints"))
            print(f"      after SIGUSR1: {sorted(names)}")
            os.kill(running[0], signal.SIGINT)

        trial("SIGUSR1 at one rank, then SIGINT at another", "75", "",
              words=[*long, "--set", "checkpoint.every_steps=100000"], act=save_and_stop)
        trial("no room on the disk of one rank", "74", "No space left",
              wrapper=of_rank(1, f"export LD_PRELOAD={library} FAULT_BYTES=30000 FAULT_IN=/OUT/"))

        def damage(folder):
            shutil.copytree(os.path.join(folder, "shards"), os.path.join(folder, "damaged"))
            name = next(n for n in sorted(os.listdir(os.path.join(folder, "damaged"))) if n.startswith("train"))
            with open(os.path.join(folder, "damaged", name), "r+b") as file:
                file.seek(60)
                byte = file.read(1)
                file.seek(60)
                file.write(bytes([byte[0] ^ 0x55]))

        trial("a damaged shard at one rank", "65", "rank 1 on", prepare=damage,
              wrapper=["unshare", "-m", *of_rank(1, "mount --bind damaged shards")])
        trial("another recipe at one rank", "78", "the recipe: ", wrapper=of_rank(
            1, 'set -- "$@" --set optimizer.learning_rate=0.1'))
        trial("more ranks than leaves", "78", "there are 3 ranks", words=[*WORDS, "--set", "train.leaves=2"])
        trial("no library to MPI", "69", "make mpi", environment={"FALCON_MPI_LIBRARY": "/nowhere/libfalcon-mpi.so"})
        if shutil.which("mpirun." + other):
            trial("the mpirun of another MPI", "69", "this one is alone", mpi=other)
    return bad


def main():
    options = arguments(__doc__.split("\n")[0])
    options.add_argument("--count", type=int, default=100, help="trials of kills")
    options.add_argument("--mpi", default="openmpi,mpich", help="which, separated by commas")
    options.add_argument("--kind", default="kills,faults", help="which, separated by commas")
    options = options.parse_args()
    kinds = chosen(options.kind, ["kills", "faults"])
    names = [name for name in options.mpi.split(",") if shutil.which("mpirun." + name) and shutil.which("mpicc." + name)]
    if not names:
        sys.exit("neither mpirun.openmpi and mpicc.openmpi nor those of mpich are here")
    with workplace(options, sweep=False) as place:
        write(place.original, "ranks.yaml", RECIPE)
        write(place.original, "long.yaml", RECIPE.replace("steps: 24", "steps: 100000").replace("every_steps: 4", "every_steps: 50"))
        launches = [Launch(name, place.top, place.program.path) for name in names]
        bad = sum(globals()[kind](launches, place, options) for kind in kinds)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
