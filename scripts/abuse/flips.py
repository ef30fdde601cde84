#!/usr/bin/env python3
"""Turns over one bit of a file; every command that reads it must notice, name it, or not be changed by it.

    scripts/abuse/flips.py --count N --seed S [--kind shards,index.json,...]

N bits a kind of file. What came of each is counted:

    detected      a command refused it with an exit code of the README's table, and named the file
    named         all went on as without the flip, and a word named the file
    harmless      every command did exactly what it does without the flip
    undetectable  another result, and the format has no checksum: HF, GGUF and tokenizer files; of
                  metrics and results another number in one line
    bad           anything else: another result without a word, a signal, a hang, a message that hides where
"""

import os
import re
import shutil
import sys

from common import Tally, arguments, chosen, safe_fingerprint, trials, workplace

RESUME = "pretrain --recipe tiny.yaml --run half --resume"
HF = ["ckpt verify hf", "eval hf --text text.txt --json", "import hf --output OUT"]
CHECKPOINT = ["ckpt verify CHECKPOINT", "eval CHECKPOINT --text text.txt --json", RESUME]
DATA = ["verify data shards", "eval run --shards shards --json", "pretrain --recipe tiny.yaml --run OUT"]
SWEEP = ["report sweep --output OUT", "sweep --recipe pairs.yaml --run sweep --resume"]


class Kind:
    """A kind of file.

    - path: the file, in a workplace.
    - readers: the command lines that read it; OUT is what one may make.
    - checked: whether the format, or what lies beside it, has a checksum.
    - words: what a message may call the file by.
    """

    def __init__(self, path, readers, checked=True, words=""):
        self.path, self.readers, self.checked = path, readers, checked
        self.words = words or re.escape(os.path.basename(path))


def checkpoint_file(name, **options):
    return Kind(f"half/checkpoints/STEP/{name}", CHECKPOINT, words=f"{re.escape(name)}|step-0000", **options)


KINDS = {
    "shards": Kind("shards/train-00000.tok.zst", DATA),
    "validation shards": Kind("shards/validation-00000.tok.zst", DATA),
    "index.json": Kind("shards/index.json", DATA, words="index.json|shards"),
    "tokenizer of a data set": Kind("shards/tokenizer.model", DATA, words="tokenizer|shards"),
    "shards of a part": Kind("parted.parts/1-of-2/train-00000.tok.zst", ["data merge parted"]),
    "part.json": Kind("parted.parts/2-of-2/part.json", ["data merge parted"]),
    "lengths of documents": Kind("parted.parts/1-of-2/train.documents", ["data merge parted"]),
    "model.safetensors": checkpoint_file("model.safetensors"),
    "optimizer.safetensors": checkpoint_file("optimizer.safetensors"),
    "state.json": checkpoint_file("state.json"),
    "config.json": checkpoint_file("config.json"),
    "manifest.json": checkpoint_file("manifest.json"),
    "tokenizer of a checkpoint": checkpoint_file("tokenizer.model"),
    "recipe of a checkpoint": checkpoint_file("recipe.resolved.yaml"),
    "recipe of a run": Kind("half/recipe.resolved.yaml", ["report half --output OUT", RESUME]),
    "metrics.jsonl": Kind("half/metrics.jsonl", ["report half --output OUT", RESUME], checked=False),
    "HF model.safetensors": Kind("hf/model.safetensors", HF, checked=False, words="safetensors|hf"),
    "HF config.json": Kind("hf/config.json", HF, checked=False, words="config.json|hf"),
    "HF tokenizer.json": Kind("hf/tokenizer.json", HF, checked=False, words="tokenizer|hf"),
    "HF tokenizer.model": Kind("hf/tokenizer.model", HF, checked=False, words="tokenizer|hf"),
    "HF tokenizer_config.json": Kind("hf/tokenizer_config.json", HF, checked=False, words="tokenizer|hf"),
    "GGUF": Kind("model.gguf", ["ckpt verify model.gguf", "eval model.gguf --text text.txt --json",
                                "import model.gguf --output OUT"], checked=False),
    "tokenizer.model": Kind("tok.model", ["tokenize --tokenizer tok.model --output OUT corpus.jsonl"],
                            checked=False),
    "sweep.sqlite": Kind("sweep/sweep.sqlite", SWEEP, checked=False, words="sqlite|sweep"),
    "sweep.resolved.yaml": Kind("sweep/sweep.resolved.yaml", SWEEP, words="resolved|sweep"),
    "results.jsonl": Kind("sweep/results.jsonl", SWEEP, checked=False, words="results|sweep"),
}

STEADY = re.compile(r"^(time|elapsed|kind)\b|elapsed|tokens/s|seconds|memory", re.I)


class Flips:
    def __init__(self, place):
        self.program, self.place, self.references = place.program, place, {}
        checkpoints = os.path.join(place.original, "half", "checkpoints")
        self.step = sorted(os.listdir(checkpoints))[-1]

    def result(self, line, folder):
        """The outcome of a command and what it has in common with that of the undisturbed one."""
        output = os.path.join(folder, "OUT")
        shutil.rmtree(output, ignore_errors=True)
        if os.path.isfile(output):
            os.remove(output)
        line = line.replace("CHECKPOINT", f"half/checkpoints/{self.step}")
        outcome = self.program.run(line, folder)
        printed = [l for l in outcome.output.splitlines() if not STEADY.search(l)]
        if outcome.output.startswith("{"):
            printed = re.sub(r'"[a-z_]*seconds":[^,}]*', "", outcome.output)
        made = [safe_fingerprint("tree" if os.path.isdir(output) else "file", output)]
        if line.startswith("pretrain"):
            made = [safe_fingerprint("run", os.path.join(folder, name))
                    for name in ("OUT", "half") if f"--run {name}" in line]
        if line.startswith("sweep"):
            made = [safe_fingerprint("sweep", os.path.join(folder, "sweep"))]
        return outcome, (printed, made)

    def reference(self, name):
        kind = KINDS[name]
        self.references[name] = []
        folder = self.place.copy()
        for line in kind.readers:
            outcome, result = self.result(line, folder)
            if outcome.code != 0:
                sys.exit(f"{line}: {outcome}")
            self.references[name].append(result)
        shutil.rmtree(folder)

    def trial(self, name, random_):
        """(category, problem or None)"""
        kind = KINDS[name]
        folder = self.place.copy()
        path = os.path.join(folder, kind.path.replace("STEP", self.step))
        with open(path, "rb") as file:
            bytes_ = bytearray(file.read())
        place = random_.randrange(8 * len(bytes_))
        bytes_[place // 8] ^= 1 << place % 8
        with open(path, "wb") as file:
            file.write(bytes_)
        where = f"bit {place % 8} of byte {place // 8} of {kind.path}"
        found = set()
        try:
            for line, wanted in zip(kind.readers, self.references[name]):
                outcome, result = self.result(line, folder)
                if outcome.hung or outcome.code not in self.program.codes or outcome.code == 70:
                    return "bad", f"{where}: {line}: {outcome}"
                is_named = re.search(kind.words, outcome.errors)
                if outcome.code not in (0, 1):
                    if not is_named:
                        return "bad", f"{where}: {line}: the message does not name the file: {outcome}"
                    found.add("detected")
                elif outcome.code == 0 and result == wanted:
                    found.add("named" if is_named and "damaged" in outcome.errors else "harmless")
                elif name == "metrics.jsonl" and not self.one_line_hit(line, wanted, result):
                    return "bad", f"{where}: {line}: more than a line is lost: {str(result)[:300]}"
                elif is_named and name == "metrics.jsonl":
                    found.add("named")
                elif not kind.checked or outcome.code == 1:
                    found.add("undetectable")
                elif is_named and "damaged" in outcome.errors:
                    found.add("named")
                else:
                    found.add("silent")
                    silent = f"{where}: {line}: another result without a word: {str(result)[:160]}"
            # A changed result is no harm where the check that is made for it has named the file.
            for category in ("silent", "detected", "named", "undetectable", "harmless"):
                if category in found:
                    if category == "silent":
                        return "bad", silent
                    return category, None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def one_line_hit(self, line, wanted, result):
        """Whether the metrics lost, or have another number in, the line that was hit and no other."""
        if not line.startswith("pretrain"):
            return True
        before, after = wanted[1][0], result[1][0]
        if not isinstance(after, dict) or after["files"] != before["files"]:
            return False
        return len(set(before["metrics"]) - set(after["metrics"])) <= 1


def main():
    options = arguments(__doc__.split("\n")[0])
    options.add_argument("--count", type=int, default=20, help="bits of each kind of file")
    options.add_argument("--kind", default=",".join(KINDS), help="which, separated by commas")
    options = options.parse_args()
    names, tally = chosen(options.kind, KINDS), Tally()
    with workplace(options) as place:
        flips = Flips(place)
        for name in names:
            flips.reference(name)

        def trial(number, random_):
            name = names[number % len(names)]
            category, problem = flips.trial(name, random_)
            tally.add(name, category, problem, f"{options.seed}-{number}")

        trials(options.count * len(names), options.jobs, options.seed, trial)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
