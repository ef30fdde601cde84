#!/usr/bin/env python3
"""Every command of falcon under every fault: exit codes, messages, and what is left.

    scripts/abuse/matrix.py [--program PATH] [--seed N] [--rounds N] [--only TEXT] [--fault TEXT]

Each command is run alone first. Then, with each fault, its exit code must be in the README's table and one
that the fault explains, its message must name the cause, nothing may hang or be left that looks whole
but is not; and the command line given again without the fault must bring the whole result.
"""

import json
import os
import re
import shutil
import signal
import sys
import time

from commands import COMMANDS
from common import Tally, arguments, build_faults, safe_fingerprint, trials, unfinished, workplace

SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT twice": signal.SIGINT, "SIGHUP": signal.SIGHUP}
STREAMS = {"stdout closed": "closed", "stdout full": "full", "no reader": "no reader"}
FAULTS = ["NaN weights", "infinite loss", *SIGNALS, *STREAMS, "full disk", "failed sync", "no threads",
          "second process"]


class Matrix:
    def __init__(self, place, library):
        self.program, self.place, self.library = place.program, place, library
        self.references = {}

    def line(self, command, text=None):
        return (text or command.line).replace("CHECKPOINT", self.place.checkpoints()[-1])

    def reference(self, command):
        """The command alone: how long it takes, what it prints and leaves, how much it writes."""
        folder = self.place.copy()
        command.prepare(folder)
        before = self.left(command, folder)
        outcome = self.program.run(self.line(command), folder, stdin=command.stdin)
        after = self.left(command, folder)
        written = sum(os.path.getsize(os.path.join(top, name)) for top, _, names in
                      os.walk(os.path.join(folder, "OUT")) for name in names)
        if os.path.isfile(os.path.join(folder, "OUT")):
            written = os.path.getsize(os.path.join(folder, "OUT"))
        shutil.rmtree(folder)
        self.references[command.name] = (outcome, before, after, written)
        return None if outcome.code == 0 else f"alone: {outcome}"

    def left(self, command, folder):
        return safe_fingerprint(command.kind, os.path.join(folder, "OUT")) if command.kind else None

    def cell(self, command, fault, random_):
        """One command under one fault: (category, problem or None)."""
        reference, before, after, written = self.references[command.name]
        folder = self.place.copy()
        command.prepare(folder)
        try:
            method = ("signal" if fault in SIGNALS else "stream" if fault in STREAMS
                      else fault.lower().replace(" ", "_"))
            result = getattr(self, method)(command, fault, folder, random_)
            if result is None:
                return "-", None
            outcomes, allowed, cause = result
            problem = self.judge(command, outcomes, allowed, cause)
            if problem is None and command.kind and fault not in ("NaN weights", "infinite loss"):
                problem = self.judge_output(command, folder, before, after, outcomes)
            return "/".join(str(outcome.code) for outcome in outcomes), problem
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def judge(self, command, outcomes, allowed, cause):
        for outcome in outcomes:
            if outcome.hung:
                return f"hung: {outcome}"
            if outcome.strays:
                return f"left a process behind: {outcome}"
            code = outcome.code
            if code not in self.program.codes and not (code > 128 and code in allowed):
                return f"exit code {code} is not in the README: {outcome}"
            if code not in allowed:
                return f"exit code {code}, wanted one of {sorted(allowed)}: {outcome}"
            said = outcome.errors + (outcome.output if code == 1 else "")
            if code != 0 and code < 128 and not re.search(cause, said, re.I):
                return f"exit code {code}, but the message does not name the cause ({cause}): {outcome}"
            if "internal error" in outcome.errors:
                return f"internal error: {outcome}"
        return None

    def judge_output(self, command, folder, before, after, outcomes):
        """What is left is nothing, the old or the whole; and the same line again brings the whole."""
        path = os.path.join(folder, "OUT")
        left = self.left(command, folder)
        if left == after:
            if command.kind in ("file", "tree") and any(o.code == 0 for o in outcomes) and unfinished(path):
                return f"whole, but with something unfinished: {unfinished(path)}"
            return None
        if any(outcome.code == 0 for outcome in outcomes):
            return f"exit code 0, but the output is not whole: {str(left)[:200]}"
        if command.kind in ("file", "tree") and left not in (None, before):
            return f"something is left that is not whole: {str(left)[:200]}"
        again = self.program.run(self.line(command, command.again), folder, stdin=command.stdin)
        if again.code != 0:
            return f"the command line given again ends with {again}"
        left = self.left(command, folder)
        return None if left == after else f"not whole after the command line was given again: {str(left)[:200]}"

    # One method a fault: the outcomes, the allowed codes, what the message must say; None: not tried.

    def nan_weights(self, command, fault, folder, random_):
        if not command.model:
            return None
        words = self.with_model(command, "spoilt")
        outcome = self.program.run(words, folder, stdin=command.stdin)
        if outcome.code == 0:
            self.check_json(words, outcome)
        if os.path.lexists(os.path.join(folder, "OUT", "manifest.json")):
            outcome.code, outcome.errors = 999, "an output was left"
        allowed = {65} if command.refuses_nan else {0, 1, 65}
        return [outcome], allowed, r"nan\b|not (a )?(finite|number)"

    def with_model(self, command, model):
        return [model if word == command.model else word.replace("=" + command.model, "=" + model)
                for word in self.line(command).split()]

    def infinite_loss(self, command, fault, folder, random_):
        if command.diverges:
            outcome = self.program.run(self.line(command) + command.diverges, folder, stdin=command.stdin)
            # A run that diverges is a result of a sweep, and large activations one of a check of widths.
            allowed = {0} if command.kind == "sweep" else {1} if command.saves else {0, 1}
            return [outcome], allowed, r"diverge|not finite|inf|nan"
        if not command.model or command.model == "start":
            return None
        words = self.with_model(command, "huge")
        outcome = self.program.run(words, folder, stdin=command.stdin)
        if outcome.code == 0:
            self.check_json(words, outcome)
        return [outcome], {0, 1, 65}, r"inf|finite|nan|differ"

    def check_json(self, words, outcome):
        """What is printed with --json must be JSON, whatever the numbers."""
        if "--json" in words:
            try:
                json.loads(outcome.output)
            except ValueError as error:
                outcome.code, outcome.errors = 999, f"standard output is no JSON: {error}"

    def signal(self, command, fault, folder, random_):
        number = SIGNALS[fault]
        seconds = self.references[command.name][0].seconds
        running = self.program.start(self.line(command), folder, stdin=command.stdin)
        time.sleep(random_.uniform(0, seconds))
        # A terminal sends SIGINT and SIGHUP to all processes of the group.
        running.send(number, group=number != signal.SIGTERM)
        if fault == "SIGINT twice":
            time.sleep(random_.uniform(0, seconds / 4))
            running.send(number, group=True)
        outcome = running.outcome()
        return [outcome], {0, 128 + number} | ({75} if command.saves else set()), r"stopped|saved|interrupt|not started"

    def stream(self, command, fault, folder, random_):
        outcome = self.program.run(
            self.line(command), folder, stdin=command.stdin, stdout=STREAMS[fault])
        return [outcome], {74}, "standard output"

    def full_disk(self, command, fault, folder, random_):
        written = self.references[command.name][3]
        limit = random_.randrange(max(1, written)) if written else 0
        return self.with_fault(command, folder, {"FAULT_BYTES": str(limit)},
                               {74} if written and command.kind != "sweep" else {0, 1, 74}, "No space left")

    def failed_sync(self, command, fault, folder, random_):
        if not command.kind:
            return None
        return self.with_fault(command, folder, {"FAULT_SYNC": str(random_.choice([0, 0, 1, 2, 5]))},
                               {0, 1, 74}, "Input/output error")

    def no_threads(self, command, fault, folder, random_):
        return self.with_fault(command, folder, {"FAULT_THREADS": str(random_.choice([0, 0, 1]))},
                               {0, 74} | ({1} if command.kind == "sweep" else set()), "thread")

    def with_fault(self, command, folder, environment, allowed, cause):
        outcome = self.program.run(
            self.line(command), folder, stdin=command.stdin,
            environment={**environment, "LD_PRELOAD": self.library})
        return [outcome], allowed, cause

    def second_process(self, command, fault, folder, random_):
        seconds = self.references[command.name][0].seconds
        first = self.program.start(self.line(command), folder, stdin=command.stdin)
        time.sleep(random_.uniform(0, seconds / 2))
        second = self.program.start(self.line(command), folder, stdin=command.stdin)
        outcomes = [first.outcome(), second.outcome()]
        if all(outcome.code == 73 for outcome in outcomes):
            outcomes[0].code, outcomes[0].errors = 999, "both were refused"
        return outcomes, {0, 73} if command.kind else {0}, r"exists|holds|held|another|already"


def main():
    options = arguments(__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=2, help="how often each is tried")
    options.add_argument("--only", help="only commands with this in their name")
    options.add_argument("--fault", help="only faults with this in their name")
    options = options.parse_args()
    start, tally = time.monotonic(), Tally()
    with workplace(options) as place:
        matrix = Matrix(place, build_faults(place.top))
        commands = [c for c in COMMANDS if not options.only or options.only in c.name]
        for command in commands:
            problem = matrix.reference(command)
            if problem:
                tally.add(command.name, "alone", problem)
        faults = [f for f in FAULTS if not options.fault or options.fault.lower() in f.lower()]
        cells = [(c, f) for _ in range(options.rounds) for c in commands for f in faults]
        codes = {}

        def try_cell(number, random_):
            command, fault = cells[number]
            code, problem = matrix.cell(command, fault, random_)
            codes.setdefault((command.name, fault), set()).add(code + ("!" if problem else ""))
            if code != "-":
                tally.add(fault, "tried", problem and f"{command.name}: {problem}", options.seed)

        trials(len(cells), options.jobs, options.seed, try_cell)
        width = max(len(c.name) for c in commands)
        print(" " * width + "".join(f"  {fault:>14}" for fault in faults))
        for command in commands:
            cells = [" ".join(sorted(codes[command.name, fault])) for fault in faults]
            print(f"{command.name:<{width}}" + "".join(f"  {cell:>14}" for cell in cells))
        print(f"{time.monotonic() - start:.0f} s; exit codes, ! after what failed")
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
