import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@testable import FalconData

/// Parts that cannot be merged, and merges that were stopped.
@Suite struct MergeTests {
    private let tokenizer: SentencePieceTokenizer
    private let folder: TemporaryFolder
    private let wanted: [String: [UInt8]]

    init() throws {
        tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        folder = try TemporaryFolder()
        for file in 0..<4 {
            try folder.write("in/\(file).txt", String(repeating: "Text \(file). ", count: 200))
        }
        _ = try Self.corpus(tokenizer).write(
            DocumentReader(paths: [folder.file("in")]), to: folder.file("one"))
        wanted = try Self.contents(folder.file("one"))
        try writeParts()
    }

    private static func corpus(
        _ tokenizer: any Tokenizer, fraction: Double = 0.1
    ) -> CorpusTokenizer {
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.validationFraction = fraction
        corpus.overwrites = true
        return corpus
    }

    private static func contents(_ folder: String) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for file in try namesInFolder(folder) {
            contents[file] = try InputFile.contents(of: "\(folder)/\(file)")
        }
        return contents
    }

    private func writeParts(_ shares: [String] = ["1/3", "2/3", "3/3"]) throws {
        for share in shares { try writePart(share, Self.corpus(tokenizer)) }
    }

    private func writePart(_ share: String, _ corpus: CorpusTokenizer) throws {
        _ = try corpus.writePart(
            of: DocumentReader(paths: [folder.file("in")]), share: InputShare(share),
            to: folder.file("out"))
    }

    private var merge: DataMerge { DataMerge(folder: folder.file("out")) }

    private func parts() throws -> [String] { try namesInFolder(folder.file("out.parts")) }

    private func fails(_ words: String..., status: FalconSystem.ExitStatus = .badData) throws {
        let before = try namesInFolder(folder.path)
        let error = #expect(throws: PartError.self) { try merge.run() }
        for word in words {
            #expect(error?.description.contains(word) == true, "\(String(describing: error))")
        }
        #expect(error?.exitStatus == status)
        #expect(try namesInFolder(folder.path) == before)
        #expect(fileKind(of: folder.file("out")) == .missing)
    }

    @Test func missingPartsAreNamed() throws {
        try removeFolder(folder.file("out.parts/2-of-3"))
        try fails(
            "out.parts lacks part 2 of 3; write it first: falcon tokenize with --shard 2/3",
            status: .missingInput)
        try removeFolder(folder.file("out.parts/3-of-3"))
        try fails("lacks 2 parts: 2, 3 of 3; write them first", status: .missingInput)
        try writeParts(["1/9", "4/9"])
        try fails("holds parts for 3, for 9 workers", "*-of-3")
        try removeFolder(folder.file("out.parts/1-of-3"))
        try fails("lacks 7 parts: 2, 3, 5 to 9 of 9", status: .missingInput)
        try removeFolder(folder.file("out.parts"))
        try fails("out.parts holds no part of a data set", status: .missingInput)
    }

    @Test func aDamagedPartIsNamed() throws {
        let part = "out.parts/2-of-3"
        for name in try namesInFolder(folder.file(part)) {
            let whole = try InputFile.contents(of: folder.file("\(part)/\(name)"))
            guard !whole.isEmpty else { continue }
            for place in stride(from: 0, to: whole.count, by: max(1, whole.count / 5)) {
                var bytes = whole
                bytes[place] ^= 1 << UInt8(place % 7)
                try folder.write("\(part)/\(name)", bytes)
                try fails("\(part) is damaged: ", "--shard 2/3 --overwrite")
            }
            try folder.write("\(part)/\(name)", Array(whole.dropLast()))
            try fails("\(part) is damaged: ", name)
            try removeFile(folder.file("\(part)/\(name)"))
            try fails("\(part) is damaged: ", name)
            try folder.write("\(part)/\(name)", whole)
        }
        _ = try merge.run()
        #expect(try Self.contents(folder.file("out")) == wanted)
    }

    @Test func partsThatWereMadeOtherwiseAreNotMerged() throws {
        try writePart("3/3", Self.corpus(tokenizer, fraction: 0.25))
        try fails(
            "3-of-3 was not made as ", "--validation-fraction is 0.25, want 0.1;", "--shard 3/3")
        let other = try SentencePieceTokenizer(path: tokenizerFixture("test_model.model"))
        try writePart("3/3", Self.corpus(other))
        try fails("the tokenizer is \(other.digest), want \(tokenizer.digest)")
        var short = Self.corpus(tokenizer)
        short.layout = ShardLayout(
            vocabularyCount: tokenizer.vocabularyCount, tokensPerFrame: 64, tokensPerShard: 100)
        try writePart("3/3", short)
        try fails("the length of a frame is 64, want 8192; the length of a shard is 100, want")
        try writeParts(["3/3"])
        try folder.write("in/9.txt", "")
        try folder.write("in/0.txt", String(repeating: "Text. ", count: 7))
        let input = try #require(try? PartSettings.Input.of(folder.file("in")))
        #expect(input.files == 5)
        _ = try Self.corpus(tokenizer).writePart(
            of: DocumentReader(paths: [folder.file("in")]), share: InputShare("1/3"),
            to: folder.file("out"))
        try fails("2-of-3 was not made as ", "the input is 4 files of", "want 5 files of")
    }

    @Test func onlyADataSetThatMayGoIsReplaced() throws {
        try folder.write("out/notes.txt", "mine")
        _ = try merge.run()
        #expect(try Self.contents(folder.file("out"))["notes.txt"] == Array("mine".utf8))
        let done = #expect(throws: PartError.self) { try merge.run() }
        #expect(done?.description.contains("holds a data set already, and") == true)
        #expect(done?.exitStatus == .cannotCreate)
        try writeParts()
        #expect(throws: DataError.outputExists(path: folder.file("out"))) { try merge.run() }
        #expect(try parts() == ["1-of-3", "2-of-3", "3-of-3"])
        var replacing = merge
        replacing.overwrites = true
        #expect(try !replacing.run().isUnchanged)
        #expect(fileKind(of: folder.file("out.parts")) == .missing)
        // Other things in the folder of the parts are somebody's.
        try writeParts()
        try folder.write("out.parts/notes.txt", "mine")
        _ = try replacing.run()
        #expect(try parts() == ["notes.txt"])
    }

    /// Wherever a merge was stopped, the next one ends it.
    @Test func aMergeThatWasStoppedIsFinished() throws {
        var keeping = merge
        keeping.keepsParts = true
        var replacing = keeping
        replacing.overwrites = true
        let outcome = try keeping.run()
        #expect(try parts() == ["1-of-3", "2-of-3", "3-of-3", "merged.json"])
        #expect(try keeping.run().isUnchanged)
        // Stopped while parts are removed, and while the earlier data set is.
        try renameItem(
            folder.file("out.parts/1-of-3"), to: folder.file("out.parts/1-of-3.partial"))
        try removeFile(folder.file("out.parts/1-of-3.partial/part.json"))
        try folder.write("out.partial/train-00000.tok.zst", "old")
        try folder.write("out.parts/.lock", "process 1 on nowhere\n")
        let finished = try merge.run()
        #expect(finished.isUnchanged && finished.index == outcome.index)
        #expect(finished.counts == outcome.counts)
        #expect(try namesInFolder(folder.path).filter { $0.hasPrefix("out") } == ["out"])
        #expect(try Self.contents(folder.file("out")) == wanted)
        // Stopped before the data set has its name.
        try writeParts()
        _ = try replacing.run()
        try removeFolder(folder.file("out"))
        #expect(try !merge.run().isUnchanged)
        #expect(try Self.contents(folder.file("out")) == wanted)
        // Parts of a later corpus are not those that were merged.
        try writeParts()
        _ = try replacing.run()
        for share in ["1/3", "2/3", "3/3"] {
            try writePart(share, Self.corpus(tokenizer, fraction: 0.3))
        }
        #expect(throws: DataError.outputExists(path: folder.file("out"))) { try merge.run() }
    }

    @Test func workersWithoutDocumentsLeaveNoDataSet() throws {
        for share in ["1/3", "2/3", "3/3"] {
            try writePart(share, Self.corpus(tokenizer, fraction: 1))
        }
        let error = #expect(throws: DataError.self) { try merge.run() }
        #expect(error?.description.contains("all 4 documents were held out") == true)
        #expect(try namesInFolder(folder.path) == ["in", "one", "out.parts"])
    }
}

extension PartSettings.Input {
    fileprivate static func of(_ path: String) throws -> Self {
        try DocumentReader(paths: [path]).settings
    }
}
