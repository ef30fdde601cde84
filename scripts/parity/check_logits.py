#!/usr/bin/env python3
"""Logits of falcon, in float32, and of transformers, in float64, on the same ids: at most 1e-5 apart.

Both in float32 can be further apart, because both round: that difference, and the error of transformers in
float32, are printed and not judged.
"""

from common import arguments, falcon_json, finish, in_float64, load_model, prompts


def main():
    parser = arguments(__doc__)
    parser.add_argument("--tolerance", type=float, default=1e-5, help="absolute")
    options = parser.parse_args()
    import torch

    model = load_model(options)
    failures, worst, theirs, apart, largest = [], 0.0, 0.0, 0.0, 0.0
    for ids in prompts(model.config.vocab_size):
        with torch.no_grad():
            single = model.float()(torch.tensor([ids]), use_cache=False).logits[0].double()
            with in_float64():
                want = model.double()(torch.tensor([ids]), use_cache=False).logits[0]
        printed = falcon_json(
            options, "logits", options.model, "--ids", " ".join(map(str, ids)))["logits"]
        got = torch.tensor(printed, dtype=torch.float64)
        if got.shape != want.shape:
            failures.append(f"{len(ids)} ids: shape {list(got.shape)}, want {list(want.shape)}")
            continue
        error = (got - want).abs().max().item()
        worst, largest = max(worst, error), max(largest, want.abs().max().item())
        theirs = max(theirs, (single - want).abs().max().item())
        apart = max(apart, (single - got).abs().max().item())
        # Written so that NaN fails too.
        if not error <= options.tolerance:
            failures.append(f"{len(ids)} ids: largest error {error:.3g}, want {options.tolerance}")
        print(f"  {len(ids):3} ids: largest error {error:.3g}")
    print(f"logits: largest error {worst:.3g}, of transformers in float32 {theirs:.3g}, both in "
          f"float32 {apart:.3g} apart (largest logit {largest:.3g})")
    finish("logits", failures)


if __name__ == "__main__":
    main()
