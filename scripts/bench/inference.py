"""Reading a prompt and writing after it: falcon against llama.cpp and transformers, tokens a second.

    python scripts/bench/inference.py --tokenizer demo/tok.model --folder .build/inference

Makes a Falcon-H1 of the sizes of the recipe h1-tiny-90m and a Falcon-Mamba, both with random weights,
and exports them with falcon to GGUF files of each type; what is in the folder already is kept. Then each
round runs every program once, in a process of its own that first warms up, and the medians over the
rounds are printed. Two programs are never at work at the same time.

Needs the packages of scripts/parity/requirements.txt and llama-cpp-python 0.3.36.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Readings of the prompt in a process; the first one warms up.
READINGS = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--falcon", default=os.path.join(ROOT, ".build/release/falcon"))
    parser.add_argument("--folder", default=os.path.join(ROOT, ".build/inference"),
                        help="where the models are, or are made")
    parser.add_argument("--tokenizer", default=os.path.join(ROOT, "demo/tok.model"),
                        help="a SentencePiece model of at most 32,768 pieces")
    parser.add_argument("--models", default="h1,mamba")
    parser.add_argument("--types", default="f32,bf16,q8_0")
    parser.add_argument("--programs", default="falcon,llama.cpp,transformers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=512, help="tokens of the prompt")
    parser.add_argument("--tokens", type=int, default=64, help="tokens written after it")
    parser.add_argument("--prefix", default="",
                        help="a command put before each measurement, such as 'taskset -c 0,1'")
    parser.add_argument("--json", help="a file that measurements are added to; the table is of all in it")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def make_models(options):
    """Random weights under Hugging Face's names, and GGUF files of them."""
    import torch
    from transformers import (FalconH1Config, FalconH1ForCausalLM, FalconMambaConfig,
                              FalconMambaForCausalLM)

    common = dict(vocab_size=32768, hidden_size=512, num_hidden_layers=24, tie_word_embeddings=True,
                  pad_token_id=0, bos_token_id=1, eos_token_id=2)
    makers = {
        "h1": lambda: FalconH1ForCausalLM(FalconH1Config(
            intermediate_size=768, num_attention_heads=8, num_key_value_heads=2, head_dim=64,
            mamba_d_ssm=768, mamba_n_heads=24, mamba_d_head=32, mamba_d_state=64, mamba_n_groups=1,
            mamba_d_conv=4, mamba_chunk_size=128, mamba_rms_norm=False,
            mamba_norm_before_gate=False, max_position_embeddings=4096, **common)),
        "mamba": lambda: FalconMambaForCausalLM(FalconMambaConfig(
            state_size=16, conv_kernel=4, **common)),
    }
    for name in options.models.split(","):
        path = os.path.join(options.folder, name)
        if not os.path.exists(path):
            torch.manual_seed(1)
            makers[name]().save_pretrained(path)
            shutil.copy(options.tokenizer, os.path.join(path, "tokenizer.model"))
        for kind in options.types.split(","):
            file = gguf(options, name, kind)
            if not os.path.exists(file):
                run([options.falcon, "export", path, "--format", "gguf", "--quantize", kind,
                     "--output", file, "--quiet"])


def gguf(options, model, kind):
    return os.path.join(options.folder, f"{model}-{kind}.gguf")


def run(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with status {result.returncode}")
    return result.stdout


def measure_falcon(options, model, kind):
    """Weights of the HF folder, or of the GGUF file where only that has the type."""
    path = gguf(options, model, kind) if kind.startswith("q") else os.path.join(options.folder, model)
    contexts = ",".join([str(options.prompt)] * READINGS)
    report = json.loads(run(options.prefix.split() + [
        options.falcon, "bench", "generate", path, "--contexts", contexts, "--tokens",
        str(options.tokens), "--precision", "bf16" if kind == "bf16" else "f32", "--threads",
        str(options.threads), "--json", "--quiet"]))
    lines = report["lines"][1:]
    return (statistics.median(line["prompt_tokens_per_second"] for line in lines),
            1 / statistics.median(line["seconds_per_token"] for line in lines))


def measure_worker(options, program, model, kind):
    """This script again, in a process of its own."""
    words = [sys.executable, os.path.abspath(__file__), "--worker", program,
             gguf(options, model, kind) if program == "llama.cpp" else
             os.path.join(options.folder, model) + ":" + kind]
    for name in ("threads", "prompt", "tokens"):
        words += [f"--{name}", str(getattr(options, name))]
    return tuple(json.loads(run(options.prefix.split() + words).splitlines()[-1]))


def timed(read, write, options, vocabulary):
    """Tokens a second of reading and writing: medians of all readings and tokens but the first."""
    prompt = [(place * 31 + 7) % vocabulary for place in range(options.prompt)]
    reading, writing = [], []
    for _ in range(READINGS):
        start = time.perf_counter()
        state = read(prompt)
        reading.append(time.perf_counter() - start)
        times = []
        for count in range(options.tokens):
            start = time.perf_counter()
            state = write((count * 17 + 3) % vocabulary, state)
            times.append(time.perf_counter() - start)
        writing.append(statistics.median(times))
    return options.prompt / statistics.median(reading[1:]), 1 / statistics.median(writing[1:])


def work_llama(options, path):
    from llama_cpp import Llama

    model = Llama(path, n_ctx=options.prompt + options.tokens + 8, n_batch=512, n_ubatch=512,
                  n_threads=options.threads, n_threads_batch=options.threads, verbose=False)

    def read(prompt):
        model.reset()
        model._ctx.kv_cache_clear()
        model.eval(prompt)

    return timed(read, lambda token, _: model.eval([token]), options, model.n_vocab())


def work_transformers(options, place):
    import torch
    from transformers import AutoModelForCausalLM

    path, kind = place.rsplit(":", 1)
    torch.set_num_threads(options.threads)
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype={"f32": torch.float32, "bf16": torch.bfloat16}[kind]).eval()

    def step(tokens, cache):
        name = "cache_params" if "mamba" in type(model).__name__.lower() else "past_key_values"
        output = model(torch.tensor([tokens]), use_cache=True, logits_to_keep=1, **{name: cache})
        return getattr(output, name)

    with torch.inference_mode():
        return timed(lambda prompt: step(prompt, None), lambda token, cache: step([token], cache),
                     options, model.config.vocab_size)


def cases(options):
    """Every measurement of a round; Mamba in transformers is a Python loop and left out."""
    for model in options.models.split(","):
        for kind in options.types.split(","):
            for program in options.programs.split(","):
                if program != "transformers" or (model == "h1" and not kind.startswith("q")):
                    yield model, kind, program


def printed(options, found):
    """A line a model and type: medians, and falcon over the others."""
    print(f"prompt {options.prompt}, {options.tokens} tokens written, {options.threads} threads; "
          "medians of the rounds; tokens/s")
    print("| model | type | phase | falcon | llama.cpp | ratio | transformers | ratio |")
    print("|---|---|---|--:|--:|--:|--:|--:|")
    for model in options.models.split(","):
        for kind in options.types.split(","):
            for phase, name in enumerate(("prompt", "generation")):
                medians = [statistics.median(values[phase] for values in found[key])
                           if (key := (model, kind, program)) in found else None
                           for program in ("falcon", "llama.cpp", "transformers")]
                words = ["–" if value is None else f"{value:.1f}" for value in medians]
                ratios = [f"{medians[0] / value:.2f}" if value and medians[0] else "–"
                          for value in medians[1:]]
                print(f"| {model} | {kind} | {name} | {words[0]} | {words[1]} "
                      f"| {ratios[0]} | {words[2]} | {ratios[1]} |")


def main():
    options = arguments()
    if options.worker:
        program, place = options.worker
        work = work_llama if program == "llama.cpp" else work_transformers
        print(json.dumps(work(options, place)))
        return
    os.makedirs(options.folder, exist_ok=True)
    make_models(options)
    found = {}
    if options.json and os.path.exists(options.json):
        with open(options.json, encoding="utf-8") as file:
            found = {tuple(key.split("/")): value for key, value in json.load(file).items()}
    for number in range(options.rounds):
        for model, kind, program in cases(options):
            if program == "falcon":
                result = measure_falcon(options, model, kind)
            else:
                result = measure_worker(options, program, model, kind)
            found.setdefault((model, kind, program), []).append(result)
            print(f"round {number + 1}: {model} {kind} {program} prompt {result[0]:.1f}, "
                  f"generation {result[1]:.1f}", file=sys.stderr, flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"/".join(key): value for key, value in found.items()}, file, indent=1)
    printed(options, found)


if __name__ == "__main__":
    main()
