import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@testable import FalconData

/// Documents that rules leave out, on the way into a data set.
@Suite struct CleaningTests {
    private let folder: TemporaryFolder
    private let tokenizer: SentencePieceTokenizer

    init() throws {
        folder = try TemporaryFolder()
        tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
    }

    /// Four files, each with 20 texts that are kept, one too short, one of one word again and again, one of which C4 takes a
    /// line, and two that C4 leaves out; then texts of an earlier file.
    private func writeCorpus() throws {
        for file in 0..<4 {
            var texts = (0..<20).map { number in
                FilterTests.prose(60 + number).replacing("word", with: "w\(file)x\(number)y")
            }
            texts.insert("too short", at: 3)
            texts.insert(String(repeating: "again ", count: 90), at: 5)
            let changed = FilterTests.prose(90 + file).replacing("word", with: "m\(file)z")
            texts.insert(changed + "\nMenu Home\n", at: 9)
            texts.insert(FilterTests.prose(70 + file).replacing("of", with: "{"), at: 11)
            texts.insert(FilterTests.prose(80 + file).replacing(".", with: ""), at: 12)
            if file == 3 { texts += texts[15..<18] }
            try folder.write(
                "in/\(file).jsonl",
                texts.map { "{\"text\": \"\($0.replacing("\n", with: "\\n"))\"}\n" }.joined())
        }
    }

    private func reader() throws -> DocumentReader {
        try DocumentReader(paths: [folder.file("in")])
    }

    private func corpus(threads: Int = 2) -> CorpusTokenizer {
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.threadCount = threads
        corpus.cleaning.filters = Set(TextFilter.allCases)
        corpus.cleaning.leastLength = 20
        return corpus
    }

    private func contents(_ name: String) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for file in try namesInFolder(folder.file(name)) {
            contents[file] = try load(folder.file("\(name)/\(file)"))
        }
        return contents
    }

    @Test func documentsAreFilteredTheSameWhoeverWorks() throws {
        try writeCorpus()
        let (index, counts) = try corpus(threads: 1).write(reader(), to: folder.file("one"))
        #expect(counts.documents == 4 * 21 + 3 && counts.filtered.documents == 16)
        #expect(
            counts.filtered.byRule == [
                "min_length": 4, "gopher_repetition_top_2_words": 4, "c4_curly_bracket": 4,
                "c4_few_sentences": 4,
            ])
        // The line of the menu and its break, and the break at the end of every text.
        #expect(counts.filtered.changedDocuments > 4 && counts.filtered.removedBytes > 4 * 10)
        let rejected = String(
            decoding: try load(folder.file("one/rejected.jsonl")), as: UTF8.self
        ).split(separator: "\n")
        #expect(rejected.count == 16)
        #expect(
            rejected[0].contains("\"line\":4") && rejected[0].contains("\"rule\":\"min_length\"")
                && rejected[0].contains("\"value\":9")
                && rejected[0].contains("9 characters, want 20 or more"))
        _ = try corpus(threads: 4).write(reader(), to: folder.file("four"))
        #expect(try contents("four") == contents("one"))
        for number in 1...3 {
            let share = try #require(InputShare(number: number, of: 3))
            _ = try corpus().writePart(of: reader(), share: share, to: folder.file("many"))
        }
        let merged = try DataMerge(folder: folder.file("many")).run()
        #expect(merged.index == index && merged.counts == counts)
        #expect(try contents("many") == contents("one"))
        // What is written are the texts without the lines.
        let finder = try DocumentFinder(TokenDataset(path: folder.file("one")), split: .train)
        let first = try finder.text(of: finder.document(with: 0))
        #expect(!first.contains("Menu") && !first.hasSuffix("\n"))
    }

    @Test func workersWithOtherRulesAreRefused() throws {
        try writeCorpus()
        let share = try #require(InputShare(number: 1, of: 2))
        _ = try corpus().writePart(of: reader(), share: share, to: folder.file("many"))
        func message(_ change: (inout DocumentCleaning) -> Void) throws -> String {
            var other = corpus()
            change(&other.cleaning)
            let error = #expect(throws: PartError.self) {
                try other.writePart(of: reader(), share: share, to: folder.file("many"))
            }
            return "\(try #require(error))"
        }
        #expect(
            try message { $0.filters = [.c4] }.contains(
                "--filter is gopher-repetition,gopher-quality,c4, want c4"))
        #expect(try message { $0.leastLength = nil }.contains("--min-length is 20, want none"))
        #expect(
            try message { $0.mostLength = 9 }.contains("--max-length is not given, want 9"))
    }

    /// What C4's rules leave of a text must have the length too.
    @Test func lengthsHoldForWhatIsWritten() {
        var cleaning = DocumentCleaning()
        func rule(_ text: String) -> String? {
            if case .filtered(let finding) = cleaning.outcome(for: text) {
                finding.rule
            } else {
                nil
            }
        }
        let text =
            "One is two. Two is three! Is it? It is. So it was.\n"
            + FilterTests.prose(20).replacing(".", with: "")
        (cleaning.leastLength, cleaning.mostLength) = (51, 400)
        #expect(rule(text) == nil)
        cleaning.filters = [.c4]
        #expect(rule(text) == "min_length")
        cleaning.leastLength = 50
        #expect(rule(text) == nil)
        #expect(rule(String(repeating: "ü", count: 401)) == "max_length")
        cleaning.filters = []
        #expect(rule(String(repeating: "ü", count: 400)) == nil)
    }

    @Test func aPreviewSaysWhatIsLeftOut() throws {
        try writeCorpus()
        var corpus = corpus()
        let (_, counts) = try corpus.write(reader(), to: folder.file("plain"))
        corpus.deduplication = .exact
        let before = try namesInFolder(folder.path)
        for threads in [1, 3] {
            corpus.threadCount = threads
            let preview = try corpus.preview(reader())
            #expect(preview.documents == 4 * 25 + 3 && preview.keptDocuments == 4 * 21)
            var byRule = preview.reasons.mapValues(\.documents)
            #expect(byRule.removeValue(forKey: "duplicate_exact") == 3)
            #expect(byRule == counts.filtered.byRule)
            #expect(
                preview.reasons.values.reduce(0) { $0 + $1.bytes } + preview.keptBytes
                    + preview.removedBytes == preview.bytes)
            let copies = try #require(preview.reasons["duplicate_exact"])
            #expect(copies.examples.count == 3 && copies.examples[0].place == "line 26")
            #expect(copies.examples[0].keptInstead == folder.file("in/3.jsonl") + ", line 16")
            let short = try #require(preview.reasons["min_length"])
            #expect(short.bytes == 4 * 9 && short.examples.count == 3)
            #expect(short.examples[1].path == folder.file("in/1.jsonl"))
            #expect(short.examples[1].beginning == "too short")
            #expect(short.examples[1].finding == "9 characters, want 20 or more")
        }
        #expect(try namesInFolder(folder.path) == before)
        // Of near duplicates, with the document that each is like.
        corpus.overwrites = true
        try corpus.findNearDuplicates(
            in: reader(), for: folder.file("near"), memoryBytes: 100_000_000)
        let preview = try corpus.preview(reader())
        let near = try #require(preview.reasons["duplicate_near"])
        #expect(near.documents == corpus.leaveOut?.count && near.documents >= 3)
        #expect(near.examples.allSatisfy { $0.keptInstead?.contains(".jsonl, line ") == true })
        var one = corpus
        one.overwrites = true
        let (_, written) = try one.write(reader(), to: folder.file("near"))
        #expect(written.duplicateDocuments == near.documents)
        #expect(written.documents == preview.keptDocuments)
    }
}
