#!/usr/bin/env python3
"""Plants two bad documents in the data of a tiny run, and looks at what the spike guard does.

    scripts/abuse/spike.py [--program PATH]

Two runs of 2,000 steps, a sequence of 256 tokens each, on synthetic text:

* healthy: nothing may be skipped;
* planted: a document of random letters, long enough to fill a batch with random tokens, and one of a single
  character that the text never has, whose loss is huge. The steps that hold them must be skipped, nothing
  else, and their black boxes must name them: `falcon documents` must print the planted text.

Exit status 1 if anything is not so. Takes a minute or two on two processors.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from common import find_program

STEPS, LENGTH = 2000, 256
RECIPE = """
name: spike
data: {{path: {shards}, sequence_length: {length}}}
model:
  vocab_size: 512
  hidden_size: 32
  num_hidden_layers: 2
  intermediate_size: 64
  num_attention_heads: 2
  num_key_value_heads: 1
  head_dim: 16
  mamba_d_ssm: 32
  mamba_n_heads: 2
  mamba_d_head: 16
  mamba_d_state: 16
  mamba_chunk_size: 64
  max_position_embeddings: 256
optimizer: {{learning_rate: 3.0e-3}}
schedule: {{warmup_tokens: 5120, decay_tokens: 51200}}
train: {{steps: {steps}, batch_tokens: {length}, micro_batch_sequences: 1}}
checkpoint: {{every_steps: 1000}}
evaluation: {{every_steps: null}}
"""


def sentence(words, rng):
    """Words that mostly follow from the one before."""
    word, out = rng.randrange(len(words)), []
    for _ in range(rng.randint(6, 14)):
        word = (word * 7 + 3) % len(words) if rng.random() < 0.6 else rng.randrange(len(words))
        out.append(words[word])
    return " ".join(out).capitalize() + "."


def corpus(path, planted):
    rng = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters[:16], k=rng.randint(2, 7))) for _ in range(120)]
    documents = [
        " ".join(sentence(words, rng) for _ in range(rng.randint(8, 30))) for _ in range(3000)
    ]
    for place, text in planted.items():
        documents[place] = text
    with open(path, "w") as file:
        for text in documents:
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


def planted_documents():
    rng = random.Random(11)
    noise = " ".join("".join(rng.choices("qxzjvkwy", k=5)) for _ in range(180))
    return {1500: noise, 2200: "\u2603" * 320}


def run(*arguments, cwd):
    result = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(arguments)}: status {result.returncode}\n{result.stderr}")
    return result


def train(falcon, folder, name, planted):
    """Trains a run and returns its folder."""
    corpus(folder / f"{name}.jsonl", planted)
    # The tokenizer of both is that of the healthy text.
    if name == "healthy":
        run(falcon, "tokenizer", "train", "--input", f"{name}.jsonl", "--vocab-size", "512",
            "--output", "tok.model", cwd=folder)
    run(falcon, "tokenize", "--tokenizer", "tok.model", "--validation-fraction", "0", "--output",
        f"{name}.shards", f"{name}.jsonl", cwd=folder)
    (folder / f"{name}.yaml").write_text(
        RECIPE.format(shards=f"{name}.shards", length=LENGTH, steps=STEPS))
    run(falcon, "pretrain", "--recipe", f"{name}.yaml", "--run", name, cwd=folder)
    return folder / name


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", help="the falcon to try; the newest build without it")
    falcon = find_program(parser.parse_args().program)
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        healthy = train(falcon, folder, "healthy", {})
        lines = [json.loads(line) for line in (healthy / "metrics.jsonl").open()]
        skipped = [line["step"] for line in lines if line.get("applied") is False]
        print(f"healthy: {len(lines)} steps, {len(skipped)} skipped, last loss {lines[-1]['loss']:.3f}")
        if skipped or len(lines) != STEPS or (healthy / "events").exists():
            failures.append(f"a healthy run skipped the steps {skipped}")

        texts = planted_documents()
        bad = train(falcon, folder, "planted", texts)
        lines = [json.loads(line) for line in (bad / "metrics.jsonl").open()]
        skipped = [line for line in lines if line.get("applied") is False]
        found = set()
        for line in skipped:
            event = json.loads((bad / "events" / f"step-{line['step']}.json").read_text())
            places = [
                document["first_token"] for batch in event["micro_batches"]
                for sequence in batch["sequences"] for document in sequence["documents"]
            ]
            printed = run(
                falcon, "documents", "planted.shards", *map(str, places), cwd=folder).stdout
            named = [json.loads(text)["text"] for text in printed.splitlines()]
            hits = [place for place, text in texts.items() if text in named]
            found.update(hits)
            key = "loss" if event["reason"] == "loss_spike" else "grad_norm"
            history = event["history"][key]
            print(f"step {line['step']}: {key} {history['value']:.2f}, mean {history['mean']:.2f}, "
                  f"{history['score']:.1f} deviations of {history['deviation']:.3f}, "
                  f"{event['parameter']}, planted documents {hits}, loss after: "
                  f"{event['after']['loss']:.2f}")
            if not hits:
                failures.append(f"step {line['step']} holds no planted document")
        print(f"planted: {len(lines)} steps, {len(skipped)} skipped, last loss {lines[-1]['loss']:.3f}")
        for place in set(texts) - found:
            failures.append(f"the planted document {place} was trained on")
    for failure in failures:
        print(f"spike.py: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
