#!/usr/bin/env python3
"""Starts two commands at once on one output: one makes it whole, the other is told.

    scripts/abuse/races.py --count N --seed S [--kind run,sweep,...]

N trials a kind of output. The two differ in a setting, so that a mixture shows. Bad is: an output that is
not exactly what one of the two that ended with 0 makes alone; both ending with 0 where neither may
replace what is there; neither ending with 0; an exit code other than 0 and 73; a hang.
"""

import os
import shutil
import sys
import time

from common import Tally, arguments, chosen, lay, safe_fingerprint, trials, unfinished, workplace


class Race:
    """Two command lines on one output.

    - kind: how the output is compared.
    - before: what lies there at the start.
    - replaces: whether each replaces what it finds.
    """

    def __init__(self, first, second, kind, before=None, replaces=False):
        self.lines, self.kind, self.before, self.replaces = (first, second), kind, before, replaces


def pair(line, setting, kind, **options):
    return Race(line, f"{line} {setting}", kind, **options)


TRAIN = "tokenizer train --input corpus.jsonl --output OUT --vocab-size"
TOKENIZE = "tokenize --tokenizer tok.model --output OUT corpus.jsonl --validation-fraction"
PRETRAIN = "pretrain --recipe tiny.yaml --run OUT"
RACES = {
    "tokenizer": Race(f"{TRAIN} 300", f"{TRAIN} 290", "file"),
    "tokenizer --overwrite": Race(f"{TRAIN} 300 --overwrite", f"{TRAIN} 290 --overwrite", "file",
                                  before="tok.model", replaces=True),
    "data set": Race(f"{TOKENIZE} 0.1", f"{TOKENIZE} 0.2", "tree"),
    "data set --overwrite": Race(f"{TOKENIZE} 0.1 --overwrite", f"{TOKENIZE} 0.2 --overwrite", "tree",
                                 before="shards", replaces=True),
    "run": pair(PRETRAIN, "--set seed=5", "run"),
    "run --overwrite": pair(f"{PRETRAIN} --overwrite", "--set seed=5", "run", before="run", replaces=True),
    "run --resume": Race(f"{PRETRAIN} --resume", f"{PRETRAIN} --resume", "run", before="half", replaces=True),
    "sweep": pair("sweep --recipe pairs.yaml --run OUT", "--set optimizer.weight_decay=0.2", "sweep"),
    "sweep --resume": Race(*["sweep --recipe pairs.yaml --run OUT --resume"] * 2, "sweep", before="sweep",
                           replaces=True),
    "average": pair("ckpt average run start --output OUT", "--weights 1,3", "tree"),
    "export hf": pair("export run --format hf --output OUT", "--quantize bf16", "tree"),
    "export gguf": pair("export run --format gguf --output OUT", "--quantize f16", "file"),
    "import": Race("import hf --output OUT", "import model.gguf --output OUT", "tree"),
    "convert": pair("ckpt convert run --to hf --output OUT", "--quantize bf16", "tree"),
    "report": Race("report run --output OUT", "report sweep --output OUT", "file", replaces=True),
    "samples": Race(*["eval run --tasks hellaswag --data tasks --samples OUT --resume"] * 2, "tree",
                    replaces=True),
}


class Races:
    def __init__(self, place):
        self.program, self.place, self.references = place.program, place, {}

    def reference(self, name):
        """How long the two take alone, and what each makes."""
        race, made, seconds = RACES[name], [], 0.0
        for line in race.lines:
            folder = self.place.copy()
            lay(race.before, folder)
            outcome = self.program.run(line, folder)
            if outcome.code != 0:
                sys.exit(f"{line}: {outcome}")
            seconds = max(seconds, outcome.seconds)
            made.append(safe_fingerprint(race.kind, os.path.join(folder, "OUT")))
            shutil.rmtree(folder)
        self.references[name] = (seconds, made)

    def trial(self, name, random_):
        race = RACES[name]
        seconds, made = self.references[name]
        folder = self.place.copy()
        lay(race.before, folder)
        path = os.path.join(folder, "OUT")
        try:
            order = random_.sample([0, 1], 2)
            running = {}
            for number in order:
                running[number] = self.program.start(race.lines[number], folder)
                time.sleep(random_.choice([0, 0, random_.uniform(0, seconds * 0.7)]))
            outcomes = [running[number].outcome() for number in (0, 1)]
            for outcome in outcomes:
                if outcome.hung or outcome.code not in (0, 73):
                    return str(outcome)
                if outcome.code == 73 and "internal" in outcome.errors:
                    return str(outcome)
            winners = [number for number in (0, 1) if outcomes[number].code == 0]
            if not winners:
                return f"neither wrote: {outcomes[0]}; {outcomes[1]}"
            if len(winners) == 2 and not race.replaces:
                return "both ended with 0"
            left = safe_fingerprint(race.kind, path)
            if not any(left == made[number] for number in winners):
                return f"what is left is not what {winners} make: {str(left)[:300]}"
            if unfinished(path):
                return f"something unfinished is left: {unfinished(path)}"
            return None
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    options = arguments(__doc__.split("\n")[0])
    options.add_argument("--count", type=int, default=20, help="trials of each kind")
    options.add_argument("--kind", default=",".join(RACES), help="which, separated by commas")
    options = options.parse_args()
    names, tally = chosen(options.kind, RACES), Tally()
    with workplace(options) as place:
        races = Races(place)
        for name in names:
            races.reference(name)

        def trial(number, random_):
            name = names[number % len(names)]
            problem = races.trial(name, random_)
            tally.add(name, "bad" if problem else "good", problem, f"{options.seed}-{number}")

        # Each trial is two processes.
        trials(options.count * len(names), max(1, options.jobs // 2), options.seed, trial)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
