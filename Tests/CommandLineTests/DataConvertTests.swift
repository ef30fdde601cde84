import FalconTestSupport
import Foundation
import Testing

/// Token shards to the files of other trainers and back.
@Suite struct DataConvertTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    private func numbers<T: FixedWidthInteger>(_ data: Data, _ type: T.Type) -> [Int] {
        let width = MemoryLayout<T>.size
        return stride(from: 0, to: data.count - width + 1, by: width).map { start in
            Int(
                (0..<width).reversed().reduce(T(0)) {
                    $0 << 8 | T(data[data.startIndex + start + $1])
                })
        }
    }

    /// The tokens of the training split, as zstd gives them.
    private func tokens() throws -> [Int] {
        let outcome = try Program.start(
            ["-c", "zstd -dcq shards/train-*.tok.zst > raw"], of: "/bin/sh", in: place.folder
        ).outcome()
        #expect(outcome.status == 0)
        return numbers(try place.read("raw"), UInt16.self)
    }

    @Test func megatronsFilesAreThoseOfItsFormat() throws {
        try place.success("data convert shards --to megatron --output m")
        let stream = try tokens()
        #expect(numbers(try place.read("m/train.bin"), UInt16.self) == stream)
        let index = try place.read("m/train.idx")
        #expect(index.prefix(9) == Data("MMIDIDX\0\0".utf8) && index[17] == 8)
        #expect(numbers(index[9..<17], UInt64.self) == [1])
        let counts = numbers(index[18..<34], UInt64.self)
        let documents = stream.count { $0 == 2 }
        #expect(counts == [documents, documents + 1])
        let lengths = numbers(index[34..<34 + 4 * documents], Int32.self)
        #expect(lengths.reduce(0, +) == stream.count)
        let places = numbers(index[(34 + 4 * documents)..<(34 + 12 * documents)], Int64.self)
        #expect(zip(places, places.dropFirst()).map { ($1 - $0) / 2 } == Array(lengths.dropLast()))
        #expect(numbers(index[(34 + 12 * documents)...], Int64.self) == Array(0...documents))
    }

    @Test func llmcAndTheOthersHoldTheStream() throws {
        let stream = try tokens()
        try place.success("data convert shards --to llm.c --output l")
        let file = try place.read("l/train_000000.bin")
        let header = numbers(file.prefix(1024), Int32.self)
        #expect(
            header[..<3] == [20_240_520, 1, stream.count] && header[3...].allSatisfy { $0 == 0 })
        // The end token stands before each document.
        #expect(numbers(file.dropFirst(1024), UInt16.self) == [2] + stream.dropLast())
        for (format, name) in [("nanogpt", "train.bin"), ("olmo-core", "train.npy")] {
            try place.success("data convert shards --to \(format) --output \(format)")
            #expect(numbers(try place.read("\(format)/\(name)"), UInt16.self) == stream)
        }
    }

    @Test func whatWasWrittenIsReadBack() throws {
        for (format, file) in [
            ("megatron", "train.idx"), ("llm.c", "train_000000.bin"), ("nanogpt", "train.bin"),
            ("olmo-core", "train.npy"), ("mds", "train"),
        ] {
            try place.success("data convert shards --to \(format) --output \(format)")
            try place.success(
                "data convert \(format)/\(file) --from \(format) --tokenizer tok.model --output back-\(format)"
            )
            let (old, new) = try (
                place.success("data info shards --json").json()["train"] as? [String: Any],
                place.success("data info back-\(format) --json").json()["train"] as? [String: Any]
            )
            for key in ["tokens", "documents", "text_bytes"] {
                #expect(old?[key] as? Int == new?[key] as? Int, "\(format), \(key)")
            }
            #expect(
                try place.read("back-\(format)/train-00000.tok.zst")
                    == place.read("shards/train-00000.tok.zst"))
            try place.success("verify data back-\(format)")
        }
        try place.success("data convert shards --to mds --compress --output zip")
        try place.success(
            "data convert zip/train/index.json --from mds --tokenizer tok.model --output back-zip")
        #expect(
            try place.read("back-zip/index.json") == place.read("back-mds/index.json"))
        // Both splits in, by the texts: the data set that the text would have given.
        try place.success(
            "data convert megatron/validation megatron/train --from megatron --tokenizer tok.model "
                + "--validation-fraction 0.1 --output both")
        let (old, new) = try (
            place.success("data info shards --json").json(),
            place.success("data info both --json").json()
        )
        for split in ["train", "validation"] {
            #expect(
                (old[split] as? [String: Any])?["tokens"] as? Int
                    == (new[split] as? [String: Any])?["tokens"] as? Int)
        }
    }

    @Test func filesThatCannotBeRightAreNamed() throws {
        try place.success("data convert shards --to megatron --output m")
        try place.success("data convert shards --to llm.c --output l")
        let index = try place.read("m/train.idx")
        func write(_ name: String, _ data: Data) throws { try data.write(to: place.url(name)) }
        func changed(_ data: Data, at place: Int, to byte: UInt8) -> Data {
            var data = data
            data[place] = byte
            return data
        }
        let convert = "data convert --tokenizer tok.model --output x"
        for (bad, words) in [
            (index.prefix(30), "does not begin with MMIDIDX"), (index.prefix(100), "do not hold"),
            (changed(index, at: 0, to: 0), "does not begin with MMIDIDX"),
            (changed(index, at: 9, to: 2), "version 2"), (changed(index, at: 17, to: 6), "type 6"),
            (changed(index, at: 25, to: 255), "do not hold"),
            (changed(index, at: 34, to: 1), "does not begin where"),
        ] {
            try write("m/train.idx", bad)
            try place.failure(
                "\(convert) --from megatron m/train", status: 65, says: "m/train.idx", words)
        }
        try write("m/train.idx", index)
        let tokens = try place.read("m/train.bin")
        try write("m/train.bin", tokens.dropLast(2))
        try place.failure(
            "\(convert) --from megatron m/train", status: 65, says: "its .idx tells of")
        try write("n.bin", tokens.dropLast(1))
        try place.failure("\(convert) --from nanogpt n.bin", status: 65, says: "cut short")
        let file = try place.read("l/train_000000.bin")
        for (bad, words) in [
            (file.prefix(8), "too short"), (file.dropLast(2), "its header tells of"),
            (changed(file, at: 0, to: 0), "20240520"),
        ] {
            try write("l.bin", Data(bad))
            try place.failure("\(convert) --from llm.c l.bin", status: 65, says: "l.bin", words)
        }
        try write("big.bin", Data([255, 255, 2, 0]))
        try place.failure(
            "\(convert) --from nanogpt big.bin", status: 65, says: "document 1 holds token 65535")
        try write("numpy.npy", Data([0x93] + Array("NUMPY".utf8) + [1, 0]))
        try place.failure(
            "\(convert) --from olmo-core numpy.npy", status: 65, says: "NumPy's header")
        // Tokens of 32 bits, read as 16.
        var wide: [UInt8] = []
        for token in numbers(tokens, UInt16.self) {
            wide += [UInt8(token & 255), UInt8(token >> 8), 0, 0]
        }
        try write("wide.npy", Data(wide))
        try place.failure(
            "\(convert) --from olmo-core wide.npy", status: 65, says: "every second token is 0",
            "--token-bytes 4")
        try place.success("\(convert) --from olmo-core --token-bytes 4 wide.npy")
        #expect(
            try place.read("x/train-00000.tok.zst") == place.read("shards/train-00000.tok.zst"))
        try FileManager.default.removeItem(atPath: place.path("x"))
        try place.failure("\(convert) --from nanogpt shards", status: 65, says: "not a file")
        try write("none.bin", Data())
        try place.failure(
            "\(convert) --from nanogpt none.bin", status: 65, says: "the files hold none")
        try place.failure("\(convert) --from nanogpt gone.bin", status: 66, says: "gone.bin")
        try place.failure("data convert shards --to nanogpt --output m", status: 73, says: "m")
        for (options, words) in [
            ("shards --output y", "one of --to and --from"),
            ("shards --to llm.c --tokenizer tok.model --output y", "--tokenizer goes with --from"),
            ("n.bin --from nanogpt --output y", "--from needs --tokenizer"),
            ("shards --to megatron --compress --output y", "--compress goes with --to mds"),
            ("shards --to mds --column x --output y", "--column goes with --from"),
            (
                "n.bin --from nanogpt --concatenated --tokenizer tok.model --output y",
                "--concatenated goes with --from mds"
            ),
            (
                "n --from mds --token-bytes 3 --tokenizer tok.model --output y",
                "want 2 or 4 or 8"
            ),
            (
                "n.bin --from olmo-core --token-bytes 3 --tokenizer tok.model --output y",
                "want 2 or 4"
            ),
        ] {
            try place.failure("data convert \(options)", status: 64, says: words)
        }
    }
}
