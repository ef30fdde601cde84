#!/usr/bin/env python3
"""Kills falcon with SIGKILL at random moments; the same command line again must bring the same bits.

    scripts/abuse/kills.py --count N --seed S [--kind tokenize,tokenizer,pretrain,export,average]

A trial kills a command once to three times, now and then just while something unfinished lies beside its
output, and then lets it end. What was there before stays whole until the new is; the result equals that
of an undisturbed run; nothing unfinished is left. Sweeps have a driver of their own: sweep_kills.py.
"""

import os
import shutil
import signal
import statistics
import sys
import time

from commands import COMMANDS
from common import Tally, arguments, chosen, safe_fingerprint, trials, unfinished, workplace

KINDS = {
    "tokenizer": ["tokenizer train", "tokenizer train --overwrite"],
    "tokenize": ["tokenize", "tokenize --overwrite", "data merge", "data merge --overwrite"],
    "pretrain": ["pretrain", "pretrain --resume", "pretrain --overwrite", "pretrain --branch"],
    "export": ["export hf", "export gguf", "ckpt convert"],
    "average": ["ckpt average", "import"],
}


class Kills:
    def __init__(self, place):
        self.program, self.place = place.program, place
        self.references = {}

    def reference(self, command):
        """How long the command takes, what lies at its output before, and what it makes."""
        seconds = []
        for _ in range(3):
            folder = self.place.copy()
            command.prepare(folder)
            before = self.left(command, folder)
            outcome = self.program.run(command.line, folder)
            if outcome.code != 0:
                sys.exit(f"{command.line}: {outcome}")
            seconds.append(outcome.seconds)
            after = self.left(command, folder)
            shutil.rmtree(folder)
        self.references[command.name] = (statistics.median(seconds), before, after)

    def left(self, command, folder):
        return safe_fingerprint(command.kind, os.path.join(folder, "OUT"))

    def trial(self, command, random_):
        """(number of kills that hit, problem or None)"""
        seconds, before, after = self.references[command.name]
        folder = self.place.copy()
        command.prepare(folder)
        hits, line = 0, command.line
        try:
            for _ in range(random_.choice([1, 1, 2, 3])):
                running = self.program.start(line, folder)
                self.wait(running, os.path.join(folder, "OUT"), seconds, random_)
                running.send(signal.SIGKILL, group=True)
                outcome = running.outcome()
                if outcome.code == 137:
                    hits += 1
                elif outcome.code != 0:
                    if outcome.code == 73 and self.left(command, folder) == after:
                        return hits, None
                    return hits, f"after {hits} kills: {outcome}"
                left = self.left(command, folder)
                if command.kind != "run" and left not in (None if before is None else before, after):
                    return hits, f"after {hits} kills this is left: {str(left)[:200]}"
                line = command.again
            outcome = self.program.run(line, folder)
            left = self.left(command, folder)
            # A kill between the last rename and the end: the result is there, and is not made again.
            if outcome.code != 0 and not (outcome.code == 73 and left == after):
                return hits, f"after {hits} kills: {outcome}"
            if left != after:
                return hits, f"after {hits} kills the result differs: {str(left)[:300]}"
            rest = unfinished(os.path.join(folder, "OUT"))
            if rest and outcome.code == 0:
                return hits, f"after {hits} kills something unfinished is left: {rest}"
            return hits, None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def wait(self, running, path, seconds, random_):
        if random_.random() < 0.6:
            time.sleep(random_.uniform(0, seconds * 1.05))
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and running.process.poll() is None and not unfinished(path):
            pass
        time.sleep(random_.uniform(0, 0.004))


def main():
    options = arguments(__doc__.split("\n")[0])
    options.add_argument("--count", type=int, default=100, help="trials in all")
    options.add_argument("--kind", default=",".join(KINDS), help="which, separated by commas")
    options = options.parse_args()
    names = [name for kind in chosen(options.kind, KINDS) for name in KINDS[kind]]
    commands = [command for name in names for command in COMMANDS if command.name == name]
    tally = Tally()
    with workplace(options, sweep=False) as place:
        kills = Kills(place)
        for command in commands:
            kills.reference(command)
        hits = [0]

        def trial(number, random_):
            command = commands[number % len(commands)]
            hit, problem = kills.trial(command, random_)
            hits[0] += hit
            tally.add(command.name, "failed" if problem else "recovered", problem, f"{options.seed}-{number}")

        trials(options.count, options.jobs, options.seed, trial)
        print(f"{hits[0]} kills hit, in {options.count} trials")
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
