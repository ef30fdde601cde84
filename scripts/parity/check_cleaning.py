#!/usr/bin/env python3
"""The filters of `falcon tokenize`, document by document, against those of datatrove.

    check_cleaning.py --tokenizer tok.model [--only NAME] FILES.jsonl

A text is compared by the first rule that it breaks, and what C4's rules keep of it byte for byte. datatrove cuts
words with spaCy; here it is given words between blanks first, as falcon takes them, so that the rules themselves are
compared. Each difference is explained by name, or the check fails. Then datatrove runs as it is, for the number of
texts that words make differ (--words spacy, slower).
"""

import collections
import json
import os
import sys
import tempfile

from common import arguments, falcon

RULES = {
    "gopher_short_doc": "gopher_quality_few_words",
    "gopher_long_doc": "gopher_quality_many_words",
    "gopher_below_avg_threshold": "gopher_quality_short_words",
    "gopher_above_avg_threshold": "gopher_quality_long_words",
    "gopher_too_many_hashes": "gopher_quality_hashes",
    "gopher_too_many_ellipsis": "gopher_quality_ellipses",
    "gopher_too_many_bullets": "gopher_quality_bullet_lines",
    "gopher_too_many_end_ellipsis": "gopher_quality_ellipsis_lines",
    "gopher_below_alpha_threshold": "gopher_quality_letters",
    "gopher_enough_stop_words": "gopher_quality_stop_words",
    "dup_para_frac": "gopher_repetition_paragraphs",
    "dup_para_char_frac": "gopher_repetition_paragraph_characters",
    "dup_line_frac": "gopher_repetition_lines",
    "dup_line_char_frac": "gopher_repetition_line_characters",
    **{f"top_{n}_gram": f"gopher_repetition_top_{n}_words" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"gopher_repetition_{n}_words" for n in range(5, 11)},
    "lorem_ipsum": "c4_lorem_ipsum",
    "curly_bracket": "c4_curly_bracket",
    "too_few_sentences": "c4_few_sentences",
}


def theirs(name, words):
    """A function from a text to the rule that datatrove says it breaks, and the text that is kept."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import c4_filters, gopher_quality_filter, gopher_repetition_filter

    if words == "blanks":
        for module in (gopher_quality_filter, gopher_repetition_filter):
            module.split_into_words = lambda text, language=None: text.split()
        c4_filters.split_into_sentences = lambda text, language=None: sentences(text)
        # The paper's "end quotation mark" is a curly one too.
        c4_filters.END_PUNCTUATION += ("\u201d",)
    made = {
        "gopher-quality": gopher_quality_filter.GopherQualityFilter,
        "gopher-repetition": gopher_repetition_filter.GopherRepetitionFilter,
        "c4": c4_filters.C4QualityFilter,
    }[name]()

    def decide(text):
        document = Document(text=text, id="0")
        outcome = made.filter(document)
        if outcome is True:
            return None, document.text
        return RULES[outcome[1]], None

    return decide


def sentences(line):
    """Sentences as falcon counts them."""
    ends = [word.rstrip("\"')]\u201d")[-1:] in (".", "?", "!") for word in line.split()]
    return [1] * (sum(ends) + (not ends[-1] if ends else 0))


def explained(name, text, ours, other):
    """Why the two may differ on a text; None if they should not."""
    words = text.split()
    rules = {ours, other}
    if name == "gopher-quality":
        if any(not any(c.isalnum() for c in word) for word in words):
            return "words of symbols that are no punctuation to datatrove"
        stop = {"the", "be", "to", "of", "and", "that", "have", "with"}
        if "gopher_quality_stop_words" in rules and len(stop & set(words)) < 2:
            return "stop words with a capital or a mark beside them"
    if name == "gopher-repetition":
        if text != text.strip("\n") or "\n\n" in text.strip():
            return "empty lines at the ends, which are lines to datatrove"
    return None


def compare(options, name, texts, folder):
    source = os.path.join(folder, "all.jsonl")
    with open(source, "w", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text}) + "\n")
    output = os.path.join(folder, name)
    falcon(options, "tokenize", "--tokenizer", options.tokenizer, "--output", output, "--filter", name,
           "--validation-fraction", "0", "--quiet", source)
    ours = {}
    rejected = os.path.join(output, "rejected.jsonl")
    if os.path.exists(rejected):
        with open(rejected, encoding="utf-8") as file:
            for line in file:
                item = json.loads(line)
                ours[item["line"]] = item["rule"]
    decide = theirs(name, options.words)
    reasons, rules = collections.Counter(), collections.Counter()
    keptBytes, unexplained = 0, 0
    for number, text in enumerate(texts, 1):
        other, kept = decide(text)
        if kept is not None and number not in ours:
            keptBytes += len(kept.encode())
        if ours.get(number) == other:
            rules[other or "kept"] += 1
            continue
        reason = explained(name, text, ours.get(number), other) if options.words == "blanks" else "words of spaCy"
        reasons[reason] += 1
        if reason is None:
            unexplained += 1
            if unexplained <= 5:
                print(f"  text {number}: falcon {ours.get(number)}, datatrove {other}: {text[:60]!r}")
    print(f"{name}: {len(texts)} texts, {sum(rules.values())} alike, by rule: {dict(rules.most_common())}")
    for reason, count in reasons.items():
        print(f"  {count} differ: {reason}")
    with open(os.path.join(output, "index.json"), encoding="utf-8") as file:
        wanted = json.load(file)["train"]["text_bytes"]
    if not reasons:
        print(f"  text kept: {wanted} bytes by falcon, {keptBytes} by datatrove")
        if name == "c4" and wanted != keptBytes:
            unexplained += 1
    return unexplained == 0


def write_fixture(path, texts):
    """Up to three short texts of each rule with what datatrove says of them, for the tests."""
    decisions = {name: theirs(name, "blanks") for name in ("gopher-quality", "gopher-repetition", "c4")}
    counts = collections.Counter()
    with open(path, "w", encoding="utf-8") as file:
        for text in texts:
            if len(text) > 900:
                continue
            rules = {name: decide(text)[0] for name, decide in decisions.items()}
            if min(counts[rule] for rule in rules.values()) < 3:
                counts.update(rules.values())
                file.write(json.dumps({"text": text, "rules": rules}) + "\n")


def main():
    parser = arguments(__doc__)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--only", choices=["gopher-quality", "gopher-repetition", "c4"])
    parser.add_argument("--words", choices=["blanks", "spacy"], default="blanks")
    parser.add_argument("--write", help="write texts with datatrove's rules here, and compare nothing")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    texts = []
    for path in options.files:
        with open(path, encoding="utf-8") as file:
            texts += [json.loads(line)["text"] for line in file]
    texts = [text for text in texts if text]
    if options.write:
        return write_fixture(options.write, texts)
    names = [options.only] if options.only else ["gopher-quality", "gopher-repetition", "c4"]
    with tempfile.TemporaryDirectory() as folder:
        good = [compare(options, name, texts, folder) for name in names]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
