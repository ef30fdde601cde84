#!/usr/bin/env python3
"""The gradient of a step of several ranks, compared with that of PyTorch in one process.

    check_ranks.py [--falcon PROGRAM] [--ranks N ...] [--launcher WORDS] [--tolerance NUMBER]

A Falcon-H1 and a Falcon-Mamba with weights of transformers train one step on documents of many lengths. Without
clipping, the first moment after it is (1 - beta1) times the gradient of the mean loss of the whole batch. PyTorch
takes the same tokens, each document by itself. Wants mpirun and, beside falcon, the library of `make mpi`.
"""

import glob
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile

from common import arguments, falcon, finish, in_float64, token_stream

VOCABULARY, LENGTH, SEQUENCES, LEAVES, BETA = 320, 96, 16, 4, 0.9


def write_corpus(path):
    """Documents of 1 to 60 words: a sequence holds some, one and padding, or a part of one."""
    generator = random.Random(0)
    words = ["".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(1, 9)))
             for _ in range(400)]
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(400):
            count = generator.choice([1, 4, 12, 14, 16, 60])
            file.write(json.dumps({"text": " ".join(generator.choices(words, k=count))}) + "\n")


def models():
    """Configurations, by name: multipliers are not 1, groups more than one, weights tied and not."""
    import transformers

    common = {"vocab_size": VOCABULARY, "hidden_size": 48, "num_hidden_layers": 3, "pad_token_id": None,
              "bos_token_id": 1, "eos_token_id": 2, "use_cache": False}
    yield transformers.FalconH1ForCausalLM, transformers.FalconH1Config(
        **common, intermediate_size=80, num_attention_heads=4, num_key_value_heads=2, head_dim=12,
        mamba_d_ssm=64, mamba_n_heads=8, mamba_d_head=8, mamba_n_groups=2, mamba_d_state=16, mamba_d_conv=4,
        mamba_chunk_size=16, mamba_expand=2, mamba_rms_norm=False, mamba_norm_before_gate=False,
        max_position_embeddings=LENGTH, tie_word_embeddings=False,
        embedding_multiplier=3.0, lm_head_multiplier=0.5, attention_in_multiplier=0.9,
        attention_out_multiplier=0.8, key_multiplier=0.7, ssm_in_multiplier=1.2, ssm_out_multiplier=0.6,
        ssm_multipliers=[0.9, 0.8, 0.7, 1.1, 1.2], mlp_multipliers=[0.9, 0.6])
    yield transformers.FalconMambaForCausalLM, transformers.FalconMambaConfig(
        **common, intermediate_size=96, state_size=16, conv_kernel=4, time_step_rank=3,
        tie_word_embeddings=True)


def samples(options, recipe, tokens):
    """The sequences of the first step: lists of pieces of the stream, each with the token after it."""
    lines = falcon(options, "data", "order", "--recipe", recipe, "--steps", "1").splitlines()
    for sample in map(json.loads, lines):
        yield [tokens[piece["first_token"]:piece["first_token"] + piece["tokens"] + 1]
               for piece in sample["pieces"]]


def documents(samples, end):
    """What is learnt from each document: inputs and as many targets. The end of one has no successor."""
    for pieces in samples:
        for piece in pieces:
            begin = 0
            for place, token in enumerate(piece[:-1]):
                if token == end or place == len(piece) - 2:
                    scored = place + (token != end)
                    if scored > begin:
                        yield piece[begin:scored], piece[begin + 1:scored + 1]
                    begin = place + 1


def gradient(model, found):
    """That of the mean loss, by parameter."""
    import torch

    model.zero_grad()
    count = sum(len(inputs) for inputs, _ in found)
    for inputs, targets in found:
        logits = model(torch.tensor([inputs]), use_cache=False).logits[0]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="sum")
        (loss / count).backward()
    return {name: parameter.grad.double() for name, parameter in model.named_parameters()}


def trained(options, recipe, run, ranks):
    """The gradient that falcon has trained with, from the first moments of its checkpoint."""
    import safetensors.torch

    line = [options.falcon, "pretrain", "--recipe", recipe, "--run", run, "--quiet", "--threads", "1"]
    launcher = shlex.split(options.launcher) + ["-n", str(ranks)]
    result = subprocess.run(launcher + line, stdout=subprocess.DEVNULL, check=False)
    if result.returncode != 0:
        sys.exit(f"falcon pretrain on {ranks} ranks ended with status {result.returncode}")
    with open(run + "/metrics.jsonl", encoding="utf-8") as file:
        metrics = json.loads(file.readline())
    if metrics.get("ranks", {"count": 1})["count"] != ranks:
        sys.exit(f"{options.launcher} -n {ranks} made other ranks: {metrics.get('ranks')}")
    [path] = glob.glob(run + "/checkpoints/*/optimizer.safetensors")
    prefix = "first_moment."
    return {name.removeprefix(prefix): tensor.double() / (1 - BETA)
            for name, tensor in safetensors.torch.load_file(path).items() if name.startswith(prefix)}


def distance(these, others):
    """The largest of the tensors' relative differences, and its tensor."""
    if these.keys() != others.keys():
        sys.exit(f"other tensors: {sorted(these.keys() ^ others.keys())}")
    # NaN compares with nothing, so it must not be lost in a maximum.
    found = {name: ((these[name] - other).norm() / other.norm()).item() for name, other in others.items()}
    worst = max(found, key=lambda name: found[name] if found[name] == found[name] else float("inf"))
    return found[worst], worst


def check(options, folder, shards, packing, kind, config):
    """What differs for a model and a way to pack."""
    import torch

    torch.manual_seed(0)
    name = f"{config.model_type}, {packing}"
    place = f"{folder}/{config.model_type}-{packing}"
    config._attn_implementation = "eager"
    model = kind(config).train()
    with torch.no_grad():
        # Fresh weights leave biases and norms at 0 and 1, where a mistake could hide.
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(place + "-hf")
    section = falcon(options, "ckpt", "info", place + "-hf", "--recipe")
    recipe = place + ".yaml"
    with open(recipe, "w", encoding="utf-8") as file:
        file.write(section + f"""
name: ranks
data: {{path: {shards}, sequence_length: {LENGTH}, packing: {packing}}}
optimizer: {{kind: adamw, betas: [{BETA}, 0.95]}}
schedule: {{warmup_tokens: 0}}
train:
  initial_model: {place}-hf
  steps: 1
  batch_tokens: {LENGTH * SEQUENCES}
  micro_batch_sequences: 2
  leaves: {LEAVES}
  clip_norm: null
evaluation: {{every_steps: null}}
""")
    with open(shards + "/index.json", encoding="utf-8") as file:
        end = json.load(file)["end_of_document_id"]
    tokens = token_stream(shards, "train").tolist()
    found = list(documents(samples(options, recipe, tokens), end))
    in_float32 = gradient(model, found)
    with in_float64():
        exact = gradient(model.double(), found)
    noise, where = distance(in_float32, exact)
    print(f"{name}: {len(found)} documents, {sum(len(inputs) for inputs, _ in found)} targets in "
          f"{LENGTH * SEQUENCES} rows; PyTorch in "
          f"float32 is {noise:.2g} from PyTorch in float64 ({where})", flush=True)
    failures, first = [], None
    for ranks in options.ranks:
        got = trained(options, recipe, f"{place}-{ranks}", ranks)
        first = first or got
        (apart, where), (error, place_of_error) = distance(got, in_float32), distance(got, exact)
        print(f"  {ranks} ranks: {apart:.2g} from float32 ({where}), {error:.2g} from float64 "
              f"({place_of_error})", flush=True)
        if not all(torch.equal(got[tensor], other) for tensor, other in first.items()):
            failures.append(f"{name}: the bits of {ranks} ranks are not those of {options.ranks[0]}")
        if not (apart <= options.tolerance and error <= options.tolerance):
            failures.append(f"{name}, {ranks} ranks: {apart:.3g} and {error:.3g}, want {options.tolerance}")
    return failures


def main():
    parser = arguments(__doc__)
    parser.add_argument("--ranks", type=int, action="append")
    parser.add_argument("--launcher", default="mpirun", help="mpirun with its options but -n")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args()
    options.ranks = options.ranks or [1, 2, 4]
    options.falcon = os.path.abspath(options.falcon)
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(folder + "/corpus.jsonl")
        tokenizer, shards = folder + "/tok.model", folder + "/shards"
        falcon(options, "tokenizer", "train", "--input", folder + "/corpus.jsonl", "--vocab-size",
               str(VOCABULARY), "--output", tokenizer, "--quiet")
        falcon(options, "tokenize", "--tokenizer", tokenizer, "--output", shards, "--quiet",
               folder + "/corpus.jsonl")
        for packing in ["split", "best_fit"]:
            for kind, config in models():
                failures += check(options, folder, shards, packing, kind, config)
    finish("ranks", failures)


if __name__ == "__main__":
    main()
