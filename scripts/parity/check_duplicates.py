#!/usr/bin/env python3
"""Near duplicates by `falcon data duplicates` and by datatrove, on texts with planted copies.

    check_duplicates.py [--documents 20000] [--memory 200M] [--threads 1] FILES.jsonl

Paragraphs of the files become documents of 100 to 400 words; copies of some are planted further on: the same text, one
word in 20 changed, a sentence moved. For both programs: how many planted copies go, how many documents that go are
as similar as the threshold to one that stays, by their exact Jaccard index over runs of 5 words, time and peak memory.
Fails if falcon finds fewer than datatrove by more than chance allows, or if an exact copy stays.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile

from common import arguments

THRESHOLD = (1 / 14) ** (1 / 8)


def words(text):
    return re.findall(r"\w+", text.lower())


def shingles(text):
    found = words(text)
    return {tuple(found[i:i + 5]) for i in range(max(1, len(found) - 4))}


def jaccard(a, b):
    a, b = shingles(a), shingles(b)
    return len(a & b) / max(1, len(a | b))


def plant(files, count, seed=1):
    """Documents, and for each planted copy its place, its original's, and its kind."""
    source, texts, seen = random.Random(seed), [], set()
    paragraphs = []
    for path in files:
        with open(path, encoding="utf-8") as file:
            for line in file:
                paragraphs += re.split(r"\n\s*\n", json.loads(line)["text"])
    source.shuffle(paragraphs)
    own, part, goal = count * 85 // 100, [], 0
    for paragraph in paragraphs:
        if len(texts) == own:
            break
        # A paragraph that stands in many files would make natural copies of documents.
        if paragraph in seen or len(paragraph.split()) < 5:
            continue
        seen.add(paragraph)
        part.append(paragraph)
        goal = goal or source.randrange(100, 400)
        if sum(len(p.split()) for p in part) >= goal:
            texts.append("\n\n".join(part))
            part, goal = [], 0
    vocabulary = "".join(texts[:200]).split()
    planted = []
    for number in range(count - own):
        original, kind = source.randrange(len(texts) // 2), ("exact", "one word in 20", "moved")[number % 3]
        pieces = re.split(r"(?<=[.!?])\s+", texts[original])
        text = texts[original]
        if kind == "one word in 20":
            pieces = text.split(" ")
            for place in range(source.randrange(20), len(pieces), 20):
                pieces[place] = source.choice(vocabulary)
            text = " ".join(pieces)
        elif kind == "moved":
            pieces.insert(source.randrange(len(pieces)), pieces.pop(source.randrange(len(pieces))))
            text = " ".join(pieces)
        planted.append((original, kind, text))
    source.shuffle(planted)
    documents, copies = list(texts), []
    for original, kind, text in planted:
        copies.append((len(documents), original, kind))
        documents.append(text)
    return documents, copies


def measured(command):
    """Runs a command by `time`; seconds of wall clock and of processors, and peak bytes.

    A process that Python starts itself counts Python's own peak.
    """
    with tempfile.NamedTemporaryFile("r") as file:
        result = subprocess.run(
            ["/usr/bin/time", "-o", file.name, "-f", "%e %U %S %M", *command], stdout=subprocess.DEVNULL, check=False)
        if result.returncode != 0:
            sys.exit(f"{command[0]} ended with status {result.returncode}")
        elapsed, user, system, peak = map(float, file.read().split())
    return elapsed, user + system, peak * 1024


def datatrove(source, folder):
    """datatrove's four steps, in this process; prints the places of the documents that are removed."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature)
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    config = MinhashConfig()
    reader = lambda: JsonlReader(os.path.dirname(source), glob_pattern=os.path.basename(source))  # noqa: E731
    steps = [
        [reader(), MinhashDedupSignature(f"{folder}/signatures", config)],
        [MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)],
        [MinhashDedupCluster(f"{folder}/buckets", f"{folder}/removed", config=config)],
        [reader(), MinhashDedupFilter(
            f"{folder}/removed",
            exclusion_writer=JsonlWriter(f"{folder}/excluded", compression=None))],
    ]
    for number, step in enumerate(steps):
        tasks = config.num_buckets if number == 1 else 1
        LocalPipelineExecutor(
            step, tasks=tasks, workers=1, logging_dir=f"{folder}/logs{number}").run()


def report(name, removed, documents, copies, times):
    found = {kind: [0, 0] for kind in ("exact", "one word in 20", "moved")}
    expected = {kind: 0.0 for kind in found}
    for copy, original, kind in copies:
        similarity = jaccard(documents[copy], documents[original])
        expected[kind] += 1 - (1 - similarity ** 8) ** 14
        found[kind][1] += 1
        found[kind][0] += copy in removed or original in removed
    origins = {copy: original for copy, original, _ in copies}
    # Copies of one original are similar to each other too.
    right = sum(1 for number in removed if number in origins or number in origins.values())
    print(f"{name}: {len(removed)} documents go, {right} of them planted or copied; "
          f"{times[0]:.1f} s, {times[1]:.1f} s of processors, peak {times[2] / 1e6:.0f} MB")
    for kind, (got, all_) in found.items():
        print(f"  {kind}: {got} of {all_} pairs, {100 * got / all_:.1f} % (by their Jaccard index and 14 bands of 8: "
              f"{100 * expected[kind] / all_:.1f} %)")
    return found


def precision(name, pairs, documents):
    values = sorted(jaccard(documents[a], documents[b]) for a, b in pairs)
    above = [sum(value >= limit for value in values) / max(1, len(values)) for limit in (0.5, 0.6, THRESHOLD, 0.8)]
    print(f"  {name}: Jaccard index with the document that is kept at least 0.5, 0.6, {THRESHOLD:.2f}, 0.8: "
          + ", ".join(f"{100 * share:.1f} %" for share in above)
          + f"; smallest {values[0]:.2f}" if values else "no pair")


def main():
    if sys.argv[1:2] == ["--datatrove"]:
        return datatrove(*sys.argv[2:])
    parser = arguments(__doc__)
    parser.add_argument("--documents", type=int, default=20000)
    parser.add_argument("--memory", default="200M")
    parser.add_argument("--threads", default="1")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    documents, copies = plant(options.files, options.documents)
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "all.jsonl")
        with open(source, "w", encoding="utf-8") as file:
            for number, text in enumerate(documents):
                file.write(json.dumps({"text": text, "id": str(number)}) + "\n")
        print(f"{len(documents)} documents, {os.path.getsize(source) / 1e6:.1f} MB of JSON lines, {len(copies)} planted")
        output = os.path.join(folder, "list")
        times = measured([options.falcon, "data", "duplicates", source, "--output", output, "--memory",
                          options.memory, "--threads", options.threads, "--quiet"])
        with open(output, encoding="utf-8") as file:
            lines = [line.split() for line in file.read().splitlines()[1:-1]]
        pairs = [(int(line[1]) - 1, int(line[4]) - 1) for line in lines]
        ours = report("falcon", {copy for copy, _ in pairs}, documents, copies, times)
        precision("falcon", pairs, documents)
        times = measured([sys.executable, os.path.abspath(__file__), "--datatrove", source, folder])
        removed = set()
        for name in os.listdir(f"{folder}/excluded"):
            with open(f"{folder}/excluded/{name}", encoding="utf-8") as file:
                removed |= {int(json.loads(line)["id"]) for line in file}
        theirs = report("datatrove", removed, documents, copies, times)
        both = len(removed & {copy for copy, _ in pairs})
        print(f"in both: {both} documents")
    good = ours["exact"][0] == ours["exact"][1]
    for kind, (got, all_) in ours.items():
        # Each pair is a draw: three standard deviations of the difference of two such counts, at most.
        good &= got + 3 * (all_ / 2) ** 0.5 >= theirs[kind][0]
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
