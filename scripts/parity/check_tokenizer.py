#!/usr/bin/env python3
"""Ids of AutoTokenizer and of falcon: equal for every line of a corpus and for odd strings."""

import glob
import json
import os
import sys

from common import ROOT, arguments, falcon, finish

sys.path.insert(0, os.path.join(ROOT, "scripts", "fixtures"))


def texts_of(line, name):
    """A line of text; of a JSON line, the field `text`, or else every string."""
    if not name.endswith(".jsonl"):
        return [line]
    record = json.loads(line)
    if "text" in record:
        return [record["text"]]
    values = []
    for value in record.values():
        values += value if isinstance(value, list) else [value]
    return [value for value in values if isinstance(value, str)]


def corpus_lines(paths, limit):
    """Up to `limit` lines of the files and folders."""
    lines = []
    for path in paths:
        files = sorted(glob.glob(os.path.join(path, "**"), recursive=True)) if os.path.isdir(path) \
            else [path]
        for name in files:
            if not os.path.isfile(name) or not name.endswith((".txt", ".jsonl", ".raw", ".md")):
                continue
            with open(name, encoding="utf-8", newline="\n") as file:
                for line in file:
                    for text in texts_of(line.rstrip("\n"), name):
                        lines += [part for part in text.split("\n") if part]
                    if len(lines) >= limit:
                        return lines[:limit]
    return lines


def main():
    parser = arguments(__doc__)
    parser.add_argument("--tokenizer", help="tokenizer.model; default: the exported folder's")
    parser.add_argument(
        "--text", action="append", help="a file or folder; default: demo/text and the HellaSwag sample")
    parser.add_argument("--limit", type=int, default=5000)
    options = parser.parse_args()
    from tokenizer_json import ODD_STRINGS
    from transformers import AutoTokenizer

    paths = options.text or [
        os.path.join(ROOT, "demo/text"),
        os.path.join(ROOT, "Tests/EvalTests/Fixtures/hellaswag-200.jsonl"),
    ]
    lines = corpus_lines(paths, options.limit)
    strings = lines + ODD_STRINGS + [" " + line for line in lines[:200]] \
        + [line + "  " for line in lines[:200]] + ["\t" + line for line in lines[:200]]
    tokenizer = AutoTokenizer.from_pretrained(options.hf, local_files_only=True)
    model = options.tokenizer or os.path.join(options.hf, "tokenizer.model")
    printed = falcon(
        options, "tokenizer", "encode", "--tokenizer", model,
        text="".join(json.dumps(text) + "\n" for text in strings))
    rows = [json.loads(line) for line in printed.splitlines()]
    failures = []
    if len(strings) < 1000:
        failures.append(f"only {len(strings)} strings, want at least 1000: give more --text")
    if len(rows) != len(strings):
        failures.append(f"falcon printed {len(rows)} lines, want {len(strings)}")
    tokens = 0
    for text, got in zip(strings, rows):
        want = tokenizer.encode(text, add_special_tokens=False)
        tokens += len(want)
        if got != want:
            failures.append(f"{text!r}: falcon {got[:12]}, transformers {want[:12]}")
            continue
        back = tokenizer.decode(got, clean_up_tokenization_spaces=False)
        if back != text:
            failures.append(f"{text!r} decodes to {back!r}")
    print(f"tokenizer: {len(strings)} strings, {tokens} tokens compared")
    finish("tokenizer", failures)


if __name__ == "__main__":
    main()
