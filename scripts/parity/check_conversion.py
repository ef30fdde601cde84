#!/usr/bin/env python3
"""Token shards as files of other trainers, read by their own readers.

Megatron-LM's IndexedDataset reads what `falcon data convert --to megatron` wrote, and falcon reads what its
IndexedDatasetBuilder wrote. The files of llm.c, nanoGPT and OLMo-core are arrays, which numpy reads. All must hold
the documents of the shards, which zstd and numpy read here.
"""

import glob
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types

import numpy
from common import ROOT, arguments, falcon


def indexed_dataset():
    """megatron.core.datasets.indexed_dataset, without the rest of its package, which wants a GPU."""
    found = importlib.util.find_spec("megatron")
    folder = os.path.join(list(found.submodule_search_locations)[0], "core")
    for name, path in [("megatron.core", folder), ("megatron.core.datasets", folder + "/datasets")]:
        module = types.ModuleType(name)
        module.__path__ = [path]
        sys.modules[name] = module
    utils = types.ModuleType("megatron.core.utils")
    utils.log_single_rank = lambda logger, *arguments, **options: logger.log(*arguments)
    sys.modules["megatron.core.utils"] = utils
    import megatron.core.datasets.indexed_dataset as module

    return module


def documents(shards, split, end):
    """The documents of a split, by zstd."""
    raw = b"".join(
        subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
        for path in sorted(glob.glob(f"{shards}/{split}-*.tok.zst")))
    stream = numpy.frombuffer(raw, dtype="<u2").astype(numpy.int64)
    places = numpy.flatnonzero(stream == end)
    return [part[part != end] for part in numpy.split(stream, places + 1)[:-1]]


def require(condition, what):
    print(f"{'ok' if condition else 'DIFFERENT'}: {what}")
    if not condition:
        sys.exit(1)


def equal(a, b):
    return len(a) == len(b) and all(numpy.array_equal(x, y) for x, y in zip(a, b, strict=True))


def main():
    parser = arguments(__doc__)
    parser.add_argument("--shards", default=os.path.join(ROOT, "demo/shards"))
    options = parser.parse_args()
    shards = options.shards
    with open(f"{shards}/index.json", encoding="utf-8") as file:
        index = json.load(file)
    end = index["end_of_document_id"]
    indexed = indexed_dataset()
    with tempfile.TemporaryDirectory() as folder:
        for name in ["megatron", "llm.c", "nanogpt", "olmo-core"]:
            falcon(options, "data", "convert", shards, "--to", name, "--output", f"{folder}/{name}")
        for split in ["train", "validation"]:
            wanted = documents(shards, split, end)
            whole = [numpy.append(document, end) for document in wanted]
            stream = numpy.concatenate(whole)
            dataset = indexed.IndexedDataset(f"{folder}/megatron/{split}")
            got = [dataset[place].astype(numpy.int64) for place in range(len(dataset))]
            require(equal(got, whole), f"{split}: Megatron's IndexedDataset, {len(got)} documents")
            require(
                numpy.array_equal(dataset.document_indices, numpy.arange(len(whole) + 1)),
                f"{split}: its document indices")
            path = f"{folder}/llm.c/{split}_000000.bin"
            header = numpy.fromfile(path, dtype="<i4", count=256)
            tokens = numpy.fromfile(path, dtype="<u2", offset=1024)
            require(
                list(header[:3]) == [20240520, 1, len(stream)]
                and numpy.array_equal(tokens, numpy.append(end, stream[:-1])), f"{split}: llm.c")
            for name, ending in [("nanogpt", "bin"), ("olmo-core", "npy")]:
                tokens = numpy.memmap(f"{folder}/{name}/{split}.{ending}", dtype="<u2", mode="r")
                require(numpy.array_equal(tokens, stream), f"{split}: {name}")
            for type_ in [numpy.uint16, numpy.int32]:
                path = f"{folder}/built-{split}-{numpy.dtype(type_).name}"
                builder = indexed.IndexedDatasetBuilder(path + ".bin", dtype=type_)
                for document in whole:
                    builder.add_document(document, [len(document)])
                builder.finalize(path + ".idx")
                falcon(
                    options, "data", "convert", path, "--from", "megatron", "--tokenizer", shards,
                    "--output", path + "-shards")
                require(
                    equal(documents(path + "-shards", "train", end), wanted),
                    f"{split}: what Megatron's builder wrote, {numpy.dtype(type_).name}")
    print("conversion: passed")


main()
