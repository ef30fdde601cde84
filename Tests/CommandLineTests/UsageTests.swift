import FalconTestSupport
import Foundation
import Testing

/// A command line that fails, and how.
struct BadCommand: CustomTestStringConvertible, Sendable {
    let arguments: [String]
    let words: [String]
    var testDescription: String { arguments.joined(separator: " ") }

    /// - Parameters:
    ///   - line: the arguments, separated by spaces.
    ///   - words: what the message must contain.
    init(_ line: String, _ words: String...) {
        arguments = line.split(separator: " ").map(String.init)
        self.words = words
    }

    init(_ arguments: [String], _ words: String...) {
        self.arguments = arguments
        self.words = words
    }
}

/// Wrong arguments are told from wrong files: exit status 64 against 65 and 66.
@Suite struct UsageTests {
    @Test(arguments: [
        BadCommand("frobnicate", "there is no command falcon frobnicate", "pretrain"),
        BadCommand("train --recipe tiny.yaml", "did you mean falcon pretrain?"),
        BadCommand("evaluate run", "did you mean falcon eval?"),
        BadCommand("convert run", "did you mean falcon ckpt convert?"),
        BadCommand("pretain --recipe tiny.yaml", "did you mean falcon pretrain?"),
        BadCommand("tokenizer trian", "did you mean falcon tokenizer train?"),
        BadCommand("ckpt avrage", "did you mean falcon ckpt average?"),
        BadCommand(
            "coordcheck --recipe tiny.yaml --widths 16,32 --tolerance nan", "--tolerance is nan"),
        BadCommand(
            "coordcheck --recipe tiny.yaml --widths 16,32 --seeds 1000000000",
            "--seeds is 1000000000"),
        BadCommand("sweep", "--recipe"), BadCommand("sweep --resume", "wants --run"),
        BadCommand("eval run --frobnicate", "Unknown option '--frobnicate'"),
        BadCommand("eval", "Missing expected argument '<model>'"),
        BadCommand("eval run --threads 0", "--threads is 0, want at least 1"),
        BadCommand("pretrain --recipe tiny.yaml --threads -1", "--threads"),
        BadCommand("eval run --threads 100000", "--threads is 100000, want at most 1024"),
        BadCommand(
            "tokenize --tokenizer tok.model --output x --threads 9223372036854775807 corpus.jsonl",
            "--threads is 9223372036854775807"),
        BadCommand("eval run --threads 9223372036854775808", "--threads"),
        BadCommand("eval run --tasks nope --data .", "unknown task \"nope\"", "hellaswag"),
        BadCommand("eval run --tasks hellaswag", "--tasks needs --data"),
        BadCommand("eval run --tasks piqa --data . --limit 0", "--limit is 0"),
        BadCommand("eval run --sequence-length 0", "--sequence-length is 0"),
        BadCommand("eval run --tolerance nan", "'nan' is invalid for '--tolerance"),
        BadCommand("generate run", "one of --prompt and --ids"),
        BadCommand("generate run --prompt a --ids 5", "one of --prompt and --ids"),
        BadCommand(["generate", "run", "--ids", "5 300"], "\"300\"", "below 300"),
        BadCommand(["generate", "run", "--ids", "5 x"], "\"x\"", "below 300"),
        BadCommand(["generate", "run", "--ids", "-5"], "--ids"),
        BadCommand(["generate", "run", "--ids", " "], "--ids holds no token"),
        BadCommand("generate run --prompt a --max-tokens 0", "--max-tokens is 0"),
        BadCommand("generate run --prompt a --temperature nan", "--temperature is nan"),
        BadCommand("generate run --prompt a --temperature inf", "--temperature is inf"),
        BadCommand("generate run --prompt a --top-p 0", "--top-p is 0"),
        BadCommand("generate run --prompt a --top-p nan", "--top-p is nan"),
        BadCommand("pretrain", "--recipe"),
        BadCommand("pretrain --recipe tiny.yaml --resume --overwrite", "exclude each other"),
        BadCommand("export run --format pdf --output x", "'pdf'", "hf"),
        BadCommand(
            "tokenize --tokenizer tok.model --output x --validation-fraction 2 corpus.jsonl",
            "--validation-fraction is 2"),
        BadCommand(
            "tokenizer train --input corpus.jsonl --vocab-size 10 --output x", "--vocab-size is 10",
            "261"),
        BadCommand(
            "tokenizer train --input corpus.jsonl --vocab-size 300 --output x "
                + "--character-coverage nan", "--character-coverage is nan"),
        BadCommand(
            "tokenizer train --input corpus.jsonl --vocab-size 300 --output x --sentence-limit 0",
            "--sentence-limit is 0"),
        BadCommand(
            "eval run --sequence-length 9223372036854775807", "--sequence-length", "want 1 to"),
        BadCommand(
            "coordcheck --recipe tiny.yaml --widths 32,9223372036854775807", "--widths"),
        BadCommand("tokenize --tokenizer tok.model --output run run", "choose another one"),
    ]) func wrongArgumentsAreUsageErrors(_ command: BadCommand) throws {
        try Workplace().failure(command.arguments, status: 64, says: command.words)
    }

    @Test(arguments: [
        BadCommand("tokenizer train --input nofile --vocab-size 300 --output x", "nofile: no such"),
        BadCommand("tokenize --tokenizer tok.model --output x nofile", "nofile: no such"),
        BadCommand("tokenize --tokenizer tok.model --output x no*thing.txt", "no*thing.txt"),
        BadCommand("tokenize --tokenizer no.model --output x corpus.jsonl", "no.model: no such"),
        BadCommand(
            "pretrain --recipe tiny.yaml --set data.path=gone", "gone/index.json is not there",
            "falcon tokenize --output gone"),
        BadCommand("pretrain --run gone --resume", "gone: no such"),
        BadCommand("eval gone", "gone: no such file or folder"),
        BadCommand("eval shards", "shards is not a model", "config.json"),
        BadCommand("eval tok.model", "tok.model is not a model"),
        BadCommand("eval run --shards gone", "gone/index.json: no such"),
        BadCommand("eval run --text gone", "gone: no such"),
        BadCommand("eval run --against gone", "gone: no such"),
        BadCommand(
            "eval run --tasks hellaswag --data .", "the documents of hellaswag are missing",
            "./hellaswag/validation.jsonl"),
        BadCommand("generate gone --prompt a", "gone: no such"),
        BadCommand("export gone --format hf --output x", "gone: no such"),
        BadCommand("sweep --run gone --resume", "gone holds no sweep", "--recipe"),
        BadCommand("sweep --run run --gather", "run holds no sweep"),
        BadCommand("report gone", "gone: no such"),
        BadCommand("verify data gone", "gone/index.json: no such"),
        BadCommand("verify checkpoint gone", "gone/manifest.json: no such"),
    ]) func missingInputIsNamed(_ command: BadCommand) throws {
        try Workplace().failure(command.arguments, status: 66, says: command.words)
    }

    @Test(arguments: [
        BadCommand(
            "tokenizer train --input corpus.jsonl --vocab-size 300 --output tok.model",
            "tok.model exists already", "--overwrite"),
        BadCommand(
            "tokenize --tokenizer tok.model --output shards corpus.jsonl",
            "shards holds a data set already", "--overwrite"),
        BadCommand(
            "tokenize --tokenizer tok.model --output tok.model corpus.jsonl",
            "tok.model exists already"),
        BadCommand(
            "pretrain --recipe tiny.yaml --run run", "run already holds a run", "--resume",
            "another folder with --run"),
        BadCommand(
            "pretrain --recipe tiny.yaml --run shards --overwrite", "holds no run of falcon",
            "another folder with --run"),
        BadCommand("pretrain --recipe tiny.yaml --run tok.model", "cannot create tok.model"),
        BadCommand("export run --format hf --output shards", "shards exists already"),
    ]) func whatExistsIsNotReplacedUnasked(_ command: BadCommand) throws {
        let place = try Workplace()
        let before = try Dictionary(
            uniqueKeysWithValues: place.files().map { ($0, try place.read($0)) })
        try place.failure(command.arguments, status: 73, says: command.words)
        for (name, bytes) in before { #expect(try place.read(name) == bytes, "\(name)") }
    }

    @Test func aResultThatCannotBePrintedIsAnError() throws {
        let place = try Workplace()
        for arguments in [
            "eval run --json", "plan --recipe tiny.yaml", "generate run --prompt a", "--help",
            "help pretrain", "--version",
        ] {
            let outcome = try Program.start(
                arguments.split(separator: " ").map(String.init), in: place.folder,
                outputTo: "/dev/full"
            ).outcome()
            #expect(outcome.status == 74, "\(arguments)")
            #expect(outcome.errors.contains("standard output: No space left"), "\(arguments)")
        }
    }

    /// A file that is opened must not get the number of a standard stream that is closed.
    @Test func aClosedStandardOutputIsAnErrorAndHarmsNoFile() throws {
        let place = try Workplace()
        func closed(_ arguments: String) throws -> Outcome {
            try Program.start(
                ["-c", "\"$0\" \(arguments) >&-", Program.path], of: "/bin/bash", in: place.folder
            ).outcome()
        }
        for arguments in [
            "--version", "eval run", "export run --format gguf --output closed.gguf",
            "tokenize --tokenizer tok.model --output closed corpus.jsonl",
        ] {
            let outcome = try closed(arguments)
            #expect(outcome.status == 74, "\(arguments): \(outcome.errors)")
            #expect(outcome.errors.contains("standard output"), "\(arguments)")
        }
        try place.success("export run --format gguf --output open.gguf")
        #expect(try place.read("closed.gguf") == place.read("open.gguf"))
        try place.success("verify data closed")
    }

    /// Thread stacks of a gigabyte leave room for one or two: the results are the same, with a word.
    @Test func fewerThreadsThanAskedForComputeTheSame() throws {
        let place = try Workplace()
        let limits = "ulimit -s 1048576 && ulimit -v 3000000 && \"$0\""
        let arguments = "eval run --text tiny.yaml --threads 64"
        let outcome = try Program.start(
            ["-c", "\(limits) \(arguments)", Program.path], of: "/bin/bash", in: place.folder
        ).outcome()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("of 64 threads"), "\(outcome.errors)")
        #expect(try place.success(arguments).output == outcome.output)
    }

    @Test func helpAndVersionSucceed() throws {
        let place = try Workplace()
        for arguments in ["--help", "help pretrain", "tokenizer train --help", "--version"] {
            let outcome = try place.success(arguments)
            #expect(!outcome.output.isEmpty && outcome.errors.isEmpty, "\(arguments)")
        }
    }
}
