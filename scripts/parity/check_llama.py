#!/usr/bin/env python3
"""GGUF files of falcon in llama.cpp: Falcon-H1, one with a norm after its scan, Falcon-Mamba and Mamba-2.

Every type: the file loads, and its perplexity on held-out text is that of the file that llama.cpp's own
quantiser makes of the float32 file, and that of falcon reading the same file, within 0.5 %. Where falcon
gives a tensor another type than llama.cpp (`ssm_out` of a Falcon-H1 without a norm after the scan, whose
inputs overflow in half precision), the quantiser is told falcon's, and what its own choice gives is printed.
In float32 also the logits, 64 greedy tokens after five prompts, and the ids of 1,000 texts.

Logits: llama.cpp and falcon both compute in float32, so both are judged by transformers in float64 on the
folder exported for it. falcon must be within 1e-5 of that, absolutely; llama.cpp within 1e-5 of falcon,
relative to the largest logit. All differences are printed.
"""

import os
import shutil
import sys
import tempfile
import types

from common import ROOT, arguments, falcon, finish, in_float64, load_model, prompts
from check_tokenizer import corpus_lines
import llama_cpp_model as llama

sys.path.insert(0, os.path.join(ROOT, "scripts", "fixtures"))

PROMPTS = [
    "Fellow citizens of the Senate and of the House of Representatives:", "The people of the United",
    "In the year 1862", "My fellow Americans,\n\n", "It is a matter of",
]
WINDOW = 512


def train(options, run, recipe, **settings):
    """60 steps on the demo's tokens; names of settings have __ for a point."""
    words = [word for key, value in settings.items()
             for word in ("--set", f"{key.replace('__', '.')}={value}")]
    falcon(options, "pretrain", "--recipe", recipe, "--run", run, "--quiet", "--set",
           f"data.path={options.shards}", "--set", "train.steps=60", "--set",
           "schedule.warmup_tokens=8192", "--set", "schedule.decay_tokens=0", *words)
    return run


def newest_checkpoint(run):
    folder = os.path.join(run, "checkpoints")
    return os.path.join(folder, sorted(os.listdir(folder))[-1])


def check_logits(options, model, loaded, folder, say):
    """Of falcon and llama.cpp in float32 and transformers in float64, on the ids of check_logits.py."""
    import torch

    hf = folder + "/hf"
    falcon(options, "export", model, "--format", "hf", "--output", hf, "--quiet")
    judge = load_model(types.SimpleNamespace(hf=hf)).double()
    ours = theirs = apart = largest = 0.0
    for ids in prompts(loaded.vocabulary_count):
        with torch.no_grad(), in_float64():
            want = judge(torch.tensor([ids]), use_cache=False).logits[0].numpy()
        got, other = llama.falcon_logits(options, model, ids), loaded.logits(ids).astype("float64")
        largest = max(largest, abs(want).max())
        ours, theirs, apart = (
            max(old, llama.distance(a, b))
            for old, a, b in ((ours, got, want), (theirs, other, want), (apart, got, other)))
    say(f"logits: falcon and llama.cpp {apart:.3g} apart, {apart / largest:.3g} of the largest logit "
        f"({largest:.4g}); from transformers in float64 falcon {ours:.3g}, llama.cpp {theirs:.3g}")
    # Written so that NaN fails too.
    failures = [] if ours <= 1e-5 else [f"falcon is {ours:.3g} from float64, want 1e-5"]
    return failures if apart <= 1e-5 * largest else failures + [
        f"llama.cpp and falcon are {apart / largest:.3g} of the largest logit apart, want 1e-5"]


def check_f32(options, model, loaded, folder, say):
    from tokenizer_json import ODD_STRINGS

    failures = check_logits(options, model, loaded, folder, say)
    tokenizer = newest_checkpoint(model)
    starts = llama.falcon_encode(options, tokenizer, PROMPTS)
    differences, closest = llama.compare_greedy(options, model, loaded, starts, 64)
    say(f"greedy: {len(starts) - len(differences)} of {len(starts)} texts of 64 tokens equal, closest "
        f"choice ahead by {closest:.3g}")
    failures += differences
    texts = ODD_STRINGS + corpus_lines(options.text, 1000)
    differences, count = llama.compare_ids(options, tokenizer, loaded, texts)
    say(f"token ids: {len(texts) - len(differences)} of {len(texts)} texts equal, {count} tokens")
    if len(texts) < 1000:
        failures.append(f"only {len(texts)} texts, want at least 1000")
    return failures + differences


def check_model(options, name, model, text_path, folder):
    """All types of one model."""
    failures = []

    def say(line):
        print(f"  {name}, {line}", flush=True)

    single = llama.export(options, model, f"{folder}/f32.gguf")
    loaded = llama.LlamaModel(single, WINDOW)
    failures += check_f32(options, model, loaded, folder, say)
    with open(text_path, encoding="utf-8") as file:
        ids = llama.falcon_encode(options, newest_checkpoint(model), [file.read()])[0]
    # `falcon eval` predicts the end of the document too.
    ids.append(loaded.model.token_eos())
    loaded.close()
    for type_name in llama.FILE_TYPES:
        ours, theirs = f"{folder}/ours.gguf", f"{folder}/theirs.gguf"
        llama.export(options, model, ours, type_name)
        own = llama.tensors_of(ours)
        llama.quantize(single, theirs, type_name)
        usual = llama.tensors_of(theirs)
        other = [(tensor, own[tensor][0]) for tensor in own if own[tensor][0] != usual[tensor][0]]
        note = ""
        if other:
            # falcon keeps what would overflow in a wider type; compare at the same types.
            usual_perplexity = perplexity_of(theirs, ids)
            note = f"; with llama.cpp's types {usual_perplexity:.5g}"
            if any(not tensor.endswith("ssm_out.weight") for tensor, _ in other):
                failures.append(f"{name}, {type_name}: other types than llama.cpp's: {other[:4]}")
            llama.quantize(single, theirs, type_name, [
                (tensor.replace(".", "\\."), int(number)) for tensor, number in other])
        want_tensors = llama.tensors_of(theirs)
        equal = sum(own[tensor] == want_tensors[tensor] for tensor in own)
        if any(own[tensor][0] != want_tensors[tensor][0] for tensor in own):
            # The quantiser takes orders for quantised types only.
            note += "; its own file is the float32 one here"
            shutil.copyfile(single, theirs)
        got, want = perplexity_of(ours, ids), perplexity_of(theirs, ids)
        falcons = llama.falcon_perplexity(options, ours, text_path, WINDOW)
        say(f"{type_name}: perplexity in llama.cpp {got:.5f}, of its own file {want:.5f} "
            f"({100 * (got / want - 1):+.3f} %), in falcon {falcons:.5f}; {equal} of {len(own)} "
            f"tensors byte for byte equal{note}")
        # Written so that NaN fails too.
        if not abs(got / want - 1) <= 0.005:
            failures.append(f"{name}, {type_name}: perplexity {got:.5g}, want {want:.5g} within 0.5 %")
        # Both could be wrong alike: infinite inputs become zeros in some types.
        if not abs(got / falcons - 1) <= 0.005:
            failures.append(f"{name}, {type_name}: perplexity {got:.5g}, in falcon {falcons:.5g}")
        os.remove(ours)
        os.remove(theirs)
    return failures


def perplexity_of(path, ids):
    loaded = llama.LlamaModel(path, WINDOW)
    try:
        return loaded.perplexity(ids, WINDOW)
    finally:
        loaded.close()


def main():
    parser = arguments(__doc__)
    parser.add_argument("--shards", default=os.path.join(ROOT, "demo/shards"))
    parser.add_argument("--text", action="append", help="files or folders; default: demo/text")
    parser.add_argument("--only", help="one of the models, by its name in what is printed")
    parser.add_argument("--mamba", help="a Falcon-Mamba; default: train one")
    options = parser.parse_args()
    options.text = options.text or [os.path.join(ROOT, "demo/text")]
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        text_path = folder + "/held-out.txt"
        with open(text_path, "w", encoding="utf-8") as file:
            file.write(llama.held_out_text(options.text, 100_000))
        small = os.path.join(ROOT, "recipes/studies/small.yaml")
        models = {
            "falcon-h1": lambda run: options.model,
            "falcon-h1 with a norm": lambda run: train(
                options, run, small, model__mamba_rms_norm="true", model__mamba_n_groups=2,
                model__hidden_size=256, model__mamba_d_ssm=256, model__mamba_n_heads=8,
                optimizer__learning_rate="4.0e-3"),
            "falcon-mamba": lambda run: options.mamba or train(options, run, "mamba-tiny"),
            "mamba2": lambda run: train(options, run, "mamba2-tiny", model__n_groups=2),
        }
        for name, make in models.items():
            if options.only not in (None, name):
                continue
            work = f"{folder}/{name.replace(' ', '-')}"
            os.mkdir(work)
            failures += check_model(options, name, make(work + "/run"), text_path, work)
    finish("llama.cpp", failures)


if __name__ == "__main__":
    main()
