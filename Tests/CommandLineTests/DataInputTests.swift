import FalconTestSupport
import Foundation
import Testing

/// Inputs that people have, and data sets that are replaced, as the commands treat them.
@Suite struct DataInputTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func jsonLinesAreToldWhereverTheyComeFrom() throws {
        let lines = Data("\n{\"text\":\"one\",\"score\":NaN}\n{\"text\":\"two\"}\n".utf8)
        try lines.write(to: place.url("part-00000"))
        let command = "tokenize --tokenizer tok.model --validation-fraction 0 --json"
        for (number, input) in ["part-00000", "-", "/dev/stdin"].enumerated() {
            let outcome = try place.success("\(command) --output o\(number) \(input)", input: lines)
            #expect(try outcome.json()["documents"] as? Int == 2)
        }
        // A pipe, as the shell's <(...) gives one.
        let line =
            "cat part-00000 | '\(Program.path)' \(command) --output piped /dev/stdin > piped.json"
        let piped = try Program.start(["-c", line], of: "/bin/sh", in: place.folder).outcome()
        #expect(piped.status == 0, "\(piped.errors)")
        let text = String(decoding: try place.read("piped.json"), as: UTF8.self)
        #expect(text.contains("\"documents\":2"))
        let one = try place.success("\(command) --format text --output text part-00000")
        #expect(try one.json()["documents"] as? Int == 1)
    }

    @Test func whatCannotBeToldIsRefusedWithTheOptionThatSaysIt() throws {
        try place.write("list", "[{\"text\":\"one\"}]")
        try place.write("wide.txt", "")
        try Data([0xFF, 0xFE, 0x61, 0]).write(to: place.url("wide.txt"))
        try place.write("half.jsonl", "{\"text\":\"bad \\ud800 surrogate\"}\n")
        for (file, words) in [
            ("list", ["a list of JSON objects", "--format text", "jq -c '.[]'"]),
            ("wide.txt", ["wide.txt is UTF-16", "iconv"]),
            ("half.jsonl", ["half.jsonl, line 1", "\\ud800 is one half of a surrogate pair"]),
        ] {
            for command in [
                "tokenize --tokenizer tok.model --output x",
                "tokenizer train --vocab-size 300 --output x.model --input",
            ] {
                try place.failure(
                    "\(command) \(file)".split(separator: " ").map(String.init), status: 65,
                    says: words)
            }
        }
    }

    @Test func aNameThatIsNoTextCanBeGiven() throws {
        let line = """
            printf 'a state' > "$(printf 'caf\\351.txt')"; mkdir "$(printf 'd\\377')"
            cp caf*.txt "$(printf 'd\\377')/b.txt"; ln -s nowhere "$(printf 'd\\377/c\\351.txt')"
            run() { '\(Program.path)' tokenize --tokenizer tok.model --validation-fraction 0 --json "$@"; }
            run --output o1 "$(printf 'caf\\351.txt')" && run --output o2 caf*.txt
            run --output o3 "$(printf 'd\\377')"; echo "status $?"
            run --output o4 --skip-bad-documents "$(printf 'd\\377')"
            run --output o5 "$(printf 'gone\\351')"; echo "status $?"
            """
        let outcome = try Program.start(["-c", line], of: "/bin/bash", in: place.folder).outcome()
        #expect(outcome.output.components(separatedBy: "\"cut_documents\":0,").count == 4)
        #expect(outcome.output.components(separatedBy: "status 66").count == 3)
        #expect(outcome.output.contains("\"skipped_files\":1"))
        #expect(outcome.errors.contains("d\\xFF/c\\xE9.txt is a link to nowhere"))
        #expect(outcome.errors.contains("gone\\xE9: no such file"))
    }

    @Test func replacingKeepsTheOldSetUntilTheNewOneIsWhole() throws {
        try place.write("bad.jsonl", "{\"text\":null}\n")
        let before = try place.read("shards/index.json")
        try place.failure(
            "tokenize --tokenizer tok.model --output shards --overwrite corpus.jsonl bad.jsonl",
            status: 65, says: "bad.jsonl, line 1", "not a string but null")
        #expect(try place.read("shards/index.json") == before)
        try place.success("verify data shards")
        try place.success(
            "tokenize --tokenizer other.model --output shards --overwrite corpus.jsonl")
        #expect(try place.read("shards/index.json") != before)
        let outcome = try place.success("verify data shards --json")
        #expect(try outcome.json()["path"] as? String == "shards")
        #expect(!place.exists("shards.partial"))
    }

    @Test func aChangedTokenizerBesideShardsIsFound() throws {
        try place.flipBit(in: "shards/tokenizer.model")
        try place.failure(
            "verify data shards", status: 65, says: "shards/tokenizer.model: SHA-256 is", "want")
    }

    @Test func theSecondProcessIsToldWhoWrites() throws {
        let waiting = try Program.start(
            [
                "-c",
                "mkfifo p; exec '\(Program.path)' tokenize --tokenizer tok.model --output two p",
            ],
            of: "/bin/sh", in: place.folder)
        defer { waiting.send(SIGKILL) }
        for _ in 0..<500 where !place.exists("two.partial/.lock") { usleep(10_000) }
        let outcome = try place.falcon("tokenize --tokenizer tok.model --output two corpus.jsonl")
        #expect(outcome.status == 73, "\(outcome.errors)")
        #expect(outcome.errors.contains("process "))
        #expect(!place.exists("two/index.json"))
        let train = "tokenizer train --vocab-size 300 --output two.model --input"
        let training = try Program.start(
            train.split(separator: " ").map(String.init) + ["p"], in: place.folder)
        defer { training.send(SIGKILL) }
        for _ in 0..<500 where !place.exists("two.model.partial") { usleep(10_000) }
        let second = try place.falcon("\(train) corpus.jsonl")
        #expect(second.status == 73, "\(second.errors)")
        #expect(!place.exists("two.model"))
    }

    @Test func oneTextFileIsEnoughForTheWholeLine() throws {
        let corpus = String(decoding: try place.read("corpus.jsonl"), as: UTF8.self)
        let text = corpus.replacingOccurrences(of: "{\"text\": \"", with: "")
            .replacingOccurrences(of: "\"}", with: "")
        try place.write("one.txt", text)
        let outcome = try place.success(
            "tokenize --tokenizer tok.model --output one --validation-fraction 0.1 one.txt")
        #expect(outcome.errors.contains("the ends of 1 documents were held out"))
        try place.success("pretrain --recipe tiny.yaml --set data.path=one --run r")
        #expect(try place.success("eval r").output.contains("bits/byte"))
        // Without a validation part, the way out is one that helps.
        try place.success(
            "tokenize --tokenizer tok.model --output none --validation-fraction 0 one.txt")
        try place.failure(
            "eval run --shards none", status: 65, says: "none has no validation part",
            "--validation-fraction", "falcon eval --text")
    }

    @Test func evalReadsTheTokensOfTokenize() throws {
        try place.write("plain.txt", "the law of the land and of the people")
        try place.write("mark.txt", "\u{FEFF}the law of the land and of the people")
        let scores = try ["plain.txt", "mark.txt"].map { file in
            try place.success("eval run --text \(file)").output
                .replacingOccurrences(of: file, with: "")
        }
        #expect(scores[0] == scores[1])
        try place.failure(
            "eval run --text /dev/null", status: 65, says: "/dev/null: the text is empty")
    }

    @Test func parquetIsReadAsTheSameJSONLinesAre() throws {
        let samples = testsFolder + "/ParquetTests/Fixtures/"
        for name in ["corpus.jsonl", "arrow-corpus.parquet", "arrow-nested.parquet"] {
            try Data(load(samples + name)).write(to: place.url(name))
        }
        let command = "tokenize --tokenizer tok.model --validation-fraction 0.2 --json"
        for field in ["text", "data.text"] {
            let results = try ["corpus.jsonl", "arrow-corpus.parquet"].map { file in
                try place.success("\(command) --field \(field) --output \(field)-\(file) \(file)")
                    .json()
            }
            for key in ["dataset_digest", "documents", "empty_documents", "tokens", "text_bytes"] {
                #expect("\(results[0][key] ?? 0)" == "\(results[1][key] ?? 1)", "\(key)")
            }
        }
        let train = "tokenizer train --vocab-size 300 --json --input"
        let tokenizers = try ["corpus.jsonl", "arrow-corpus.parquet"].map { file in
            try place.success("\(train) \(file) --output \(file).model").json()["sha256"] as? String
        }
        #expect(tokenizers[0] == tokenizers[1] && tokenizers[0]?.count == 64)
        try place.failure(
            "\(command) --output x --field body arrow-corpus.parquet", status: 65,
            says: "no column \"body\" (columns of text: text, data.text)", "--field")
        try place.failure(
            "\(command) --output x arrow-nested.parquet", status: 65,
            says: "arrow-nested.parquet, row ", "is not a string but null", "--skip-bad-documents")
        let skipped = try place.success(
            "\(command) --output y --skip-bad-documents arrow-nested.parquet")
        #expect(try skipped.json()["skipped_documents"] as? Int ?? 0 > 5)
        #expect(
            String(decoding: try place.read("y/rejected.jsonl"), as: UTF8.self).contains("\"row\":")
        )
        let piped = try place.falcon(
            "\(command) --output x -", input: place.read("arrow-corpus.parquet"))
        #expect(piped.status == 65)
        #expect(
            piped.errors.contains(
                "standard input is a Parquet file; give the file itself by its name"))
        try place.failure(
            "eval run --text arrow-corpus.parquet", status: 65, says: "it is a Parquet file; take")
    }
}
