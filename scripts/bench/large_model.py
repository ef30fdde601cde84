"""Writes a Hugging Face folder of a published size with random bfloat16 weights, tensor by tensor, to
measure what reading and exporting a large model takes.

    python3 scripts/bench/large_model.py falcon-mamba-7b FOLDER
    python3 scripts/bench/large_model.py h1-7b FOLDER

Needs no package. Weights are normal numbers from a pattern of a million, norms are ones.
"""

import json
import os
import random
import struct
import sys

SHARD_BYTES = 5_000_000_000


def mamba():
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


def h1():
    d, layers, vocab, ff, ssm, heads, state = 3072, 44, 130049, 12288, 3072, 24, 256
    conv = ssm + 2 * state
    config = dict(
        model_type="falcon_h1", architectures=["FalconH1ForCausalLM"], vocab_size=vocab,
        hidden_size=d, num_hidden_layers=layers, intermediate_size=ff, num_attention_heads=12,
        num_key_value_heads=2, head_dim=128, mamba_d_ssm=ssm, mamba_n_heads=heads, mamba_d_head=128,
        mamba_n_groups=1, mamba_d_state=state, mamba_d_conv=4, mamba_chunk_size=128,
        mamba_rms_norm=True, mamba_norm_before_gate=False, rope_theta=1e11, rms_norm_eps=1e-5,
        max_position_embeddings=262144, tie_word_embeddings=False, hidden_act="silu")
    yield config
    yield "model.embed_tokens.weight", (vocab, d)
    for i in range(layers):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (d,)
        yield p + "pre_ff_layernorm.weight", (d,)
        for name, shape in {
            "mamba.A_log": (heads,), "mamba.D": (heads,), "mamba.dt_bias": (heads,),
            "mamba.conv1d.weight": (conv, 1, 4), "mamba.conv1d.bias": (conv,),
            "mamba.in_proj.weight": (ssm + conv + heads, d), "mamba.norm.weight": (ssm,),
            "mamba.out_proj.weight": (d, ssm), "self_attn.q_proj.weight": (12 * 128, d),
            "self_attn.k_proj.weight": (256, d), "self_attn.v_proj.weight": (256, d),
            "self_attn.o_proj.weight": (d, 12 * 128), "feed_forward.gate_proj.weight": (ff, d),
            "feed_forward.up_proj.weight": (ff, d), "feed_forward.down_proj.weight": (d, ff),
        }.items():
            yield p + name, shape
    yield "model.final_layernorm.weight", (d,)
    yield "lm_head.weight", (vocab, d)


def bfloat16(value):
    return struct.unpack("<I", struct.pack("<f", value))[0] >> 16


def count(shape):
    result = 1
    for length in shape:
        result *= length
    return result


def main():
    name, folder = sys.argv[1:]
    source = {"falcon-mamba-7b": mamba, "h1-7b": h1}[name]()
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
                writes = any(part in tensor for part in ("out_proj", "o_proj", "down_proj"))
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
