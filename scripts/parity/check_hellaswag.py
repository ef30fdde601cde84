#!/usr/bin/env python3
"""HellaSwag in lm-evaluation-harness and in falcon: the same decision on every document."""

import contextlib
import io
import json
import os
import shutil
import tempfile

from common import ROOT, arguments, falcon, finish

HERE = os.path.join(ROOT, "scripts", "parity", "hellaswag")


def harness_samples(options, data):
    """The harness on local documents, float32, one at a time; a list of its samples in order."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    with tempfile.TemporaryDirectory() as folder:
        for name in ("hellaswag_local.yaml", "utils.py"):
            shutil.copy(os.path.join(HERE, name), folder)
        path = os.path.join(folder, "hellaswag_local.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("@DATA@", data).replace("@CACHE@", os.path.join(folder, "cache")))
        # Its progress bars cannot be switched off; errors still come as exceptions.
        with contextlib.redirect_stderr(io.StringIO()):
            results = lm_eval.simple_evaluate(
                model="hf",
                model_args={
                    "pretrained": options.hf, "dtype": "float32", "attn_implementation": "eager"},
                tasks=["hellaswag_local"], batch_size=1, device="cpu", limit=options.limit,
                log_samples=True, bootstrap_iters=0,
                task_manager=TaskManager(include_path=folder, include_defaults=False))
    samples = sorted(results["samples"]["hellaswag_local"], key=lambda sample: sample["doc_id"])
    return results["results"]["hellaswag_local"], samples


def main():
    parser = arguments(__doc__)
    parser.add_argument(
        "--data", default=os.path.join(ROOT, "Tests/EvalTests/Fixtures/hellaswag-200.jsonl"),
        help="validation.jsonl")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--tolerance", type=float, default=1e-3, help="of a log-likelihood")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "hellaswag"))
        shutil.copy(options.data, os.path.join(folder, "hellaswag", "validation.jsonl"))
        out = os.path.join(folder, "samples.jsonl")
        falcon(
            options, "eval", options.model, "--tasks", "hellaswag", "--data", folder,
            "--limit", str(options.limit), "--samples", out, "--quiet")
        with open(out, encoding="utf-8") as file:
            mine = [json.loads(line) for line in file]
    scores, theirs = harness_samples(options, os.path.abspath(options.data))

    failures, worst, equal = [], 0.0, 0
    if len(mine) != len(theirs):
        failures.append(f"falcon scored {len(mine)} documents, the harness {len(theirs)}")
    for got, want in zip(mine, theirs):
        document = want["doc_id"]
        likelihoods = [float(response[0]) for response in want["filtered_resps"]]
        error = max(abs(a - b) for a, b in zip(got["loglikelihoods"], likelihoods))
        worst = max(worst, error)
        if got["document"] != document or len(got["loglikelihoods"]) != len(likelihoods):
            failures.append(f"document {document}: falcon has {got}")
        elif not error <= options.tolerance:
            failures.append(
                f"document {document}: log-likelihoods {got['loglikelihoods']}, want {likelihoods}")
        elif (bool(got["acc"]), bool(got["acc_norm"])) != (
                bool(want["acc"]), bool(want["acc_norm"])):
            failures.append(
                f"document {document}: acc {got['acc']}, acc_norm {got['acc_norm']}, want "
                f"{want['acc']}, {want['acc_norm']}; log-likelihoods {likelihoods}")
        else:
            equal += 1
    print(
        f"hellaswag: {equal} of {len(theirs)} documents decided alike; largest difference of a "
        f"log-likelihood {worst:.3g}; harness acc {scores['acc,none']:.4f}, "
        f"acc_norm {scores['acc_norm,none']:.4f}")
    finish("hellaswag", failures)


if __name__ == "__main__":
    main()
