"""Writes a Hugging Face folder of Falcon-Mamba-7B's shape with random bfloat16 weights, tensor by tensor,
to measure what reading and exporting a large model takes.

    python3 scripts/bench/large_model.py FOLDER

Needs no package. Weights are normal numbers from a pattern of a million, norms are ones.
"""

import json
import os
import random
import struct
import sys

SHARD_BYTES = 5_000_000_000


def model():
    d, layers, vocab, inner, rank, state, taps = 4096, 64, 65024, 8192, 256, 16, 4
    config = dict(
        model_type="falcon_mamba", architectures=["FalconMambaForCausalLM"], vocab_size=vocab,
        hidden_size=d, num_hidden_layers=layers, intermediate_size=inner, expand=2,
        state_size=state, conv_kernel=taps, time_step_rank=rank, layer_norm_epsilon=1e-5,
        mixer_rms_eps=1e-5, tie_word_embeddings=False, hidden_act="silu", use_bias=False,
        use_conv_bias=True)
    yield config
    yield "backbone.embeddings.weight", (vocab, d)
    for i in range(layers):
        p = f"backbone.layers.{i}."
        yield p + "norm.weight", (d,)
        p += "mixer."
        yield p + "A_log", (inner, state)
        yield p + "D", (inner,)
        yield p + "conv1d.weight", (inner, 1, taps)
        yield p + "conv1d.bias", (inner,)
        yield p + "in_proj.weight", (2 * inner, d)
        yield p + "x_proj.weight", (rank + 2 * state, inner)
        yield p + "dt_proj.weight", (inner, rank)
        yield p + "dt_proj.bias", (inner,)
        yield p + "out_proj.weight", (d, inner)
    yield "backbone.norm_f.weight", (d,)
    yield "lm_head.weight", (vocab, d)


def bfloat16(value):
    return struct.unpack("<I", struct.pack("<f", value))[0] >> 16


def count(shape):
    result = 1
    for length in shape:
        result *= length
    return result


def main():
    folder = sys.argv[1]
    source = model()
    config = next(source)
    tensors = list(source)
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    random.seed(0)
    numbers = [random.gauss(0, 0.02) for _ in range(1_000_003)]
    # What writes to the residual stream is smaller, as in fresh models: rounding then stays small too.
    patterns = {
        scale: b"".join(struct.pack("<H", bfloat16(scale * number)) for number in numbers)
        for scale in (1, 1 / 64)}
    ones = struct.pack("<H", bfloat16(1.0))
    shards, size = [[]], 0
    for tensor in tensors:
        if size and size + 2 * count(tensor[1]) > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append(tensor)
        size += 2 * count(tensor[1])
    weight_map = {}
    for number, shard in enumerate(shards):
        file_name = f"model-{number + 1:05}-of-{len(shards):05}.safetensors"
        header, offset = {}, 0
        for tensor, shape in shard:
            end = offset + 2 * count(shape)
            header[tensor] = dict(dtype="BF16", shape=shape, data_offsets=[offset, end])
            weight_map[tensor] = file_name
            offset = end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(folder, file_name), "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for tensor, shape in shard:
                left = 2 * count(shape)
                writes = "out_proj" in tensor
                content = ones * 4096 if "norm" in tensor else patterns[1 / 64 if writes else 1]
                while left:
                    piece = content[:left]
                    file.write(piece)
                    left -= len(piece)
    total = sum(2 * count(shape) for _, shape in tensors)
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump(dict(metadata=dict(total_size=total), weight_map=weight_map), file)
    print(f"{sum(count(shape) for _, shape in tensors):,} parameters in {len(shards)} files")


main()
