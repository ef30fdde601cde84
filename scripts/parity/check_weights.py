#!/usr/bin/env python3
"""The files of weights, read by the safetensors library: the export holds the checkpoint's numbers."""

import glob
import json
import os

from common import arguments, finish


def tensors(folder):
    """All tensors of a folder, single or sharded, and the types."""
    from safetensors import safe_open

    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "model*.safetensors"))):
        with safe_open(path, framework="pt") as file:
            if file.metadata() != {"format": "pt"}:
                raise SystemExit(f"{path}: metadata is {file.metadata()}")
            for name in file.keys():
                if name in found:
                    raise SystemExit(f"{path}: {name} is in two files")
                found[name] = file.get_tensor(name)
    index = os.path.join(folder, "model.safetensors.index.json")
    if os.path.exists(index):
        with open(index, encoding="utf-8") as file:
            if set(json.load(file)["weight_map"]) != set(found):
                raise SystemExit(f"{index} does not list the tensors of the files")
    return found


def newest_checkpoint(path):
    steps = sorted(glob.glob(os.path.join(path, "checkpoints", "step-????????")))
    return steps[-1] if steps else path


def main():
    options = arguments(__doc__).parse_args()
    import torch

    source, exported = tensors(newest_checkpoint(options.model)), tensors(options.hf)
    failures = [f"{name}: missing from the export" for name in source.keys() - exported.keys()]
    failures += [f"{name}: not in the checkpoint" for name in exported.keys() - source.keys()]
    for name in sorted(source.keys() & exported.keys()):
        # The export may round to a smaller type, to nearest, ties to even: so does torch.
        if not torch.equal(source[name].to(exported[name].dtype), exported[name]):
            failures.append(f"{name}: other numbers than in the checkpoint")
    count = sum(tensor.numel() for tensor in exported.values())
    print(f"weights: {len(exported)} tensors, {count} parameters compared")
    finish("weights", failures)


if __name__ == "__main__":
    main()
