#!/usr/bin/env python3
"""Greedy generation in transformers and in falcon: the same 50 tokens."""

from common import arguments, falcon, finish, load_model, prompts


def main():
    parser = arguments(__doc__)
    parser.add_argument("--tokens", type=int, default=50)
    options = parser.parse_args()
    import torch

    model = load_model(options)
    end = model.config.eos_token_id
    failures, compared = [], 0
    for ids in prompts(model.config.vocab_size, end=end, count=6):
        with torch.no_grad():
            whole = model.generate(
                torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
                do_sample=False, num_beams=1, max_new_tokens=options.tokens, use_cache=True)
        want = whole[0, len(ids):].tolist()
        printed = falcon(
            options, "generate", options.model, "--ids", " ".join(map(str, ids)),
            "--max-tokens", str(options.tokens), "--temperature", "0", "--output-ids", "--quiet")
        got = [int(word) for word in printed.split()]
        # One side may print the token that ends documents, the other stop before it.
        if want and want[-1] == end:
            want = want[:-1]
        if got and got[-1] == end:
            got = got[:-1]
        compared += len(want)
        if got != want:
            first = next(
                (place for place, pair in enumerate(zip(got, want)) if pair[0] != pair[1]),
                min(len(got), len(want)))
            failures.append(
                f"{len(ids)} ids: differs at token {first}: got {got[first:first + 5]}, "
                f"want {want[first:first + 5]}")
    print(f"generation: {compared} greedy tokens compared")
    finish("generation", failures)


if __name__ == "__main__":
    main()
