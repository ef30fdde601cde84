#!/usr/bin/env python3
"""Byte-level tokenizers that falcon trains, compared with those of Hugging Face's BpeTrainer.

    check_training.py --text FOLDER [--text FILE ...] [--vocab-size N ...] [--words NAME ...] [--falcon PROGRAM]

Each text file is a document; of a folder, the files that falcon reads. Vocabulary and merges must be the same, and
so must the ids of every document. Time and memory of both are printed, each trainer a process of its own.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

from common import ROOT
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

END = "<|endoftext|>"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")


def pre_tokenizer(words):
    """The way to cut words that falcon calls by this name."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    split = {name: pre_tokenizers.Split(Regex(LLAMA3 % digits), "isolated")
             for name, digits in [("llama3", "{1,3}"), ("qwen2", "")]}
    if words == "gpt-2":
        return byte_level
    if words == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    if words in split:
        return pre_tokenizers.Sequence([split[words], plain])
    return pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), byte_level,
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])


def documents(paths):
    """The texts of files, as falcon takes them."""
    for path in paths:
        with open(path, encoding="utf-8", newline="") as file:
            yield file.read().removeprefix("\ufeff")


def train(paths, words, vocabulary, threads, output):
    """Hugging Face's own training; in a process of its own."""
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    tokenizer = Tokenizer(models.BPE(ignore_merges=words == "llama3"))
    tokenizer.pre_tokenizer = pre_tokenizer(words)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=2, special_tokens=[END], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(documents(paths), trainer)
    tokenizer.save(output)


def model(path):
    with open(path, encoding="utf-8") as file:
        found = json.load(file)["model"]
    return found["vocab"], [tuple(pair) for pair in found["merges"]]


def measured(body):
    """Seconds and the most bytes of memory of a child process."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(body())
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"a training ended with status {status}")
    return time.monotonic() - started, usage.ru_maxrss * 1024


def compare(options, paths, words, vocabulary, folder):
    """One way to cut words, one size. True if all is the same."""
    ours, theirs = f"{folder}/falcon", f"{folder}/hf.json"
    line = [options.falcon, "tokenizer", "train", "--model-type", "byte-level", "--words", words,
            "--vocab-size", str(vocabulary), "--threads", str(options.threads), "--quiet",
            "--output", ours, "--overwrite", "--format", "text", "--input", *paths]

    def falcon():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(line[0], line)

    def hugging_face():
        train(paths, words, vocabulary, options.threads, theirs)
        return 0

    falcon_time, falcon_memory = measured(falcon)
    hf_time, hf_memory = measured(hugging_face)
    (vocabulary_a, merges_a), (vocabulary_b, merges_b) = model(f"{ours}/tokenizer.json"), model(theirs)
    first = next((i for i, pair in enumerate(zip(merges_a, merges_b)) if pair[0] != pair[1]), None)
    same = vocabulary_a == vocabulary_b and merges_a == merges_b
    print(f"{words} {vocabulary}: {len(merges_a)} and {len(merges_b)} merges, "
          + ("the same vocabulary and merges" if same else f"DIFFERENT from merge {first}")
          + f"; falcon {falcon_time:.1f} s, {falcon_memory / 1e6:.0f} MB; "
          + f"tokenizers {hf_time:.1f} s, {hf_memory / 1e6:.0f} MB", flush=True)
    return same and same_ids(options, paths, ours, theirs)


def same_ids(options, paths, ours, theirs):
    """Whether the trained tokenizers of both give one list of ids for every document."""
    texts = list(documents(paths))
    tokenizer = Tokenizer.from_file(theirs)
    own = Tokenizer.from_file(f"{ours}/tokenizer.json")
    result = subprocess.run(
        [options.falcon, "tokenizer", "encode", "--tokenizer", ours], encoding="utf-8", check=True,
        input="".join(json.dumps(text) + "\n" for text in texts), stdout=subprocess.PIPE)
    count = 0
    for path, text, line in zip(paths, texts, result.stdout.splitlines(), strict=True):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if ids != json.loads(line) or ids != own.encode(text, add_special_tokens=False).ids:
            print(f"DIFFERENT ids: {path}")
            return False
        count += len(ids)
    print(f"  {len(texts)} documents, {count} ids, all the same", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--falcon", default=os.path.join(ROOT, ".build/release/falcon"))
    parser.add_argument("--text", action="append", required=True)
    parser.add_argument("--vocab-size", type=int, action="append")
    parser.add_argument("--words", action="append")
    parser.add_argument("--threads", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    paths = []
    for path in options.text:
        paths += sorted(
            os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names
            if name.endswith((".txt", ".md"))) if os.path.isdir(path) else [path]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for words in options.words or ["gpt-2", "smollm", "llama3", "qwen2", "falcon"]:
            for vocabulary in options.vocab_size or [8192]:
                failed |= not compare(options, paths, words, vocabulary, folder)
    print("training: FAILED" if failed else "training: passed")
    sys.exit(failed)


if __name__ == "__main__":
    main()
