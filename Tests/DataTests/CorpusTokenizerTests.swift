import FalconJSON
import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Foundation
import Testing

@testable import FalconData

extension [String] {
    /// The first of each.
    fileprivate func uniqued() -> [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}

@Suite struct CorpusTokenizerTests {
    private let tokenizer: SentencePieceTokenizer

    init() throws { tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel)) }

    private func texts(_ count: Int) -> [String] {
        (0..<count).map { number in
            (0...number % 13).map { "document \(number) sentence \($0 * number). " }.joined()
                + oddTexts[number % oddTexts.count]
        }
    }

    private func jsonl(_ texts: [String]) throws -> [UInt8] {
        let lines = try texts.map { try JSONEncoder().encode(["text": $0]) }
        return Array(lines.map { Array($0) }.joined(separator: [0x0A]))
    }

    private func corpus(threads: Int = 1, fraction: Double = 0.2) -> CorpusTokenizer {
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.threadCount = threads
        corpus.validationFraction = fraction
        corpus.layout = ShardLayout(
            vocabularyCount: tokenizer.vocabularyCount, tokensPerFrame: 500, tokensPerShard: 6000)
        return corpus
    }

    private func contents(_ folder: String) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in try namesInFolder(folder) {
            contents[name] = try InputFile.contents(of: "\(folder)/\(name)")
        }
        return contents
    }

    @Test func bytesAreTheSameForAnyThreadCount() throws {
        let folder = try TemporaryFolder()
        // More than one job of 128 KiB, more jobs than the queues hold.
        let path = try folder.write("in.jsonl", jsonl(texts(6000)))
        var all: [[String: [UInt8]]] = []
        for threads in [1, 2, 3, 8] {
            let output = folder.file("out\(threads)")
            _ = try corpus(threads: threads).write(DocumentReader(paths: [path]), to: output)
            all.append(try contents(output))
        }
        #expect(all[0].keys.count { $0.hasPrefix("train-") } > 3)
        #expect(all[0].keys.contains("validation-00000.tok.zst"))
        #expect(all[0]["tokenizer.model"] == tokenizer.modelBytes)
        for other in all.dropFirst() { #expect(other == all[0]) }
    }

    @Test func shardsHoldTheDocumentsInOrderWithTheirSplit() throws {
        let folder = try TemporaryFolder()
        let texts = texts(300)
        let path = try folder.write("in.jsonl", jsonl(texts))
        let (index, counts) = try corpus(threads: 2).write(
            DocumentReader(paths: [path]), to: folder.file("out"))
        // The split rule, computed apart from the code under test with sha256sum.
        var wanted: [Split: [Int32]] = [.train: [], .validation: []]
        var bytes: [Split: Int] = [.train: 0, .validation: 0]
        for text in texts where !text.isEmpty {
            let digits = SHA256.hex(of: Array(text.utf8)).prefix(16)
            let fraction = Double(UInt64(digits, radix: 16) ?? 0) / pow(2, 64)
            let split = fraction < 0.2 ? Split.validation : .train
            wanted[split, default: []] += try tokenizer.encode(text) + [2]
            bytes[split, default: 0] += text.utf8.count
        }
        let dataset = try TokenDataset(path: folder.file("out"))
        #expect(dataset.index == index)
        for split in Split.allCases {
            let tokens = try dataset.reader(of: split).tokens(in: 0..<index[split].tokens)
            #expect(tokens == wanted[split])
            #expect(index[split].textBytes == bytes[split])
            #expect(tokens.count { $0 == 2 } == index[split].documents)
        }
        #expect(index.validation.documents > 30 && index.validation.documents < 90)
        #expect(counts.documents == index.train.documents + index.validation.documents)
        #expect(counts.tokens == index.train.tokens + index.validation.tokens)
        #expect(try dataset.tokenizer().digest == tokenizer.digest)
        try dataset.verify(threadCount: 2)
    }

    @Test func theDigestFollowsTheData() throws {
        let folder = try TemporaryFolder()
        var digests: Set<String> = []
        for (number, texts) in [["a b", "c d"], ["c d", "a b"], ["a b", "c e"]].enumerated() {
            let path = try folder.write("\(number).jsonl", jsonl(texts))
            let (index, _) = try corpus(fraction: 0).write(
                DocumentReader(paths: [path]), to: folder.file("out\(number)"))
            digests.insert(index.datasetDigest)
        }
        #expect(digests.count == 3)
    }

    @Test func emptyAndBadDocumentsAreCounted() throws {
        let folder = try TemporaryFolder()
        let lines = "{\"text\":\"one\"}\n{\"text\":\"\"}\n{\"txt\":1}\nnonsense\n{\"text\":\"two\"}"
        let path = try folder.write("in.jsonl", lines)
        var corpus = corpus(threads: 2, fraction: 0)
        let strict = #expect(throws: DataError.self) {
            try corpus.write(DocumentReader(paths: [path]), to: folder.file("strict"))
        }
        #expect(strict?.description.contains("line 3: no field \"text\"") == true)
        #expect(fileKind(of: folder.file("strict")) == .missing)
        corpus.skipsBadDocuments = true
        let (_, counts) = try corpus.write(
            DocumentReader(paths: [path]), to: folder.file("lenient"))
        #expect(counts.documents == 2 && counts.emptyDocuments == 1 && counts.badDocuments == 2)
        #expect(counts.firstBadDocument?.contains("line 3") == true)
        #expect(counts.inputBytes == lines.utf8.count)
    }

    /// The first of the same documents is kept, whatever the threads; it decides the split.
    @Test func theFirstOfTheSameDocumentsIsKept() throws {
        let folder = try TemporaryFolder()
        let base = texts(300)
        var all: [String] = []
        for (number, text) in base.enumerated() {
            all.append(text)
            if number % 3 == 0 { all.append(base[number / 2]) }
            if number % 5 == 0 { all.append("  " + base[number].uppercased() + "!\n") }
        }
        let marks = ["?!", "...", "\u{2014}"]
        let path = try folder.write("in.jsonl", try jsonl(all + marks + marks))
        func write(_ mode: Deduplication, threads: Int) throws -> (
            DatasetIndex, CorpusTokenizer.Progress
        ) {
            var corpus = self.corpus(threads: threads, fraction: 0.2)
            corpus.deduplication = mode
            return try corpus.write(
                DocumentReader(paths: [path]), to: folder.file("\(mode)-\(threads)"))
        }
        let off = try write(.off, threads: 1).1
        #expect(off.documents == all.count + 6 && off.duplicateDocuments == 0)
        let unique = Set(base).count
        let (exact, counts) = try write(.exact, threads: 1)
        #expect(counts.documents == Set(all).count + 3)
        #expect(counts.documents + counts.duplicateDocuments == off.documents)
        #expect(counts.textBytes + counts.duplicateBytes == off.textBytes)
        #expect(try write(.exact, threads: 3).0.datasetDigest == exact.datasetDigest)
        let (normal, fewer) = try write(.normalized, threads: 2)
        // Marks alone are compared as they are.
        #expect(fewer.documents == unique + 3)
        // What is kept is what a corpus of the first documents gives.
        let plain = try folder.write("plain.jsonl", try jsonl(base.uniqued() + marks))
        let (wanted, _) = try corpus(fraction: 0.2).write(
            DocumentReader(paths: [plain]), to: folder.file("plain"))
        #expect(normal.datasetDigest == wanted.datasetDigest)
    }

    /// Everything that is left out is listed with its place, the same for any number of threads.
    @Test func whatIsLeftOutIsListed() throws {
        let folder = try TemporaryFolder()
        var lines = Array(
            repeating: "{\"text\":\"\(String(repeating: "a ", count: 500))\"}", count: 600)
        for bad in stride(from: 50, to: 600, by: 90) { lines[bad] = "{\"n\":\(bad)}" }
        let good = try folder.write("in/a.jsonl", lines.joined(separator: "\n"))
        let parquet = try folder.write("in/b.txt", Array("PAR1".utf8) + [0xFF, 0, 0xFE])
        let last = try folder.write("in/c.jsonl", "{\"text\":\"x\"}\n{")
        func list(threads: Int, overwriting: Bool) throws -> [UInt8] {
            var corpus = self.corpus(threads: threads, fraction: 0)
            (corpus.skipsBadDocuments, corpus.overwrites) = (true, overwriting)
            let reader = try DocumentReader(paths: [folder.file("in")], skipsBadItems: true)
            let output = folder.file("out")
            let (_, counts) = try corpus.write(reader, to: output)
            #expect(counts.badDocuments == 8 && counts.unreadable.count == 1)
            return try InputFile.contents(of: output + "/" + RejectedItem.fileName)
        }
        let first = try list(threads: 1, overwriting: false)
        #expect(try list(threads: 3, overwriting: true) == first)
        let items = try first.split(separator: 0x0A).map {
            try decodedJSON(RejectedItem.self, from: Array($0))
        }
        let places = Set(items.map { "\($0.path):\($0.line ?? 0)" })
        let bad = stride(from: 50, to: 600, by: 90).map { "\(good):\($0 + 1)" }
        #expect(places == Set(bad + ["\(parquet):0", "\(last):2"]) && items.count == 9)
        #expect(items.allSatisfy { $0.reason.hasPrefix($0.path) })
        // Such a list in a folder without a data set is somebody else's.
        let mine = try folder.write("mine/" + RejectedItem.fileName, "mine")
        #expect(throws: FileError.self) {
            try self.corpus(fraction: 0).write(
                DocumentReader(paths: [good]), to: folder.file("mine"))
        }
        #expect(try InputFile.contents(of: mine) == Array("mine".utf8))
        let wrong = try folder.write("bad.jsonl", "{\"text\":1}\n")
        let nothing = #expect(throws: DataError.self) {
            var corpus = self.corpus(fraction: 0)
            corpus.skipsBadDocuments = true
            _ = try corpus.write(DocumentReader(paths: [wrong]), to: folder.file("nothing"))
        }
        #expect(nothing?.description.contains("bad.jsonl, line 1: field") == true)
        // A data set without such items has no list, whatever was there before.
        var corpus = corpus(fraction: 0)
        corpus.overwrites = true
        let clean = try folder.write("clean.jsonl", "{\"text\":\"x\"}")
        _ = try corpus.write(DocumentReader(paths: [clean]), to: folder.file("out"))
        #expect(fileKind(of: folder.file("out") + "/" + RejectedItem.fileName) == .missing)
    }

    @Test(arguments: [1, 2, 4])
    func anErrorLeavesNothingThatLooksWhole(threads: Int) throws {
        let folder = try TemporaryFolder()
        let good = try jsonl(texts(4000))
        let path = try folder.write("in.jsonl", good + Array("\n{oops\n".utf8) + good)
        let output = folder.file("out")
        let error = #expect(throws: DataError.self) {
            try corpus(threads: threads).write(DocumentReader(paths: [path]), to: output)
        }
        #expect(error?.description.contains("line 4001") == true)
        #expect(fileKind(of: output) == .missing)
        // A file that ends in the middle of its compressed data: found by the reading thread.
        let zst = try compressed(good + good, folder)
        let cut = try folder.write("cut.jsonl.zst", Array(zst.dropLast(zst.count / 4)))
        #expect(throws: DataError.damagedCompression(path: cut, reason: "cut short")) {
            try corpus(threads: threads).write(DocumentReader(paths: [cut]), to: output)
        }
        #expect(fileKind(of: output) == .missing)
    }

    @Test func aDataSetIsReplacedOnlyWhenAsked() throws {
        let folder = try TemporaryFolder()
        let first = try folder.write("1.txt", "the first corpus, much longer than the second one")
        let second = try folder.write("2.txt", "second")
        let output = folder.file("out")
        var corpus = corpus(fraction: 0)
        corpus.layout = ShardLayout(vocabularyCount: 32768, tokensPerFrame: 2, tokensPerShard: 4)
        // Left by a run that was killed: a shard without an index.
        try folder.write("out/train-00077.tok.zst", "stale")
        try folder.write("out/validation-00000.tok.zst.partial", "stale")
        try folder.write("out/notes.txt", "mine")
        let (index, _) = try corpus.write(DocumentReader(paths: [first]), to: output)
        #expect(try namesInFolder(output).count == index.train.shards.count + 3)
        #expect(throws: DataError.outputExists(path: output)) {
            try corpus.write(DocumentReader(paths: [second]), to: output)
        }
        #expect(try TokenDataset(path: output).index == index)
        corpus.overwrites = true
        _ = try corpus.write(DocumentReader(paths: [second]), to: output)
        #expect(
            try namesInFolder(output)
                == ["index.json", "notes.txt", "tokenizer.model", "train-00000.tok.zst"])
        try TokenDataset(path: output).verify()
    }

    @Test func aFailedRunLeavesTheOldDataSet() throws {
        let folder = try TemporaryFolder()
        let good = try folder.write("1.txt", "the first corpus")
        let bad = try folder.write("2.jsonl", "{\"text\":\"a\"}\n{oops\n")
        let output = folder.file("out")
        var corpus = corpus(fraction: 0)
        _ = try corpus.write(DocumentReader(paths: [good]), to: output)
        try folder.write("out/notes.txt", "mine")
        let before = try contents(output)
        corpus.overwrites = true
        #expect(throws: DataError.self) {
            try corpus.write(DocumentReader(paths: [good, bad]), to: output)
        }
        #expect(try contents(output) == before)
        #expect(try namesInFolder(folder.path) == ["1.txt", "2.jsonl", "out"])
        // A folder inside would go with the one around it.
        try folder.write("out/more/mine.txt", "mine")
        let error = #expect(throws: FileError.self) {
            try corpus.write(DocumentReader(paths: [good]), to: output)
        }
        #expect(
            error?.description.contains("out/more") == true && error?.exitStatus == .cannotCreate)
        #expect(try TokenDataset(path: output).index.train.documents == 1)
    }

    @Test func oneProcessAtATimeWritesAFolder() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("1.txt", "a corpus")
        let output = folder.file("out")
        let held = try AtomicFolder(path: output)
        let error = #expect(throws: FileError.self) {
            try corpus(fraction: 0).write(DocumentReader(paths: [path]), to: output)
        }
        guard case .held = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.exitStatus == .cannotCreate)
        #expect(fileKind(of: held.partialPath) == .folder)
    }

    @Test(arguments: [1, 3])
    func aFewDocumentsGiveTheirEndsForValidation(threads: Int) throws {
        let folder = try TemporaryFolder()
        let text = (0..<400).map { "Sentence \($0) of a text.\($0 % 5 == 4 ? "\n\n" : " ")" }
            .joined()
        let path = try folder.write("one.txt", text)
        let (index, counts) = try corpus(threads: threads, fraction: 0.1).write(
            DocumentReader(paths: [path]), to: folder.file("one"))
        #expect(counts.cutDocuments == 1)
        #expect(index.train.documents == 1 && index.validation.documents == 1)
        #expect(index.train.textBytes + index.validation.textBytes == text.utf8.count)
        let share = Double(index.validation.textBytes) / Double(text.utf8.count)
        #expect(abs(share - 0.1) < 0.02)
        let dataset = try TokenDataset(path: folder.file("one"))
        let parts = try Split.allCases.map { split in
            let tokens = try dataset.reader(of: split).tokens(in: 0..<index[split].tokens)
            #expect(tokens.last == 2 && tokens.count { $0 == 2 } == 1)
            return try tokenizer.decode(Array(tokens.dropLast()))
        }
        // Cut where a paragraph ends.
        #expect(parts.joined() == text && parts[0].hasSuffix("\n\n"))
        #expect(counts.tokens == index.train.tokens + index.validation.tokens)
        // Three documents give an end each; short ones one whole document.
        let three = try folder.write("three.jsonl", jsonl([text, text + "b", text + "c"]))
        let (cut, _) = try corpus(threads: threads, fraction: 0.01).write(
            DocumentReader(paths: [three]), to: folder.file("three"))
        #expect(cut.train.documents == 3 && cut.validation.documents == 3)
        let short = try folder.write("short.jsonl", jsonl(["a b", "c d", "e f"]))
        let (few, _) = try corpus(threads: threads, fraction: 0.01).write(
            DocumentReader(paths: [short]), to: folder.file("few"))
        #expect(few.train.documents == 2 && few.validation.documents == 1)
        let single = try folder.write("single.txt", "a b")
        let (alone, _) = try corpus(threads: threads, fraction: 0.01).write(
            DocumentReader(paths: [single]), to: folder.file("single"))
        #expect(alone.train.documents == 1 && alone.validation.documents == 0)
    }

    @Test func theEndOfATextIsCutAtTheBestPlace() {
        let words = String(repeating: "word ", count: 400)
        let lines = String(repeating: "line\n", count: 400)
        for (text, wanted) in [
            (words, " word"), (lines, "line\n"), (String(repeating: "é", count: 1000), "é"),
            (String(repeating: "a b\n\n", count: 400), "a b\n\n"),
        ] {
            guard let cut = ValidationTail.cut(text, 0.1) else {
                Issue.record("not cut: \(wanted)")
                continue
            }
            #expect(text[cut...].hasPrefix(wanted))
            #expect((text[cut...].utf8.count - text.utf8.count / 10).magnitude < 8)
        }
        #expect(ValidationTail.cut("short", 0.5) == nil)
    }

    @Test func manyThreadsAreNoTrouble() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("in.txt", "a corpus")
        var corpus = corpus(threads: .max, fraction: 0)
        corpus.threadCount = .max
        let (index, _) = try corpus.write(DocumentReader(paths: [path]), to: folder.file("out"))
        #expect(index.train.documents == 1)
    }

    @Test func aChangedTokenizerIsFound() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("in.txt", "a corpus")
        let files = TokenizerFiles(
            main: tokenizer.files.main,
            companions: [.init(name: "tokenizer_config.json", bytes: Array("{}".utf8))])
        var corpus = CorpusTokenizer(
            tokenizer: try SentencePieceTokenizer(files: files, path: "tokenizer.model"))
        corpus.validationFraction = 0
        let output = folder.file("out")
        _ = try corpus.write(DocumentReader(paths: [path]), to: output)
        try TokenDataset(path: output).verify()
        for name in ["tokenizer.model", "tokenizer_config.json"] {
            let whole = try InputFile.contents(of: "\(output)/\(name)")
            for place in stride(from: 0, to: whole.count, by: max(1, whole.count / 7)) {
                var bytes = whole
                bytes[place] ^= 1 << UInt8(place % 8)
                try folder.write("out/" + name, bytes)
                let error = #expect(throws: DataError.self) {
                    try TokenDataset(path: output).verify()
                }
                #expect(error?.description.contains("\(output)/\(name): SHA-256 is") == true)
            }
            try folder.write("out/" + name, whole)
        }
        try TokenDataset(path: output).verify()
        try removeFile("\(output)/tokenizer_config.json")
        #expect(throws: FileError.self) { try TokenDataset(path: output).verify() }
    }

    @Test func documentsMustBeLeftToLearnFrom() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("in.txt", "held out")
        let error = #expect(throws: DataError.self) {
            try corpus(fraction: 1).write(DocumentReader(paths: [path]), to: folder.file("out"))
        }
        #expect(error?.description.contains("all 1 documents were held out") == true)
        #expect(error?.exitStatus == .badData)
        #expect(throws: DataError.self) {
            try corpus(fraction: 1.5).write(DocumentReader(paths: [path]), to: folder.file("out"))
        }
    }
}

/// Bytes as `zstd` compresses them.
func compressed(_ bytes: [UInt8], _ folder: TemporaryFolder) throws -> [UInt8] {
    try output(of: "zstd", ["-qc", folder.write("plain", bytes)])
}
