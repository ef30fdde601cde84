"""lm-evaluation-harness on local files: its own tasks, with their records from a folder of JSON lines."""

import functools
import glob
import os
import re

# The files of each task's splits below the data folder: (split used for examples, scored split).
SPLITS = {
    "hellaswag": ("hellaswag/train", "hellaswag/validation"),
    "arc_easy": ("arc_easy/train", "arc_easy/test"),
    "arc_challenge": ("arc_challenge/train", "arc_challenge/test"),
    "piqa": ("piqa/train", "piqa/validation"),
    "winogrande": ("winogrande/train", "winogrande/validation"),
    "lambada_openai": (None, "lambada_openai/test"),
    "sciq": ("sciq/train", "sciq/test"),
    "boolq": ("boolq/train", "boolq/validation"),
    "openbookqa": ("openbookqa/train", "openbookqa/test"),
    "commonsense_qa": ("commonsense_qa/train", "commonsense_qa/validation"),
    "social_iqa": ("social_iqa/train", "social_iqa/validation"),
    "copa": ("copa/train", "copa/validation"),
    "truthfulqa_mc1": (None, "truthfulqa/validation"),
    "truthfulqa_mc2": (None, "truthfulqa/validation"),
    "wikitext": (None, "wikitext/test"),
    "gsm8k": ("gsm8k/train", "gsm8k/test"),
    "triviaqa": ("triviaqa/train", "triviaqa/validation"),
    "leaderboard_mmlu_pro": ("mmlu_pro/validation", "mmlu_pro/test"),
}
# The folders of subjects of MATH that are not called as the task is.
MATH_FOLDERS = {"counting_and_prob": "counting_and_probability", "num_theory": "number_theory"}


def splits(name):
    """The files of a task: examples and scored documents, without their ending."""
    if name in SPLITS:
        return SPLITS[name]
    if name.startswith("mmlu_"):
        folder = "mmlu/" + name.removeprefix("mmlu_").removesuffix("_continuation")
        return folder + "/dev", folder + "/test"
    if name.startswith("blimp_"):
        return None, "blimp/" + name[len("blimp_"):]
    # These tasks hold their examples themselves, or take none.
    if name.startswith("leaderboard_bbh_"):
        return None, "bbh/" + name.removeprefix("leaderboard_bbh_") + "/test"
    if name.startswith("leaderboard_gpqa_"):
        return None, "gpqa/" + name.removeprefix("leaderboard_")
    if name.startswith("leaderboard_math_"):
        subject = name.removeprefix("leaderboard_math_").removesuffix("_hard")
        return None, f"math/{MATH_FOLDERS.get(subject, subject)}/test"
    raise KeyError(name)


@functools.cache
def yaml_path(name):
    """The file of a task in the installed harness."""
    import lm_eval

    root = os.path.join(os.path.dirname(lm_eval.__file__), "tasks")
    line = re.compile(rf'^"?task"?: *"?{re.escape(name)}"?$', re.MULTILINE)
    for path in sorted(glob.glob(os.path.join(root, "**", "*.yaml"), recursive=True)):
        with open(path, encoding="utf-8") as file:
            if line.search(file.read()):
                return path
    raise KeyError(f"the harness has no task {name}")


def make_task(name, data):
    """The harness's task with a folder's records."""
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(yaml_path(name), resolve_func=True)
    for key in ("tag", "group", "task_alias"):
        config.pop(key, None)
    examples, scored = splits(name)
    split = config.get("test_split") or config["validation_split"]
    files = {split: os.path.join(data, scored + ".jsonl")}
    source = config.get("fewshot_split") or config.get("training_split")
    path = os.path.join(data, f"{examples}.jsonl")
    if examples and source and source != split and os.path.exists(path):
        files[source] = path
    else:
        config["training_split"] = None
    for key in ("training_split", "validation_split", "test_split", "fewshot_split"):
        if config.get(key) not in files:
            config.pop(key, None)
    config.update(dataset_path="json", dataset_name=None, dataset_kwargs={"data_files": files})
    return ConfigurableTask(config=config)


def evaluate(names, data, model, shots=None, limit=None, batch_size=1, bootstrap=100000):
    """Scores and samples of tasks: {name: (results, samples in their order)}."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    results = lm_eval.simple_evaluate(
        model=model, tasks=[make_task(name, data) for name in names], num_fewshot=shots,
        batch_size=batch_size, limit=limit, log_samples=True, bootstrap_iters=bootstrap,
        # Its index of all its tasks takes 20 seconds, and nothing here needs it.
        task_manager=TaskManager(include_defaults=False))
    return {
        name: (
            results["results"][name],
            sorted(results["samples"][name], key=lambda sample: sample["doc_id"]))
        for name in names}
