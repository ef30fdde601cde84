"""A GGUF file in llama.cpp, and what is measured on both sides."""

import ctypes
import hashlib
import glob
import json
import math
import os

from common import falcon, falcon_json

# The numbers of `llama_ftype` in llama.h.
FILE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7, "q4_k_m": 15, "q6_k": 18, "bf16": 32}
_kept = []


def _silence():
    """Keeps llama.cpp from writing a page about every file."""
    import llama_cpp

    if not _kept:
        _kept.append(llama_cpp.llama_log_callback(lambda level, text, data: None))
        llama_cpp.llama_log_set(_kept[0], ctypes.c_void_p(0))


class LlamaModel:
    """A file as llama.cpp computes it: on two threads, keys and values in float32, attention step by step."""

    def __init__(self, path, context=512):
        _silence()
        import llama_cpp

        self.model = llama_cpp.Llama(
            path, n_ctx=context, n_batch=context, n_ubatch=context, n_threads=2, n_threads_batch=2,
            logits_all=True, type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32,
            flash_attn=False, n_gpu_layers=0, verbose=False)
        self.vocabulary_count = self.model.n_vocab()

    def close(self):
        self.model.close()

    def tokenize(self, text):
        """Ids of a text in which special tokens mean nothing."""
        return self.model.tokenize(text.encode(), add_bos=False, special=False)

    def logits(self, ids):
        """A row for each id; valid until the next call."""
        self.model.reset()
        self.model.eval(ids)
        return self.model.scores[:len(ids)]

    def greedy(self, ids, count):
        """The ids that follow, each the most probable one; and by how much the closest was ahead."""
        row, found, closest = self.logits(ids)[-1], [], math.inf
        while True:
            first = int(row.argmax())
            best = row[first]
            row[first] = -math.inf
            closest = min(closest, float(best - row.max()))
            found.append(first)
            if len(found) == count:
                return found, closest
            self.model.eval([first])
            row = self.model.scores[len(ids) + len(found) - 1]

    def perplexity(self, ids, window):
        """Of every id but the first, in windows that do not see each other, as `falcon eval` does."""
        import numpy

        nats, start = 0.0, 0
        while start < len(ids) - 1:
            end = min(start + window, len(ids) - 1)
            rows, targets = self.logits(ids[start:end]), ids[start + 1:end + 1]
            for place in range(0, len(targets), 128):
                part = rows[place:place + 128].astype(numpy.float64)
                largest = part.max(axis=1, keepdims=True)
                total = numpy.log(numpy.exp(part - largest).sum(axis=1)) + largest[:, 0]
                want = targets[place:place + 128]
                nats += float((total - part[numpy.arange(len(want)), want]).sum())
            start = end
        return math.exp(nats / (len(ids) - 1))


def quantize(source, target, type_name, overrides=()):
    """llama.cpp's own quantiser; `overrides` are pairs of a pattern of names and a type's number."""
    _silence()
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread, parameters.pure = FILE_TYPES[type_name], 2, False
    if overrides:
        table = (llama_cpp.llama_model_tensor_override * (len(overrides) + 1))()
        for entry, (pattern, number) in zip(table, overrides):
            entry.pattern, entry.type = pattern.encode(), number
        parameters.tt_overrides = table
    status = llama_cpp.llama_model_quantize(
        source.encode(), target.encode(), ctypes.byref(parameters))
    if status != 0:
        raise SystemExit(f"llama_model_quantize ended with status {status}")


def tensors_of(path):
    """Type and bytes of every tensor of a file."""
    from gguf import GGUFReader

    return {tensor.name: (tensor.tensor_type, tensor.data.tobytes())
            for tensor in GGUFReader(path).tensors}


def export(options, model, path, type_name="f32"):
    falcon(options, "export", model, "--format", "gguf", "--quantize", type_name, "--output", path,
           "--quiet")
    return path


def held_out_text(paths, byte_count):
    """Texts that `falcon tokenize` keeps for validation: whose digest, as a fraction, is below 0.05."""
    found = b""
    for name in sorted(name for path in paths for name in glob.glob(os.path.join(path, "*.txt"))):
        with open(name, "rb") as file:
            text = file.read()
        if hashlib.sha256(text).hexdigest() < "0ccccccccccccccd":
            found += text
    return found[:byte_count].decode("utf-8", errors="ignore")


def distance(these, others):
    """The largest difference; infinite if any is not a number."""
    largest = float(abs(these - others).max())
    return largest if largest == largest else math.inf


def falcon_logits(options, model, ids):
    import numpy

    return numpy.array(falcon_json(
        options, "logits", model, "--ids", " ".join(map(str, ids)))["logits"])


def falcon_greedy(options, model, ids, count):
    printed = falcon(
        options, "generate", model, "--ids", " ".join(map(str, ids)), "--max-tokens",
        str(count), "--temperature", "0", "--output-ids", "--ignore-end", "--quiet")
    return [int(word) for word in printed.split()]


def falcon_perplexity(options, model, path, window):
    score = falcon_json(
        options, "eval", model, "--text", path, "--sequence-length", str(window))
    return score["texts"][path]["perplexity"]


def falcon_encode(options, tokenizer, texts):
    printed = falcon(
        options, "tokenizer", "encode", "--tokenizer", tokenizer,
        text="".join(json.dumps(text) + "\n" for text in texts))
    return [json.loads(line) for line in printed.splitlines()]


def compare_ids(options, tokenizer, llama, texts):
    """What differs, and how many ids were compared."""
    rows = falcon_encode(options, tokenizer, texts)
    failures = [] if len(rows) == len(texts) else [f"{len(rows)} lists of ids for {len(texts)} texts"]
    for text, got in zip(texts, rows):
        want = llama.tokenize(text)
        if got != want:
            failures.append(f"{text!r}: falcon {got[:12]}, llama.cpp {want[:12]}")
    return failures, sum(map(len, rows))


def compare_greedy(options, model, llama, prompts, count):
    """What differs, and the closest choice."""
    failures, closest = [], math.inf
    for ids in prompts:
        want, lead = llama.greedy(ids, count)
        got = falcon_greedy(options, model, ids, count)
        closest = min(closest, lead)
        if got != want:
            equal = next((place for place, pair in enumerate(zip(got, want)) if pair[0] != pair[1]),
                         min(len(got), len(want)))
            failures.append(f"prompt {ids[:8]}: {equal} of {count} greedy tokens equal; the closest "
                            f"choice was ahead by {lead:.3g}")
    return failures, closest
