"""What the drivers in this folder share: the program, its exit codes, a place to work in, fingerprints.

Nothing but Python's standard library and a C compiler (for faults.c) is needed.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# A recipe whose runs take a fraction of a second.
RECIPE = """name: tiny
data: {path: shards, sequence_length: 24}
schedule: {warmup_tokens: 192, decay_tokens: 192}
train: {steps: 8, batch_tokens: 96, micro_batch_sequences: 2}
checkpoint: {every_steps: 3, keep_last: 2}
evaluation: {every_steps: 4, tokens: 200}
model:
  vocab_size: 300
  hidden_size: 16
  num_hidden_layers: 2
  intermediate_size: 24
  num_attention_heads: 2
  num_key_value_heads: 1
  head_dim: 10
  mamba_d_ssm: 24
  mamba_n_heads: 3
  mamba_d_head: 8
  mamba_d_state: 5
  mamba_chunk_size: 7
  max_position_embeddings: 64
  tie_word_embeddings: true
"""

SWEEP = """extends: tiny.yaml
name: pairs
sweep:
  grid:
    optimizer.kind: [adamw, muon]
  seeds: [0, 1]
  jobs: 2
  threads_per_run: 1
"""

WORDS = "the of a union state law people and in to war peace year tax bank land".split()


def exit_codes():
    """The exit codes that the README's table lists; a signal's number n gives 128 + n there."""
    codes = set()
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        section = file.read().split("## Exit codes", 1)[1].split("\n## ", 1)[0]
    for line in section.splitlines():
        found = re.match(r"\|\s*([0-9, ]+?)\s*\|", line)
        if found:
            codes |= {int(code) for code in found.group(1).split(",")}
    return codes


def find_program(path=None):
    """The program to try: the one given, else the newest build."""
    builds = [os.path.join(ROOT, ".build", kind, "falcon") for kind in ("release", "debug")]
    there = [build for build in builds if os.access(build, os.X_OK)]
    if path is None and there:
        path = max(there, key=os.path.getmtime)
    if path is None or not os.access(path, os.X_OK):
        sys.exit(f"no program at {path or builds[0]}; run make build, or give --program PATH")
    return os.path.abspath(path)


def arguments(description, **defaults):
    """The options of every driver."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--program", help="the falcon to try; the newest build without it")
    parser.add_argument("--seed", type=int, default=defaults.get("seed", 1), help="decides every moment and place")
    parser.add_argument("--keep", action="store_true", help="leave the folders of what failed")
    parser.add_argument("--jobs", type=int, default=defaults.get("jobs", 2), help="trials at a time")
    return parser


class Outcome:
    """How a program ended and what it said."""

    def __init__(self, code, output, errors, seconds, hung=False, strays=0):
        self.code, self.output, self.errors = code, output, errors
        self.seconds, self.hung, self.strays = seconds, hung, strays

    def __str__(self):
        said = " / ".join(self.errors.strip().splitlines()[-3:])
        return f"{'hung' if self.hung else self.code}: {said[:400]}"


class Running:
    """A program that was started, in a group of its own."""

    def __init__(self, program, words, folder, stdin=b"", stdout="keep", environment=None):
        self.files = [tempfile.TemporaryFile() for _ in range(3)]
        self.files[0].write(stdin)
        self.files[0].seek(0)
        out, prepare = self.files[1], None
        if stdout == "full":
            out = open("/dev/full", "wb")
        elif stdout == "no reader":
            reader, writer = os.pipe()
            os.close(reader)
            out = os.fdopen(writer, "wb")
        elif stdout == "closed":
            prepare = lambda: os.close(1)  # noqa: E731
        self.start = time.monotonic()
        self.process = subprocess.Popen(
            [program] + words, cwd=folder, stdin=self.files[0], stdout=out, stderr=self.files[2],
            env={**os.environ, **(environment or {})}, start_new_session=True, preexec_fn=prepare)
        if out is not self.files[1]:
            out.close()

    def send(self, number, group=False):
        try:
            (os.killpg if group else os.kill)(self.process.pid, number)
        except ProcessLookupError:
            pass

    def outcome(self, timeout=60):
        """Waits for the end, also of what the program started; ends what hangs."""
        hung = False
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            hung = True
        seconds = time.monotonic() - self.start
        deadline = time.monotonic() + (0 if hung else 20)
        strays = 0
        while True:
            try:
                os.killpg(self.process.pid, 0)
            except (ProcessLookupError, PermissionError):
                break
            if time.monotonic() > deadline:
                strays = 0 if hung else 1
                self.send(signal.SIGKILL, group=True)
                if hung:
                    self.process.wait()
                break
            time.sleep(0.005)
        code = self.process.wait()
        texts = []
        for file in self.files[1:]:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
        for file in self.files:
            file.close()
        return Outcome(128 - code if code < 0 else code, *texts, seconds, hung, strays)


class Program:
    """The program under trial."""

    def __init__(self, path):
        self.path = path
        self.codes = exit_codes()

    def start(self, line, folder, **options):
        words = line.split() if isinstance(line, str) else line
        return Running(self.path, words, folder, **options)

    def run(self, line, folder, timeout=60, **options):
        return self.start(line, folder, **options).outcome(timeout)

    def need(self, line, folder, **options):
        """Runs what must succeed for the trials to begin."""
        outcome = self.run(line, folder, **options)
        if outcome.code != 0:
            sys.exit(f"cannot prepare: falcon {line}: {outcome}")
        return outcome


def lay(original, folder):
    """Puts a copy of what the workplace has under a name at OUT, if there is a name; parts at OUT.parts."""
    for ending in ("", ".parts") if original else ():
        source, target = (os.path.join(folder, name + ending) for name in (original, "OUT"))
        if os.path.exists(source):
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)


def build_faults(folder):
    """Compiles faults.c; its path."""
    library = os.path.join(folder, "faults.so")
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        sys.exit("no C compiler; run make setup")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, os.path.join(HERE, "faults.c"), "-ldl"],
        check=True)
    return library


class Workplace:
    """A folder in which everything that the commands read was made once; trials use copies.

    corpus.jsonl texts/ tok.model tiny.yaml pairs.yaml shards/ run/ half/ hf/ model.gguf start/ mean/
    tasks/ sweep/ parted.parts/ replaced/ replaced.parts/; spoilt/ and huge/ are hf/ with a weight that is no number and with huge weights.
    """

    def __init__(self, program, sweep=True):
        self.program = program
        self.top = tempfile.mkdtemp(prefix="falcon-abuse-")
        self.original = os.path.join(self.top, "original")
        os.mkdir(self.original)
        self.count = 0
        place, need = self.original, program.need
        with open(os.path.join(place, "corpus.jsonl"), "w") as file:
            for document in range(40):
                text = " ".join(WORDS[(i * i + 3 * document + i // 7) % 16] for i in range(90))
                file.write(json.dumps({"text": text}) + "\n")
        write(place, "tiny.yaml", RECIPE)
        write(place, "pairs.yaml", SWEEP)
        write(place, "text.txt", " ".join(WORDS[(i * i) % 16] for i in range(60)) + "\n")
        os.makedirs(os.path.join(place, "tasks", "hellaswag"))
        task = {"activity_label": "Law", "ctx_a": "the state", "ctx_b": "of",
                "endings": ["union", "war and peace", "a tax", "land"]}
        write(place, "tasks/hellaswag/validation.jsonl", "".join(
            json.dumps({**task, "ctx_a": WORDS[i], "label": str(i % 4)}) + "\n" for i in range(8)))
        need("tokenizer train --input corpus.jsonl --vocab-size 300 --output tok.model", place)
        need("tokenize --tokenizer tok.model --output shards --validation-fraction 0.1 corpus.jsonl", place)
        for worker in (1, 2):
            need("tokenize --tokenizer tok.model --output parted --validation-fraction 0.1 corpus.jsonl text.txt "
                 f"--shard {worker}/2", place)
        shutil.copytree(os.path.join(place, "shards"), os.path.join(place, "replaced"))
        shutil.copytree(os.path.join(place, "parted.parts"), os.path.join(place, "replaced.parts"))
        need("pretrain --recipe tiny.yaml --run run", place)
        program.run("pretrain --recipe tiny.yaml --run half --until-tokens 384", place)
        need("export run --format hf --output hf", place)
        need("export run --format gguf --output model.gguf", place)
        need("import hf --output start", place)
        need(["ckpt", "average"] + self.checkpoints() + ["--output", "mean"], place)
        if sweep:
            need("sweep --recipe pairs.yaml --run sweep", place)
        for name, change in (("spoilt", to_nan), ("huge", to_big)):
            shutil.copytree(os.path.join(place, "hf"), os.path.join(place, name))
            change(os.path.join(place, name, "model.safetensors"))

    def checkpoints(self):
        """The checkpoints of run, as a command line names them."""
        folder = os.path.join(self.original, "run", "checkpoints")
        return [f"run/checkpoints/{name}" for name in sorted(os.listdir(folder))]

    def copy(self):
        """A folder for one trial; the run's data stays where its recipe says: beside it."""
        self.count += 1
        folder = os.path.join(self.top, f"trial-{self.count}-{os.urandom(3).hex()}")
        shutil.copytree(self.original, folder, symlinks=True)
        return folder

    def remove(self):
        shutil.rmtree(self.top, ignore_errors=True)


@contextlib.contextmanager
def workplace(options, sweep=True):
    """The workplace of a driver's trials; it goes in the end, unless --keep is given."""
    place = Workplace(Program(find_program(options.program)), sweep)
    try:
        yield place
    finally:
        if not options.keep:
            place.remove()


def chosen(text, known):
    """The names in an option, separated by commas."""
    names = text.split(",")
    for name in names:
        if name not in known:
            sys.exit(f"unknown kind {name}; there are: {', '.join(known)}")
    return names


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def change_floats(path, change):
    """Rewrites a float32 tensor of a safetensors file, the largest one."""
    with open(path, "rb") as file:
        bytes_ = bytearray(file.read())
    size = struct.unpack("<Q", bytes_[:8])[0]
    header = json.loads(bytes_[8 : 8 + size])
    header.pop("__metadata__", None)
    name = max(header, key=lambda name: header[name]["data_offsets"][1] - header[name]["data_offsets"][0])
    begin, end = (8 + size + offset for offset in header[name]["data_offsets"])
    values = list(struct.unpack(f"<{(end - begin) // 4}f", bytes_[begin:end]))
    bytes_[begin:end] = struct.pack(f"<{len(values)}f", *change(values))
    with open(path, "wb") as file:
        file.write(bytes_)


def to_nan(path):
    change_floats(path, lambda values: values[:7] + [float("nan")] + values[8:])


def to_big(path):
    change_floats(path, lambda values: [1e30 * value for value in values])


# Fingerprints: what must be equal in two outputs of one command line.

VOLATILE = re.compile(r"(_seconds|tokens_per_second|_bytes|seconds)$")


def steady(value):
    """A JSON value without what a clock or the machine's memory decides, and digests of that."""
    if isinstance(value, dict):
        return {key: steady(item) for key, item in value.items()
                if not VOLATILE.search(key) and key not in ("starts", "check", "ranks")}
    if isinstance(value, list):
        return [steady(item) for item in value]
    return value


def json_lines(path, sort=False):
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [json.dumps(steady(json.loads(line)), sort_keys=True) for line in file if line.strip()]
    return sorted(lines) if sort else lines


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def tree(path, base=""):
    """Names and digests of all files below a folder, without locks."""
    found = {}
    for name in sorted(os.listdir(path)):
        full, inner = os.path.join(path, name), base + name
        if os.path.isdir(full):
            found.update(tree(full, inner + "/"))
        elif name != ".lock":
            found[inner] = sha256(full)
    return found


def unfinished(path):
    """Names of what is not finished, at and below a path."""
    folder, name = os.path.split(path)
    found = [n for n in os.listdir(folder or ".") if n.startswith(name + ".partial")]
    if os.path.isdir(path):
        for _, folders, files in os.walk(path):
            found += [n for n in folders + files if ".partial" in n]
    return found


def fingerprint(kind, path):
    """What two outputs have in common if they are the same result; None if there is no output.

    Raises if what is there cannot even be read.
    """
    if not os.path.lexists(path):
        return None
    if kind == "file":
        return sha256(path)
    if kind in ("tree", "answers"):
        return tree(path)
    if kind == "run":
        saves = sorted(n for n in os.listdir(os.path.join(path, "checkpoints"))
                       if re.fullmatch(r"step-\d+", n))
        if not saves:
            return None
        return {"step": saves[-1], "files": tree(os.path.join(path, "checkpoints", saves[-1])),
                "metrics": json_lines(os.path.join(path, "metrics.jsonl")),
                "recipe": sha256(os.path.join(path, "recipe.resolved.yaml"))}
    if kind == "sweep":
        results = json_lines(os.path.join(path, "results.jsonl"), sort=True)
        return {"results": results, "runs": {
            json.loads(line)["run"]: fingerprint("run", os.path.join(path, json.loads(line)["path"]))
            for line in results}}
    raise ValueError(kind)


def safe_fingerprint(kind, path):
    """The fingerprint, or a text that equals none."""
    try:
        return fingerprint(kind, path)
    except Exception as error:  # Whatever is wrong with it, it is not the wanted output.
        return f"unreadable: {error}"


class Tally:
    """Counts of what passed and failed, by kind, and the faults' words."""

    def __init__(self):
        self.counts, self.failures = {}, []

    def add(self, kind, category, problem=None, seed=None):
        row = self.counts.setdefault(kind, {})
        row[category] = row.get(category, 0) + 1
        if problem:
            self.failures.append((kind, problem))
            print(f"FAILED {kind}: {problem}" + (f" (seed {seed})" if seed is not None else ""), flush=True)

    def table(self):
        columns = sorted({column for row in self.counts.values() for column in row})
        width = max([len(kind) for kind in self.counts] + [4])
        print(" " * width + "".join(f"  {column:>12}" for column in columns))
        for kind, row in self.counts.items():
            print(f"{kind:<{width}}" + "".join(f"  {row.get(column, 0) or '-':>12}" for column in columns))

    def finish(self):
        self.table()
        failed = len(self.failures)
        passed = sum(sum(row.values()) for row in self.counts.values()) - failed
        print(f"{passed} passed, {failed} failed")
        return 1 if failed else 0


def trials(count, jobs, seed, body):
    """Runs body(number, random source) for numbers below count, some at a time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for future in [pool.submit(body, n, random.Random(f"{seed}-{n}")) for n in range(count)]:
            future.result()
