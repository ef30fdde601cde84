"""What the parity checks share: running falcon, and where the model is."""

import argparse
import contextlib
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Nothing here may reach for the network: a missing file must fail, not download.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")
# Spinning threads would starve whatever runs beside the checks.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def arguments(description):
    """The options of every check."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--falcon", default=os.path.join(ROOT, ".build/release/falcon"))
    parser.add_argument("--hf", default=os.path.join(ROOT, "demo/hf"), help="the exported folder")
    parser.add_argument("--model", default=os.path.join(ROOT, "demo/run"), help="falcon's model")
    return parser


def falcon(options, *words, text=None):
    """Runs falcon and returns what it prints; its own messages pass through."""
    result = subprocess.run(
        [options.falcon, *words], input=text, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    if result.returncode != 0:
        sys.exit(f"falcon {' '.join(words[:2])} ... ended with status {result.returncode}")
    return result.stdout


def falcon_json(options, *words):
    return json.loads(falcon(options, *words, "--json"))


def token_stream(shards, split):
    """The tokens of a split in one array, by zstd; documents end with a token of their own."""
    import numpy

    raw = b"".join(
        subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
        for path in sorted(glob.glob(f"{shards}/{split}-*.tok.zst")))
    return numpy.frombuffer(raw, dtype="<u2").astype(numpy.int64)


def load_model(options):
    """The exported folder in transformers, float32, without the fused attention."""
    import torch
    import transformers

    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        options.hf, dtype=torch.float32, attn_implementation="eager", local_files_only=True)
    return model.eval()


@contextlib.contextmanager
def in_float64():
    """transformers casts to float32 inside of norms, rotary and scan; here it casts to float64."""
    import torch

    kept = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.Tensor.float = kept


def prompts(vocabulary_count, end=None, count=8, longest=96):
    """The same ids in every run, of several lengths; without the end of documents."""
    import numpy

    generator = numpy.random.default_rng(0)
    lengths = [1, 2, 3, 7, 16, 31, 64, longest][:count]
    found = []
    for length in lengths:
        ids = generator.integers(1, vocabulary_count, size=length).tolist()
        found.append([token if token != end else 1 for token in ids])
    return found


def finish(name, failures):
    """Ends the check: status 0 if nothing failed."""
    if failures:
        print(f"{name}: FAILED")
        for failure in failures[:20]:
            print(f"  {failure}")
        if len(failures) > 20:
            print(f"  and {len(failures) - 20} more")
        sys.exit(1)
    print(f"{name}: passed")
