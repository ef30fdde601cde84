#!/usr/bin/env python3
"""Token shards as files of other trainers, read by their own readers.

Megatron-LM's IndexedDataset reads what `falcon data convert --to megatron` wrote, and falcon reads what its
IndexedDatasetBuilder wrote. MosaicML's StreamingDataset reads what `--to mds` wrote, and falcon reads what its MDSWriter
wrote. The files of llm.c, nanoGPT and OLMo-core are arrays, which numpy reads. All must hold the documents of the
shards, which zstd and numpy read here. Blends are taken apart as Megatron-LM's get_blend_from_list does it.
"""

import importlib
import importlib.util
import json
import os
import sys
import tempfile
import types

import mosaic
import numpy
from common import ROOT, arguments, falcon, falcon_json, token_stream


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
    """The documents of a split."""
    stream = token_stream(shards, split)
    places = numpy.flatnonzero(stream == end)
    return [part[part != end] for part in numpy.split(stream, places + 1)[:-1]]


def require(condition, what):
    print(f"{'ok' if condition else 'DIFFERENT'}: {what}")
    if not condition:
        sys.exit(1)


def equal(a, b):
    return len(a) == len(b) and all(numpy.array_equal(x, y) for x, y in zip(a, b, strict=True))


def check_mosaic(options, shards, split, wanted, end, folder):
    """MosaicML's streaming, both ways."""
    whole = [numpy.append(document, end) for document in wanted]
    for more in [[], ["--compress"]]:
        local = f"{folder}/mds{len(more)}-{split}"
        falcon(options, "data", "convert", shards, "--to", "mds", "--output", local, *more)
        dataset = mosaic.StreamingDataset(
            local=f"{local}/{split}", shuffle=False, batch_size=1, validate_hash="sha256")
        got = [dataset[place]["tokens"].astype(numpy.int64) for place in range(len(dataset))]
        require(equal(got, whole), f"{split}: StreamingDataset {' '.join(more)}, {len(got)} documents")
    for encoding, compression, hashes in [
            ("ndarray:uint16", None, ["sha256"]), ("ndarray:int32", "zstd", ["sha1", "sha256"]),
            ("ndarray:uint32", "zstd:9", []), ("ndarray", "gz", ["md5"]), ("bytes", "bz2", [])]:
        local = f"{folder}/written-{split}-{encoding.replace(':', '-')}"
        kind = encoding.partition(":")[2] or "int64"
        with mosaic.MDSWriter(
                out=local, columns={"tokens": encoding}, compression=compression, hashes=hashes,
                size_limit=1 << 20) as writer:
            for document in whole:
                array = numpy.array(document, kind)
                writer.write({"tokens": array.tobytes() if encoding == "bytes" else array})
        falcon(options, "data", "convert", local, "--from", "mds", "--tokenizer", shards, "--output",
               local + "-shards")
        require(
            equal(documents(local + "-shards", "train", end), wanted),
            f"{split}: what MDSWriter wrote, {encoding}, {compression}, hashes {hashes}")


def check_blends(options, shards):
    """Megatron-LM's blends as mixtures."""
    module = importlib.import_module("megatron.core.datasets.utils")
    for words in [["0.7", shards, "0.3", shards + "/."], ["30", shards, "70.5", shards + "/."],
                  ["1e-3", shards, ".25", shards + "/."], [shards, shards + "/."],
                  [shards, shards + "/.", shards + "/./."]]:
        prefixes, weights = module.get_blend_from_list(words)
        mix = falcon_json(options, "data", "mix", "--from", "megatron", *words)["mix"]
        shares = [part["weight"] for part in mix]
        wanted = weights or [part["tokens"] for part in mix]
        require(
            [part["path"] for part in mix] == prefixes and numpy.allclose(
                numpy.array(shares) / sum(shares), numpy.array(wanted) / sum(wanted), atol=1e-8, rtol=0),
            f"a blend of {len(prefixes)}, {'weighted' if weights else 'by size'}")


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
            check_mosaic(options, shards, split, wanted, end, folder)
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
    check_blends(options, shards)
    print("conversion: passed")


main()
