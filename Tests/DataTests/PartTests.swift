import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@testable import FalconData

/// Parts of several workers, and the data set that is made of them.
@Suite struct PartTests {
    private let tokenizer: SentencePieceTokenizer
    private let folder: TemporaryFolder

    init() throws {
        tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        folder = try TemporaryFolder()
    }

    /// A corpus with bad and empty documents, one that is longer than a shard, and files that cannot be read.
    private func writeCorpus() throws {
        for file in 0..<8 {
            var lines = (0..<40 + 30 * file).map { number in
                let text = (0...number % 13).map { "file \(file) sentence \($0 * number). " }
                return "{\"text\":\"\(text.joined())\"}"
            }
            lines[7] = "{\"text\":\"\"}"
            lines[9 + file] = "{\"n\":1}"
            if file == 4 { lines[3] = "{\"text\":\"\(String(repeating: "a b ", count: 5000))\"}" }
            let bytes = Array(lines.joined(separator: "\n").utf8)
            if file % 3 == 1 {
                try folder.write("in/\(file).jsonl.zst", try compressed(bytes, folder))
            } else {
                try folder.write("in/\(file).jsonl", bytes)
            }
            if file % 2 == 0 {
                try folder.write("in/\(file).txt", String(repeating: "A whole text. ", count: 90))
            }
        }
        try folder.write("in/0a.txt", Array("PAR1".utf8) + [0xFF, 0, 0xFE])
        try folder.write("in/5b.txt", Array("PAR1".utf8) + [0xFF, 0, 0xFE])
        try folder.write("in/6a.txt", "")
    }

    private func corpus(
        threads: Int = 2, fraction: Double = 0.2, tailBytes: Int = 1 << 20
    ) -> CorpusTokenizer {
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.threadCount = threads
        corpus.validationFraction = fraction
        corpus.skipsBadDocuments = true
        corpus.tailBytes = tailBytes
        corpus.layout = ShardLayout(
            vocabularyCount: tokenizer.vocabularyCount, tokensPerFrame: 500, tokensPerShard: 6000)
        return corpus
    }

    private func reader(_ field: String = "text") throws -> DocumentReader {
        try DocumentReader(paths: [folder.file("in")], field: field, skipsBadItems: true)
    }

    private func merge(_ name: String, tailBytes: Int = 1 << 20) -> DataMerge {
        var merge = DataMerge(folder: folder.file(name))
        merge.tailBytes = tailBytes
        merge.threadCount = 2
        return merge
    }

    private func writeParts(_ count: Int, to name: String, _ corpus: CorpusTokenizer) throws {
        for number in (1...count).reversed() {
            let share = try #require(InputShare(number: number, of: count))
            let part = try corpus.writePart(
                of: reader(), share: share, to: folder.file(name))
            #expect(!part.isUnchanged)
        }
    }

    private func contents(_ name: String) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for file in try namesInFolder(folder.file(name)) {
            contents[file] = try InputFile.contents(of: folder.file("\(name)/\(file)"))
        }
        return contents
    }

    /// With a validation split, without, and with one made of the ends of the last documents.
    @Test(arguments: [(0.2, 1 << 20), (0, 1 << 20), (1e-9, 1 << 20), (1e-9, 9000), (1e-9, 100)])
    func aMergeIsWhatOneProcessWrites(fraction: Double, tailBytes: Int) throws {
        try writeCorpus()
        func corpus(_ threads: Int) -> CorpusTokenizer {
            self.corpus(threads: threads, fraction: fraction, tailBytes: tailBytes)
        }
        let (index, counts) = try corpus(1).write(reader(), to: folder.file("one"))
        let wanted = try contents("one")
        #expect(index.train.shards.count > 3 && counts.badDocuments == 8)
        #expect(counts.unreadable.count == 2 && counts.emptyDocuments == 9)
        #expect((counts.cutDocuments > 0 || index.validation.documents == 1) == (fraction == 1e-9))
        for threads in [2, 4] {
            _ = try corpus(threads).write(reader(), to: folder.file("threads\(threads)"))
            #expect(try contents("threads\(threads)") == wanted)
        }
        // Of 30 workers some have no file.
        for count in [1, 3, 7, 30] {
            try writeParts(count, to: "out", corpus(2))
            let outcome = try merge("out", tailBytes: tailBytes).run()
            #expect(try contents("out") == wanted, "\(count) workers")
            #expect(outcome.index == index)
            #expect(outcome.counts == counts)
            #expect(outcome.parts == count && !outcome.isUnchanged)
            #expect(!(try namesInFolder(folder.path).contains { $0.hasPrefix("out.") }))
            try TokenDataset(path: folder.file("out")).verify()
            try removeFolder(folder.file("out"))
        }
    }

    @Test func sharesFollowEachOtherAndAreEven() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let sizes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Int.random(in: 0...3, using: &random) * Int.random(in: 0...50, using: &random)
            }
            let count = Int.random(in: 1...12, using: &random)
            var next = 0
            let (total, largest) = (sizes.reduce(0, +), sizes.max() ?? 0)
            for number in 1...count {
                let range = try #require(InputShare(number: number, of: count))
                    .range(ofFilesWith: sizes)
                #expect(range.lowerBound == next)
                next = range.upperBound
                let bytes = sizes[range].reduce(0, +)
                #expect(abs(bytes - total / count) <= largest + 1, "\(sizes) \(number)/\(count)")
            }
            #expect(next == sizes.count)
        }
        let range = InputShare(number: 2, of: 2)?.range(ofFilesWith: [.max / 4, 1, .max / 4])
        #expect(range == 1..<3)
        for (text, words) in [
            ("0/3", "1/3 to 3/3: workers are numbered from 1"), ("4/3", "1/3 to 3/3"),
            ("1/0", "1 to 65536 workers"), ("2", "such as 2/3"), ("1/2/3", "such as 2/3"),
            ("-1/2", "such as 2/3"), ("a/b", "such as 2/3"), ("", "such as 2/3"),
        ] {
            let error = #expect(throws: DataError.self) { try InputShare(text) }
            #expect(error?.description.contains(words) == true && error?.exitStatus == .usage)
        }
        #expect(try InputShare("2/3").description == "2/3")
        for name in ["0-of-3", "4-of-3", "01-of-3", "1-of-3.partial", "1-of", "x-of-y"] {
            #expect(InputShare(folderName: name) == nil)
        }
    }

    @Test func aPartThatIsThereIsNotMadeAgain() throws {
        try writeCorpus()
        let share = try InputShare("2/3")
        let output = folder.file("out")
        let part = try corpus().writePart(of: reader(), share: share, to: output)
        #expect(part.path == output + ".parts/2-of-3")
        let before = try contents("out.parts/2-of-3")
        let again = try corpus(threads: 1).writePart(of: reader(), share: share, to: output)
        #expect(again.isUnchanged && again.index == part.index && again.counts == part.counts)
        let other = #expect(throws: PartError.self) {
            try corpus(fraction: 0.1).writePart(of: reader("body"), share: share, to: output)
        }
        #expect(
            other?.description.contains(
                "--validation-fraction is 0.2, want 0.1; --field is \"text\", want \"body\"; replace"
            )
                == true && other?.exitStatus == .cannotCreate)
        try folder.write("in/9.txt", "more")
        let more = #expect(throws: PartError.self) {
            try corpus().writePart(of: reader(), share: share, to: output)
        }
        #expect(more?.description.contains("the input is 15 files of") == true)
        #expect(try contents("out.parts/2-of-3") == before)
        var replacing = corpus(fraction: 0.1)
        replacing.overwrites = true
        _ = try replacing.writePart(of: reader("body"), share: share, to: output)
        #expect(try contents("out.parts/2-of-3") != before)
        #expect(try namesInFolder(output + ".parts") == ["2-of-3"])
    }

    @Test func someThingsAreNotShared() throws {
        try writeCorpus()
        var corpus = corpus()
        corpus.deduplication = .exact
        let error = #expect(throws: PartError.self) {
            try corpus.writePart(of: reader(), share: InputShare("1/2"), to: folder.file("out"))
        }
        #expect(error?.description.contains("--deduplicate exact compares all documents") == true)
        #expect(error?.exitStatus == .usage)
        let input = #expect(throws: PartError.self) {
            try self.corpus().writePart(
                of: DocumentReader(paths: ["-"]), share: InputShare("1/2"),
                to: folder.file("out"))
        }
        #expect(input?.description.contains("standard input has no size") == true)
        // One worker may.
        _ = try corpus.writePart(of: reader(), share: InputShare("1/1"), to: folder.file("out"))
        _ = try merge("out").run()
        _ = try corpus.write(reader(), to: folder.file("one"))
        #expect(try contents("out") == contents("one"))
    }
}
