#!/usr/bin/env python3
"""The fixed examples of BIG-bench Hard and MATH, from the package lm-eval to JSON lines.

  examples.py WHEEL FOLDER      writes bbh/PART/examples.jsonl and math/examples.jsonl below FOLDER
"""

import ast
import json
import os
import sys
import zipfile

import yaml

ROOT = "lm_eval/tasks/leaderboard/"


class Installed:
    """The installed package, read as its wheel is."""

    def __init__(self, folder):
        self.folder = folder

    def namelist(self):
        folder = os.path.join(self.folder, ROOT)
        return [
            os.path.relpath(os.path.join(place, name), self.folder)
            for place, _, names in os.walk(folder) for name in names]

    def read(self, path):
        with open(os.path.join(self.folder, path), "rb") as file:
            return file.read()


def bbh(package):
    """The examples of each part: {part: records}."""
    found = {}
    for path in sorted(package.namelist()):
        if not path.startswith(ROOT + "bbh_mc/") or not path.endswith(".yaml"):
            continue
        task = yaml.safe_load(package.read(path))
        if "dataset_name" in task:
            found[task["dataset_name"]] = [
                {"input": sample["input"], "target": sample["target"]}
                for sample in task["fewshot_config"]["samples"]]
    return found


def math(package):
    """The four examples of MATH, a literal in the source of its task."""
    source = ast.parse(package.read(ROOT + "math/utils.py"))
    for node in source.body:
        if isinstance(node, ast.FunctionDef) and node.name == "list_fewshot_samples":
            samples = ast.literal_eval(node.body[-1].value)
            return [
                {"problem": sample["problem"], "solution": sample["solution"]}
                for sample in samples]
    sys.exit("eval-data: the package has no examples of MATH")


def write(folder, package):
    """Writes the examples and returns the number of parts."""
    parts = bbh(package)
    files = {f"bbh/{part}/examples.jsonl": records for part, records in parts.items()}
    files["math/examples.jsonl"] = math(package)
    for name, records in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return len(parts)


def main():
    count = write(sys.argv[2], zipfile.ZipFile(sys.argv[1]))
    print(f"         the examples of {count} parts of BIG-bench Hard, and of MATH")


if __name__ == "__main__":
    main()
