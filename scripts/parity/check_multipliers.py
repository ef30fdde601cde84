#!/usr/bin/env python3
"""Learnable multipliers, folded at export, against the same model with its multipliers written out.

Trains a small model with each placement, tied and untied, exports it, and compares in transformers the
logits of the stock class with those of y = r * (W (c * x)), made of the trained W, r and c in the
checkpoint: at most 1e-5 apart. Also falcon's logits with the stock class's. transformers runs in float64,
so that only what folding changed, and falcon's own rounding, count: in float32 two orders of the same
operations can differ by more than that by themselves, as the printed difference of the two shows.
The same models as GGUF files: llama.cpp's logits are at most 1e-5 of the largest from falcon's.
A Falcon-Mamba goes through the same, but is not written out.
"""

import glob
import os
import tempfile
import types

from common import ROOT, arguments, falcon, finish, in_float64, load_model, prompts
import llama_cpp_model as llama


def multipliers_of(tensors, matrix):
    """The row multipliers of a matrix by their names, and its column multiplier or None."""
    prefix = f"multiplier.{matrix}."
    found = {name[len(prefix):]: tensors[name] for name in tensors if name.startswith(prefix)}
    column = found.pop("column_multiplier", None)
    return found, column


def written_out(model, tensors, part_rows):
    """Puts the trained matrices into a model and lets its modules multiply by r and c."""
    import torch

    for name in [key[len("master."):] for key in tensors if key.startswith("master.")]:
        module = model.get_submodule(name.removesuffix(".weight"))
        with torch.no_grad():
            module.weight.copy_(tensors["master." + name])
        parts, column = multipliers_of(tensors, name)
        row = torch.ones(module.weight.shape[0])
        start = 0
        for part, count in part_rows(name, module):
            for kind in ("row_multiplier", "multiplier"):
                value = parts.pop(kind + part, None)
                if value is not None:
                    row[start:start + count] = value
            start += count
        if parts or start != row.numel():
            raise SystemExit(f"{name}: unknown multipliers {sorted(parts)}")
        if isinstance(module, torch.nn.Embedding):
            scale = column if column is not None else torch.ones(module.weight.shape[1])
            module.register_forward_hook(
                lambda _, ids, y, row=row, scale=scale: row[ids[0]][..., None] * (y * scale))
            continue
        if column is not None:
            module.register_forward_pre_hook(lambda _, x, column=column: (x[0] * column,))
        module.register_forward_hook(lambda _, x, y, row=row: y * row)
    single = tensors.get("multiplier.model.embed_tokens.multiplier")
    if single is not None:
        # The table is the head too: its multiplier was folded into embedding_multiplier.
        model.model.embedding_multiplier /= float(single)
        model.model.embed_tokens.register_forward_hook(lambda _, ids, y: y * single)


def part_rows_of(config):
    """The parts of a matrix' rows, as (suffix, rows)."""
    state = config.mamba_n_groups * config.mamba_d_state
    parts = [(".z", config.mamba_d_ssm), (".x", config.mamba_d_ssm), (".B", state), (".C", state),
             (".dt", config.mamba_n_heads)]

    def part_rows(name, module):
        return parts if "in_proj" in name else [("", module.weight.shape[0])]
    return part_rows


def train(options, run, recipe, settings):
    settings = {
        "data.path": options.shards, "parametrization.kind": "learnable", "train.precision": "f32",
        "optimizer.learning_rate": "4.0e-3", "train.steps": "60", "schedule.warmup_tokens": "8192",
        "schedule.decay_tokens": "0", **settings}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    falcon(options, "pretrain", "--recipe", recipe, "--run", run, "--quiet", *words)


def check(options, name, folder, writes_out):
    """What differs for a trained model."""
    import safetensors.torch
    import torch

    run, hf = folder + "/run", folder + "/hf"
    falcon(options, "export", run, "--format", "hf", "--output", hf, "--quiet")
    path = sorted(glob.glob(run + "/checkpoints/*/optimizer.safetensors"))[-1]
    tensors = safetensors.torch.load_file(path)
    where = types.SimpleNamespace(hf=hf)
    stock = load_model(where)
    learned = torch.cat([tensors[name].flatten() for name in tensors
                         if name.startswith("multiplier.")])
    inputs = prompts(stock.config.vocab_size)

    def logits(model):
        with torch.no_grad():
            return [model(torch.tensor([ids]), use_cache=False).logits[0].double()
                    for ids in inputs]

    def apart(these, others):
        return max(llama.distance(a.numpy(), b.numpy()) for a, b in zip(these, others))

    got = [torch.from_numpy(llama.falcon_logits(options, run, ids)) for ids in inputs]
    loaded = llama.LlamaModel(llama.export(options, run, folder + "/f32.gguf"))
    other = [torch.from_numpy(loaded.logits(ids).astype("float64")) for ids in inputs]
    loaded.close()
    in_float32 = logits(stock)
    with in_float64():
        folded = logits(stock.double())
    words, worst = "", 0.0
    if writes_out:
        explicit = load_model(where)
        written_out(explicit, tensors, part_rows_of(stock.config))
        in_float32 = apart(in_float32, logits(explicit))
        with in_float64():
            worst = apart(folded, logits(explicit.double()))
        words = f" folded against written out {worst:.3g} (in float32 {in_float32:.3g});"
    ours, theirs, both = apart(folded, got), apart(folded, other), apart(got, other)
    largest = max(a.abs().max().item() for a in folded)
    print(f"  {name}: {learned.numel()} multipliers from {learned.min():.3f} to {learned.max():.3f};"
          f"{words} from folded falcon {ours:.3g}, llama.cpp {theirs:.3g}; falcon and llama.cpp "
          f"{both:.3g} apart, {both / largest:.3g} of the largest logit ({largest:.3g})", flush=True)
    # Written so that NaN fails too.
    failures = []
    if not (worst <= options.tolerance and ours <= options.tolerance):
        failures.append(f"{name}: {worst:.3g} and {ours:.3g}, want {options.tolerance}")
    if not both <= options.tolerance * largest:
        failures.append(f"{name}: llama.cpp {both:.3g} apart, want {options.tolerance} of {largest:.3g}")
    if not learned.sub(1).abs().max() > 0.01:
        failures.append(f"{name}: the multipliers have not moved")
    return failures


def main():
    parser = arguments(__doc__)
    parser.add_argument("--shards", default=os.path.join(ROOT, "demo/shards"))
    parser.add_argument("--recipe", default=os.path.join(ROOT, "recipes/studies/small.yaml"))
    parser.add_argument("--tolerance", type=float, default=1e-5, help="absolute")
    options = parser.parse_args()
    cases = [
        (f"{placement}, {'tied' if tied == 'true' else 'untied'}", options.recipe,
         {"parametrization.placement": placement, "model.tie_word_embeddings": tied})
        for placement in ("redundant", "symmetry_free", "scalar") for tied in ("false", "true")]
    cases.append(("falcon-mamba", "mamba-tiny", {
        "parametrization.start": "one", "model.num_hidden_layers": "4", "data.sequence_length": "256",
        "train.batch_tokens": "512", "train.micro_batch_sequences": "2"}))
    failures = []
    for name, recipe, settings in cases:
        with tempfile.TemporaryDirectory() as folder:
            train(options, folder + "/run", recipe, settings)
            failures += check(options, name, folder, writes_out=recipe == options.recipe)
    finish("multipliers", failures)


if __name__ == "__main__":
    main()
