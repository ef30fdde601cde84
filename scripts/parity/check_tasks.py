#!/usr/bin/env python3
"""Evaluation tasks in lm-evaluation-harness and in falcon, document by document.

Prompts must be equal byte for byte, decisions and standard errors equal, log-likelihoods and other scores
close. Where a log-likelihood differs by more, transformers in float64 judges: its float32 scan sums the decays of a
chunk in float32, and the rows behind a chunk of 128 are off by up to 1e-3 in a logit. Without --data, HellaSwag's first 200 documents, which the tests hold, are used.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import time

import harness
import numpy
from common import ROOT, arguments, falcon, finish, in_float64, load_model

FIXTURE = os.path.join(ROOT, "Tests/EvalTests/Fixtures/hellaswag-200.jsonl")
# The harness's names of scores that falcon calls otherwise.
NAMES = {
    "exact_match_strict": "exact_match,strict-match",
    "exact_match_flexible": "exact_match,flexible-extract",
    "triviaqa.exact_match": "exact_match,remove_whitespace",
}


def harness_model(options):
    """The exported folder in the harness, float32.

    The log of the softmax is taken in float64, for which the harness has an option: in float32, its default,
    torch's is off by 2e-5 a token at a vocabulary of 49,152.
    """
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=options.hf, dtype="float32", softmax_dtype="float64", device="cpu",
        attn_implementation=options.attention, batch_size=options.batch_size)


class Judge:
    """Log-likelihoods by transformers in float64, in the harness's tokens."""

    def __init__(self, options, model):
        self.options, self.model, self.exact = options, model, None

    def log_likelihood(self, context, continuation):
        import torch

        if self.exact is None:
            self.exact = load_model(self.options).double()
        before, scored = self.model._encode_pair(context, continuation)
        ids = (before + scored)[-(self.model.max_length + 1):]
        with torch.no_grad(), in_float64():
            logits = self.exact(torch.tensor([ids[:-1]]), use_cache=False).logits[0]
        rows = torch.log_softmax(logits, -1)[-len(scored):]
        return sum(float(row[token]) for row, token in zip(rows, scored, strict=True))


def replies(sample):
    """The answers of a sample of falcon's: (log-likelihood, whether it is greedy), or texts."""
    found = []
    for reply in sample["filtered_resps"]:
        found.append(reply[0] if len(reply) == 1 else (float(reply[0]), reply[1] == "True"))
    return found


def prompts(sample):
    """The requests of a sample of falcon's, as the harness gives them."""
    return [
        tuple(argument[f"arg_{place}"] for place in range(len(argument)))
        for argument in sample["arguments"].values()]


class Comparison:
    """What differs between the two, for one task."""

    def __init__(self, name, key, tolerance, judge):
        self.name, self.key, self.tolerance, self.judge = name, key, tolerance, judge
        self.failures, self.worst, self.equal, self.judged = [], 0.0, 0, []

    def document(self, mine, theirs):
        place = f"{self.key}, document {theirs['doc_id']}"
        failures = []
        want = [
            (arguments[0],) if isinstance(arguments[-1], dict) else tuple(arguments)
            for arguments in theirs["arguments"]]
        if prompts(mine) != want:
            failures.append(f"{place}: requests {prompts(mine)!r}, want {want!r}")
        responses = [
            response[0] if isinstance(response, (list, tuple)) and len(response) == 1
            and isinstance(response[0], (list, tuple, str)) else response
            for response in (resps[0] for resps in theirs["resps"])]
        for got, response, asked in zip(replies(mine), responses, want, strict=True):
            if isinstance(got, str):
                if got != response:
                    failures.append(f"{place}: wrote {got!r}, want {response!r}")
                continue
            value, greedy = response if isinstance(response, (list, tuple)) else (response, got[1])
            # The harness adds up in float32: beyond 1,000 its numbers are 1.2e-4 apart.
            limit = max(self.tolerance, 2 * numpy.spacing(numpy.float32(abs(value))))
            if not abs(got[0] - value) <= limit and len(asked) == 2:
                exact = self.judge.log_likelihood(*asked)
                self.judged.append((abs(value - exact), abs(got[0] - exact)))
                value = exact
            self.worst = max(self.worst, abs(got[0] - value))
            if not abs(got[0] - value) <= limit:
                failures.append(f"{place}: log-likelihood {got[0]}, want {value}")
            if got[1] != bool(greedy):
                failures.append(f"{place}: greedy {got[1]}, want {greedy}")
        for metric in ("acc", "acc_norm"):
            if metric in theirs and metric in mine and self.name != "truthfulqa_mc2":
                if float(mine[metric]) != float(theirs[metric]):
                    failures.append(f"{place}: {metric} {mine[metric]}, want {theirs[metric]}")
        self.equal += not failures
        self.failures += failures

    def scores(self, mine, theirs):
        for metric in sorted(mine):
            theirs_name = NAMES.get(f"{self.name}.{metric}") or NAMES.get(metric, f"{metric},none")
            is_error = metric.endswith("_stderr")
            if is_error:
                base = metric[:-len("_stderr")]
                whole = NAMES.get(f"{self.name}.{base}") or NAMES.get(base, f"{base},none")
                theirs_name = whole.replace(",", "_stderr,")
            if theirs_name not in theirs or theirs[theirs_name] == "N/A":
                continue
            got, want = mine[metric], theirs[theirs_name]
            if not abs(got - want) <= 1e-5 * max(1.0, abs(want)):
                self.failures.append(f"{self.key}: {metric} {got}, want {want}")


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--data", help="the folder with the tasks' files")
    parser.add_argument("--tasks", default="hellaswag", help="names, NAME@5 for five examples")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of a log-likelihood")
    parser.add_argument("--attention", default="eager")
    parser.add_argument("--batch-size", type=int, default=1)
    options = parser.parse_args()

    failures = []
    with tempfile.TemporaryDirectory() as folder:
        data = options.data
        if data is None:
            data = os.path.join(folder, "data")
            os.makedirs(os.path.join(data, "hellaswag"))
            shutil.copy(FIXTURE, os.path.join(data, "hellaswag", "validation.jsonl"))
        out = os.path.join(folder, "samples")
        limit = [] if options.limit is None else ["--limit", str(options.limit)]
        start = time.monotonic()
        result = json.loads(falcon(
            options, "eval", options.model, "--tasks", options.tasks, "--data", data, *limit,
            "--samples", out, "--quiet", "--json"))
        print(f"falcon: {time.monotonic() - start:.1f} s", file=sys.stderr)
        # Its progress bars cannot be switched off; errors still come as exceptions.
        with contextlib.redirect_stderr(io.StringIO()):
            model = harness_model(options)
        judge = Judge(options, model)
        for key in result["tasks"]:
            name, _, shots = key.partition("@")
            harness.yaml_path(name)
            start = time.monotonic()
            with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
                scores, theirs = harness.evaluate(
                    [name], data, model, shots=int(shots) if shots else None, limit=options.limit,
                    batch_size=options.batch_size)[name]
            seconds = time.monotonic() - start
            with open(os.path.join(out, f"samples_{key}.jsonl"), encoding="utf-8") as file:
                mine = [json.loads(line) for line in file]
            comparison = Comparison(name, key, options.tolerance, judge)
            # A task with two filters has each document twice.
            seen = {sample["doc_id"]: sample for sample in theirs}
            if len(mine) != len(seen):
                comparison.failures.append(
                    f"{key}: falcon answered {len(mine)} documents, the harness {len(seen)}")
            for sample in mine:
                if sample["doc_id"] in seen:
                    comparison.document(sample, seen[sample["doc_id"]])
            comparison.scores(result["tasks"][key], scores)
            failures += comparison.failures
            values = ", ".join(
                f"{name.split(',')[0]} {value:.4f}" for name, value in scores.items()
                if isinstance(value, float) and "stderr" not in name)
            print(
                f"{key}: {comparison.equal} of {len(seen)} documents alike; largest difference of a "
                f"log-likelihood {comparison.worst:.2g}; harness {seconds:.1f} s: {values}")
            for theirs, ours in comparison.judged:
                print(f"  from float64: the harness {theirs:.2g}, falcon {ours:.2g}")
    finish("tasks", failures)


if __name__ == "__main__":
    main()
