#!/usr/bin/env python3
"""Learnable multipliers, folded at export, against the same model with its multipliers written out.

Trains a small model with each placement, tied and untied, exports it, and compares in transformers the
logits of the stock class with those of y = r * (W (c * x)), made of the trained W, r and c in the
checkpoint: at most 1e-5 apart. Also falcon's logits with the stock class's. transformers runs in float64,
so that only what folding changed, and falcon's own rounding, count: in float32 two orders of the same
operations can differ by more than that by themselves, as the printed difference of the two shows.
"""

import glob
import os
import tempfile
import types

from common import (
    ROOT, arguments, falcon, falcon_json, finish, in_float64, load_model, prompts)


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


def main():
    parser = arguments(__doc__)
    parser.add_argument("--shards", default=os.path.join(ROOT, "demo/shards"))
    parser.add_argument("--recipe", default=os.path.join(ROOT, "recipes/studies/small.yaml"))
    parser.add_argument("--tolerance", type=float, default=1e-5, help="absolute")
    options = parser.parse_args()
    import safetensors.torch
    import torch

    failures = []
    for placement in ("redundant", "symmetry_free", "scalar"):
        for tied in ("false", "true"):
            with tempfile.TemporaryDirectory() as folder:
                run, hf = folder + "/run", folder + "/hf"
                settings = {
                    "data.path": options.shards, "parametrization.kind": "learnable",
                    "parametrization.placement": placement, "model.tie_word_embeddings": tied,
                    "optimizer.learning_rate": "4.0e-3", "train.precision": "f32",
                    "train.steps": "60", "schedule.warmup_tokens": "8192",
                    "schedule.decay_tokens": "0"}
                words = [word for key, value in settings.items()
                         for word in ("--set", f"{key}={value}")]
                falcon(options, "pretrain", "--recipe", options.recipe, "--run", run, "--quiet",
                       *words)
                falcon(options, "export", run, "--format", "hf", "--output", hf, "--quiet")
                path = sorted(glob.glob(run + "/checkpoints/*/optimizer.safetensors"))[-1]
                tensors = safetensors.torch.load_file(path)
                where = types.SimpleNamespace(hf=hf)
                stock, explicit = load_model(where), load_model(where)
                written_out(explicit, tensors, part_rows_of(stock.config))
                learned = torch.cat([tensors[name].flatten() for name in tensors
                                     if name.startswith("multiplier.")])
                inputs = prompts(stock.config.vocab_size)

                def logits(model):
                    with torch.no_grad():
                        return [model(torch.tensor([ids]), use_cache=False).logits[0].double()
                                for ids in inputs]

                def apart(these, others):
                    return max((a - b).abs().max().item() for a, b in zip(these, others))

                got = [torch.tensor(falcon_json(
                    options, "logits", run, "--ids", " ".join(map(str, ids)))["logits"],
                    dtype=torch.float64) for ids in inputs]
                in_float32 = apart(logits(stock), logits(explicit))
                with in_float64():
                    folded = logits(stock.double())
                    worst = apart(folded, logits(explicit.double()))
                ours = apart(folded, got)
                largest = max(a.abs().max().item() for a in folded)
                name = f"{placement}, {'tied' if tied == 'true' else 'untied'}"
                print(f"  {name}: {learned.numel()} multipliers from {learned.min():.3f} to "
                      f"{learned.max():.3f}; folded against written out {worst:.3g} (in float32 "
                      f"{in_float32:.3g}), falcon against folded {ours:.3g} "
                      f"(largest logit {largest:.3g})")
                # Written so that NaN fails too.
                if not (worst <= options.tolerance and ours <= options.tolerance):
                    failures.append(f"{name}: {worst:.3g} and {ours:.3g}, want {options.tolerance}")
                if not learned.sub(1).abs().max() > 0.01:
                    failures.append(f"{name}: the multipliers have not moved")
    finish("multipliers", failures)


if __name__ == "__main__":
    main()
