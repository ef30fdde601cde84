#!/usr/bin/env python3
"""Kills a small sweep at random moments, resumes it, and checks that nothing was lost or made twice.

    scripts/abuse/sweep_kills.py --count 100 --seed 1

A trial kills a sweep one to four times, each time in one of the ways below, starts the same command line
again at once, and lets the last one end. Then every run must be finished once, with the objective and the
last checkpoint, bit for bit, of a sweep that nobody disturbed; its metrics must have every step once, with
a score where one is due, and the lines of steps that had been saved before a kill must be the very same
bytes: nothing was trained again from the beginning. Exit status 1 if a trial was bad.
"""

import json
import os
import signal
import shutil
import subprocess
import sys
import time

from common import Tally, arguments, trials, workplace, write

STEPS, SAVE, SCORE = 40, 5, 10
SWEEP = f"""extends: tiny.yaml
name: kills
train: {{steps: {STEPS}}}
checkpoint: {{every_steps: {SAVE}}}
evaluation: {{every_steps: {SCORE}, tokens: 400}}
sweep:
  grid: {{optimizer.kind: [adamw, muon]}}
  seeds: [0, 1]
  best_seeds: [2]
  jobs: 2
  threads_per_run: 1
"""
LINE = ["sweep", "--recipe", "sweep.yaml", "--run", "out", "--resume", "--quiet"]
RUNS = 6


def children(pid):
    """The processes that a process has started."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def everybody(pid, number):
    for one in [pid] + children(pid):
        send(one, number)


def one_child(pid, number, chance):
    found = children(pid)
    if found:
        send(chance.choice(found), number)


def twice(action, chance):
    action()
    time.sleep(chance.choice([0, 0.001, 0.01, 0.1]))
    action()


# What is done to the sweep's process.
WAYS = {
    "kill the sweep": lambda pid, chance: send(pid, signal.SIGKILL),
    "kill all at once": lambda pid, chance: everybody(pid, signal.SIGKILL),
    "kill the group": lambda pid, chance: os.killpg(pid, signal.SIGKILL),
    "kill a run": lambda pid, chance: one_child(pid, signal.SIGKILL, chance),
    "end a run": lambda pid, chance: one_child(pid, signal.SIGTERM, chance),
    "Ctrl-C": lambda pid, chance: os.killpg(pid, signal.SIGINT),
    "Ctrl-C twice": lambda pid, chance: twice(lambda: os.killpg(pid, signal.SIGINT), chance),
    "interrupt all twice": lambda pid, chance: twice(lambda: everybody(pid, signal.SIGINT), chance),
    "SIGTERM": lambda pid, chance: send(pid, signal.SIGTERM),
    "SIGTERM to all, then kill": lambda pid, chance: (
        everybody(pid, signal.SIGTERM), time.sleep(chance.uniform(0, 0.3)), everybody(pid, signal.SIGKILL)),
    "SIGHUP": lambda pid, chance: send(pid, signal.SIGHUP),
}
# Codes with which a sweep may end: done, a run failed (it was killed), stopped, killed.
CODES = {0, 1, 75, 130, 128 + signal.SIGKILL}
# The same of one that a signal reached before it had begun, so that it has said nothing.
EARLY = {128 + signal.SIGHUP, 128 + signal.SIGTERM}


class Bad(Exception):
    pass


def start(program, folder, name="out.txt"):
    with open(os.path.join(folder, name), "ab") as file:
        return subprocess.Popen(
            [program.path] + LINE, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True)


def code_of(process, timeout=120):
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        everybody(process.pid, signal.SIGKILL)
        raise Bad("a sweep hangs") from None
    return 128 - code if code < 0 else code


def metrics(folder, run):
    try:
        with open(os.path.join(folder, "out/runs", run, "metrics.jsonl"), "rb") as file:
            return file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def saved_lines(folder):
    """By run: the lines of steps below its newest checkpoint, which must stay as they are."""
    lines = {}
    runs = os.path.join(folder, "out/runs")
    for run in os.listdir(runs) if os.path.isdir(runs) else []:
        checkpoints = os.path.join(runs, run, "checkpoints")
        if not os.path.isdir(checkpoints):
            continue
        steps = [int(name[5:]) for name in os.listdir(checkpoints) if name[5:].isdigit()]
        # The newest line of all may get the score that a stop took from it.
        lines[run] = metrics(folder, run)[: max(steps, default=1) - 1]
    return lines


def results(folder):
    with open(os.path.join(folder, "out/results.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def manifest(folder, run):
    with open(os.path.join(folder, f"out/runs/{run}/checkpoints/step-{STEPS:08d}/manifest.json"), "rb") as file:
        return file.read()


def check(folder, saved, reference):
    found = results(folder)
    if sorted(one["run"] for one in found) != sorted(reference):
        raise Bad(f"{len(found)} runs, want {len(reference)}")
    for one in found:
        run = one["run"]
        if one["status"] != "finished":
            raise Bad(f"{run} is {one['status']}: {one.get('message')}")
        objective, last = reference[run]
        if one.get("validation_loss") != objective:
            raise Bad(f"{run}: objective {one.get('validation_loss')}, want {objective}")
        if manifest(folder, run) != last:
            raise Bad(f"{run}: the last checkpoint is another one")
        lines = metrics(folder, run)
        steps = [json.loads(line) for line in lines]
        if [step["step"] for step in steps] != list(range(1, STEPS + 1)):
            raise Bad(f"{run}: steps {[step['step'] for step in steps]}")
        for step in steps:
            if step["step"] % SCORE == 0 and "validation_loss" not in step:
                raise Bad(f"{run}: no score at step {step['step']}")
    for before in saved:
        for run, old in before.items():
            if metrics(folder, run)[: len(old)] != old:
                raise Bad(f"{run}: steps that had been saved were trained again")


def trial(place, chance, length, reference):
    """What is wrong after a trial; None if nothing is."""
    folder = place.copy()
    told, saved = [], []
    try:
        for _ in range(chance.randint(1, 4)):
            said = os.path.join(folder, "out.txt")
            before = os.path.getsize(said) if os.path.exists(said) else 0
            process = start(place.program, folder)
            moment, way = chance.uniform(0, length), chance.choice(sorted(WAYS))
            if chance.random() < 0.2:
                time.sleep(moment / 2)
                second = start(place.program, folder, "second.txt")
                told.append("a second sweep")
                # It may also find the first one gone.
                if code_of(second) not in CODES | {73}:
                    raise Bad(f"the second sweep ended with {second.returncode}")
            time.sleep(moment)
            told.append(f"{way} at {moment:.3f} s")
            try:
                WAYS[way](process.pid, chance)
            except ProcessLookupError:
                pass
            if way in ("kill a run", "end a run"):
                time.sleep(chance.uniform(0, length / 2))
                send(process.pid, signal.SIGKILL)
            code = code_of(process)
            if code not in CODES and (code not in EARLY or os.path.getsize(said) > before):
                raise Bad(f"the sweep ended with {code}")
            saved.append(saved_lines(folder))
        for _ in range(3):
            code = code_of(start(place.program, folder))
            if code != 1:
                break
        if code != 0:
            raise Bad(f"the last sweep ended with {code}")
        check(folder, saved, reference)
    except (Bad, OSError, ValueError, KeyError) as error:
        return f"{folder}: {'; '.join(told)}: {error!r}"
    shutil.rmtree(folder, ignore_errors=True)
    return None


def main():
    options = arguments(__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=100, help="trials")
    options = options.parse_args()
    tally = Tally()
    with workplace(options, sweep=False) as place:
        write(place.original, "sweep.yaml", SWEEP)
        whole = place.copy()
        begin = time.monotonic()
        if code_of(start(place.program, whole)) != 0 or len(results(whole)) != RUNS:
            sys.exit(f"cannot prepare: an undisturbed sweep fails, see {whole}/out.txt")
        length = time.monotonic() - begin
        reference = {
            one["run"]: (one["validation_loss"], manifest(whole, one["run"])) for one in results(whole)}
        print(f"{length:.1f} s an undisturbed sweep", flush=True)

        def run(number, chance):
            problem = trial(place, chance, length, reference)
            tally.add("sweep", "bad" if problem else "good", problem, f"{options.seed}-{number}")

        trials(options.count, options.jobs, options.seed, run)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
