"""Every command of falcon, as the matrix and the races try it."""

from common import lay


class Command:
    """One command line and what can be said of it.

    - name: as in the table.
    - line: words separated by spaces; OUT is the output.
    - kind: how the output is compared: file, tree, run, sweep; answers for a tree that keeps what was answered
      before a stop; None if there is none.
    - before: what lies at OUT at the start: a name of the workplace, or None.
    - again: the line that goes on after a stop or kill; the same one without it.
    - saves: whether a first signal asks it to save and stop.
    - model: the word of the line that names the model it reads, for damaged models.
    - refuses_nan: whether a model with a NaN must be refused.
    - diverges: settings with which the loss becomes infinite.
    """

    def __init__(self, name, line, kind=None, before=None, again=None, saves=False, stdin=b"",
                 model=None, refuses_nan=False, diverges=None):
        self.name, self.line, self.kind, self.before = name, line, kind, before
        self.again, self.saves, self.stdin, self.model = again or line, saves, stdin, model
        self.refuses_nan, self.diverges = refuses_nan, diverges

    def prepare(self, folder):
        """Puts at OUT what lies there at the start."""
        lay(self.before, folder)


DIVERGES = " --set model.lm_head_multiplier=1e20"
LONGER = " --set train.steps=60 --set checkpoint.every_steps=20"

COMMANDS = [
    Command("tokenizer train", "tokenizer train --input corpus.jsonl --vocab-size 300 --output OUT", "file"),
    Command("tokenizer train --overwrite", "tokenizer train --input corpus.jsonl --vocab-size 300 "
            "--output OUT --overwrite", "file", before="tok.model"),
    Command("tokenizer train --model-type byte-level", "tokenizer train --model-type byte-level "
            "--input corpus.jsonl --vocab-size 300 --output OUT", "tree"),
    Command("tokenizer report", "tokenizer report tok.model corpus.jsonl"),
    Command("tokenizer encode", "tokenizer encode --tokenizer tok.model", stdin=b'"the state"\n' * 50),
    Command("tokenize", "tokenize --tokenizer tok.model --output OUT --validation-fraction 0.1 corpus.jsonl",
            "tree"),
    Command("tokenize --overwrite", "tokenize --tokenizer tok.model --output OUT --overwrite "
            "--validation-fraction 0.2 corpus.jsonl", "tree", before="shards"),
    Command("tokenize --shard", "tokenize --tokenizer tok.model --output OUT --shard 2/2 corpus.jsonl text.txt",
            "tree"),
    Command("tokenize --deduplicate near", "tokenize --tokenizer tok.model --output OUT --deduplicate near "
            "--validation-fraction 0.1 --filter gopher-repetition corpus.jsonl text.txt", "tree"),
    Command("data duplicates", "data duplicates corpus.jsonl text.txt --output OUT", "file"),
    Command("data merge", "data merge OUT", "tree", before="parted"),
    Command("data merge --overwrite", "data merge OUT --overwrite", "tree", before="replaced"),
    Command("data convert --to mds", "data convert shards --to mds --output OUT", "tree"),
    Command("data mix", "data mix 1 shards --from megatron"),
    Command("pretrain", "pretrain --recipe tiny.yaml --run OUT" + LONGER, "run",
            again="pretrain --recipe tiny.yaml --run OUT --resume" + LONGER, saves=True, diverges=DIVERGES),
    Command("pretrain --resume", "pretrain --recipe tiny.yaml --run OUT --resume", "run", before="half",
            saves=True),
    Command("pretrain --overwrite", "pretrain --recipe tiny.yaml --run OUT --overwrite" + LONGER, "run",
            before="run", saves=True, diverges=DIVERGES),
    Command("pretrain --branch", "pretrain --branch run@6 --run OUT --set schedule.decay_tokens=96", "run",
            again="pretrain --branch run@6 --run OUT --set schedule.decay_tokens=96 --resume", saves=True),
    Command("pretrain from a model", "pretrain --recipe tiny.yaml --run OUT --set train.initial_model=start",
            "run", again="pretrain --recipe tiny.yaml --run OUT --resume --set train.initial_model=start",
            saves=True, model="start", refuses_nan=True),
    Command("sweep", "sweep --recipe pairs.yaml --run OUT", "sweep",
            again="sweep --recipe pairs.yaml --run OUT --resume", saves=True, diverges=DIVERGES),
    Command("sweep --gather", "sweep --recipe pairs.yaml --run OUT --gather", "sweep", before="sweep"),
    Command("report", "report run sweep --output OUT", "file"),
    Command("plan", "plan --recipe tiny.yaml"),
    Command("coordcheck", "coordcheck --recipe tiny.yaml --widths 16,32 --steps 2 --seeds 1 --tolerance 9",
            diverges=DIVERGES),
    Command("eval", "eval run --text text.txt --json", model="run", refuses_nan=True),
    Command("eval --tasks", "eval run --tasks hellaswag --data tasks --samples OUT --resume --json",
            "answers", model="run", refuses_nan=True),
    Command("generate", "generate run --prompt the --max-tokens 40 --ignore-end --top-p 0.9", model="run",
            refuses_nan=True),
    Command("export hf", "export run --format hf --output OUT", "tree", model="run", refuses_nan=True),
    Command("export gguf", "export run --format gguf --output OUT --text text.txt", "file", model="run",
            refuses_nan=True),
    Command("import", "import hf --output OUT", "tree", model="hf", refuses_nan=True),
    Command("ckpt info", "ckpt info run --tensors", model="run"),
    Command("ckpt verify", "ckpt verify run", model="run", refuses_nan=True),
    Command("ckpt diff", "ckpt diff run run", model="run"),
    Command("ckpt average", "ckpt average run start --output OUT", "tree", model="run", refuses_nan=True),
    Command("ckpt convert", "ckpt convert run --to hf --output OUT", "tree", model="run", refuses_nan=True),
    Command("logits", "logits run --ids 5", model="run"),
    Command("verify ops", "verify ops"),
    Command("verify data", "verify data shards"),
    Command("verify checkpoint", "verify checkpoint CHECKPOINT"),
    Command("bench kernels", "bench kernels --filter embedding --repeats 1"),
    Command("bench train", "bench train --recipe tiny.yaml --steps 2 --warmup 1"),
    Command("bench generate", "bench generate run --contexts 8 --tokens 4"),
    Command("bench data", "bench data shards --tokens 2000 --length 64 --batch 2"),
    Command("--help", "--help"),
    Command("--version", "--version"),
]
