import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@testable import FalconData

/// Lists of documents that are like earlier ones, and data sets without them.
@Suite struct DuplicateSearchTests {
    private let folder: TemporaryFolder
    private let tokenizer: SentencePieceTokenizer

    init() throws {
        folder = try TemporaryFolder()
        tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
    }

    /// A text of words that no other number has.
    private func text(_ number: Int, words: Int = 120) -> [String] {
        (0..<words).map { "w\(number)x\(($0 * $0 + 7 * $0) % 1009)" }
    }

    /// 300 texts in 6 files, with bad lines, empty texts and copies; returns what near duplicates leave out.
    ///
    /// Copies are of text 10 times the file: the same, in capitals, with two words changed. A short text stands in
    /// two files each.
    @discardableResult
    private func writeCorpus() throws -> [DocumentPosition] {
        var near: [DocumentPosition] = []
        for file in 0..<6 {
            var lines: [String] = []
            for number in 0..<50 { lines.append(text(50 * file + number).joined(separator: " ")) }
            let original = text(10 * file)
            var changed = original
            (changed[60], changed[61]) = ("other", "words")
            let copies = [
                original.joined(separator: " "), original.joined(separator: ", ").uppercased(),
                changed.joined(separator: " "), "short text \(file / 2)",
            ]
            for (place, copy) in copies.enumerated() {
                lines.insert(copy, at: 30 + 5 * place)
                let isLater = place < 3 || file % 2 == 1
                if isLater { near.append(DocumentPosition(file: file, line: 31 + 5 * place + 2)) }
            }
            var json = lines.map { "{\"text\": \"\($0)\"}" }
            // In front of all copies, so their lines move by two.
            json.insert(contentsOf: ["{\"text\": \"\"}", "{\"n\": 1}"], at: 3)
            let bytes = Array((json.joined(separator: "\n") + "\n").utf8)
            if file % 3 == 2 {
                try folder.write("in/\(file).jsonl.zst", try compressed(bytes, folder))
            } else {
                try folder.write("in/\(file).jsonl", bytes)
            }
        }
        return near
    }

    private func reader() throws -> DocumentReader {
        try DocumentReader(paths: [folder.file("in")], skipsBadItems: true)
    }

    private func search(
        _ by: Deduplication, threads: Int = 2, sortBytes: Int? = nil
    ) -> DuplicateSearch {
        var search = DuplicateSearch(by: by)
        search.skipsBadDocuments = true
        search.threadCount = threads
        search.sortBytes = sortBytes
        return search
    }

    /// The documents of a list, each with the one that is kept.
    private func entries(_ name: String) throws -> [(DocumentPosition, DocumentPosition)] {
        let lines = String(decoding: try load(folder.file(name)), as: UTF8.self).split(
            separator: "\n")
        return lines.dropFirst().dropLast().map { line in
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            return (
                DocumentPosition(file: numbers[0], line: numbers[1], copy: numbers[2]),
                DocumentPosition(file: numbers[3], line: numbers[4], copy: numbers[5])
            )
        }
    }

    private func corpus(threads: Int = 2) -> CorpusTokenizer {
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.threadCount = threads
        corpus.validationFraction = 0.1
        corpus.skipsBadDocuments = true
        return corpus
    }

    private func contents(_ name: String) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for file in try namesInFolder(folder.file(name)) {
            contents[file] = try load(folder.file("\(name)/\(file)"))
        }
        return contents
    }

    /// What lies in the folder but what `compressed` leaves there.
    private func names() throws -> [String] {
        try namesInFolder(folder.path).filter { !$0.hasPrefix("plain") }.sorted()
    }

    @Test func plantedCopiesAreFoundWhateverTheThreadsAndTheMemory() throws {
        let wanted = try writeCorpus()
        let counts = try search(.near).write(reader(), to: folder.file("list"))
        #expect(counts.documents == 6 * 54 && counts.otherDocuments == 12)
        #expect(counts.duplicateDocuments == wanted.count && counts.sortedRuns == 0)
        let found = try entries("list")
        #expect(found.map(\.0) == wanted)
        for (document, kept) in found { #expect(kept < document) }
        #expect(found[0].1 == DocumentPosition(file: 0, line: 1))
        let bytes = try load(folder.file("list"))
        for (threads, sortBytes) in [(1, nil), (3, 0), (1, 30_000), (8, 100_000)] as [(Int, Int?)] {
            let again = try search(.near, threads: threads, sortBytes: sortBytes)
                .write(reader(), to: folder.file("again"))
            #expect(try load(folder.file("again")) == bytes)
            #expect((again.sortedRuns > 1) == (sortBytes != nil))
        }
        #expect(try names() == ["again", "in", "list"])
    }

    /// Against a comparison of every pair of documents.
    @Test func clustersAreThoseOfAllPairs() throws {
        var random = SystemRandomNumberGenerator()
        // Chains in which every text changes one of the words of the one before.
        var texts: [String] = []
        for chain in 0..<12 {
            var words = text(chain, words: 60)
            for step in 0..<12 {
                words[(7 * step) % 60] = "c\(chain)s\(step)"
                texts.append(words.joined(separator: " "))
            }
        }
        texts.shuffle(using: &random)
        try folder.write("in/a.jsonl", texts.map { "{\"text\": \"\($0)\"}\n" }.joined())
        _ = try search(.near).write(reader(), to: folder.file("list"))
        let minHash = MinHash(MinHash.Parameters())
        let keys = texts.map { Set(minHash.keys(of: $0)) }
        var first = Array(texts.indices)
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for a in texts.indices {
                for b in texts.indices where first[a] < first[b] {
                    if !keys[a].isDisjoint(with: keys[b]) {
                        (first[b], hasChanged) = (first[a], true)
                    }
                }
            }
        }
        let wanted = texts.indices.filter { first[$0] != $0 }
        let found = try entries("list")
        #expect(found.map(\.0.line) == wanted.map { $0 + 1 })
        #expect(found.map(\.1.line) == wanted.map { first[$0] + 1 })
        #expect(wanted.count > 100)
    }

    /// Lists of exact and normalized copies leave out what a process does that sees all documents.
    @Test(arguments: [Deduplication.exact, .normalized])
    func listsLeaveOutWhatOneProcessDoes(by: Deduplication) throws {
        try writeCorpus()
        var alone = corpus()
        alone.deduplication = by
        let (wanted, wantedCounts) = try alone.write(reader(), to: folder.file("alone"))
        let found = try search(by).write(reader(), to: folder.file("list"))
        #expect(found.duplicateDocuments == wantedCounts.duplicateDocuments)
        #expect(found.duplicateDocuments == (by == .exact ? 9 : 15))
        #expect(found.duplicateBytes == wantedCounts.duplicateBytes)
        var listed = corpus()
        listed.leaveOut = try LeaveOutList(path: folder.file("list"))
        let (index, counts) = try listed.write(reader(), to: folder.file("listed"))
        #expect(index == wanted && counts == wantedCounts)
        #expect(try contents("listed") == contents("alone"))
    }

    @Test func workersLeaveOutWhatOneProcessDoes() throws {
        let near = try writeCorpus()
        var one = corpus()
        try one.findNearDuplicates(
            in: reader(), for: folder.file("one"), memoryBytes: 100_000_000)
        #expect(one.leaveOut?.count == near.count)
        let (index, counts) = try one.write(reader(), to: folder.file("one"))
        #expect(counts.duplicateDocuments == near.count && counts.documents == 6 * 54 - near.count)
        _ = try search(.near).write(reader(), to: folder.file("list"))
        let list = try LeaveOutList(path: folder.file("list"))
        #expect(list.count == near.count)
        for count in [2, 5] {
            var worker = corpus(threads: count)
            worker.leaveOut = list
            for number in (1...count).reversed() {
                let share = try #require(InputShare(number: number, of: count))
                _ = try worker.writePart(of: reader(), share: share, to: folder.file("many"))
            }
            let merged = try DataMerge(folder: folder.file("many")).run()
            #expect(merged.index == index && merged.counts == counts)
            #expect(try contents("many") == contents("one"))
            try removeFolder(folder.file("many"))
        }
        // Another list is another part.
        let share = try #require(InputShare(number: 1, of: 2))
        var worker = corpus()
        _ = try worker.writePart(of: reader(), share: share, to: folder.file("many"))
        worker.leaveOut = list
        let error = #expect(throws: PartError.self) {
            try worker.writePart(of: reader(), share: share, to: folder.file("many"))
        }
        #expect("\(try #require(error))".contains("the list of --leave-out is another"))
        worker.leaveOut = nil
        worker.deduplication = .near
        let refused = #expect(throws: PartError.self) {
            try worker.writePart(of: reader(), share: share, to: folder.file("other"))
        }
        #expect("\(try #require(refused))".contains("falcon data duplicates --by near"))
    }

    @Test func listsOfOtherInputAreRefused() throws {
        try writeCorpus()
        _ = try search(.near).write(reader(), to: folder.file("list"))
        var corpus = corpus()
        corpus.leaveOut = try LeaveOutList(path: folder.file("list"))
        func message(_ paths: [String], field: String = "text") throws -> String {
            let error = #expect(throws: DataError.self) {
                try corpus.write(
                    DocumentReader(paths: paths, field: field, skipsBadItems: true),
                    to: folder.file("out"))
            }
            return "\(try #require(error))"
        }
        #expect(try message([folder.file("in/0.jsonl")]).contains("the input is 6 files"))
        #expect(
            try message([folder.file("in")], field: "n").contains("--field is \"text\", want \"n\"")
        )
        corpus.skipsBadDocuments = false
        #expect(
            try message([folder.file("in")]).contains("--skip-bad-documents is true, want false"))
        corpus.skipsBadDocuments = true
        // The same names and sizes, a blank line where a copy stood.
        var lines = try load(folder.file("in/1.jsonl")).split(separator: 0x0A).map(Array.init)
        lines[32] = [UInt8](repeating: 0x20, count: lines[32].count)
        try store(Array(lines.joined(separator: [0x0A])) + [0x0A], at: folder.file("in/1.jsonl"))
        let changed = try message([folder.file("in")])
        #expect(changed.contains("in line 33 of input file 2, which is not there"))
        #expect(fileKind(of: folder.file("out")) == .missing)
    }

    @Test func damagedListsAreRefused() throws {
        try writeCorpus()
        _ = try search(.near).write(reader(), to: folder.file("list"))
        let bytes = try load(folder.file("list"))
        func message(_ bytes: [UInt8]) throws -> String {
            try store(bytes, at: folder.file("bad"))
            let path = folder.file("bad")
            let error = #expect(throws: DataError.self) { try LeaveOutList(path: path) }
            return "\(try #require(error))"
        }
        for length in [bytes.count - 2, bytes.count - 40, bytes.count / 2, 300] {
            let text = try message(Array(bytes[..<length]))
            #expect(text.contains("cut short or changed") || text.contains("not a list"))
        }
        for place in stride(from: 0, to: bytes.count - 1, by: 37) {
            var flipped = bytes
            flipped[place] ^= 1
            _ = try message(flipped)
        }
        for text in ["", "{}\n", "\n\n", "{\"format\":\"falcon-leave-out\"}\n", "not a list"] {
            #expect(try message(Array(text.utf8)).contains("not a list of documents to leave out"))
        }
        #expect(try message([UInt8](repeating: 65, count: 3 << 20)).contains("a line is too long"))
    }

    @Test func whatCannotBeComparedIsAnErrorAndLeavesNothing() throws {
        try writeCorpus()
        var strict = search(.near)
        strict.skipsBadDocuments = false
        let list = folder.file("list")
        let bad = #expect(throws: DataError.self) {
            try strict.write(DocumentReader(paths: [folder.file("in")]), to: list)
        }
        #expect("\(try #require(bad))".contains("in/0.jsonl, line 5"))
        strict.memoryBytes = 1_000_000
        let small = #expect(throws: DataError.self) { try strict.write(self.reader(), to: list) }
        #expect("\(try #require(small))".contains("--memory is 1000000 bytes"))
        #expect(try names() == ["in"])
    }
}
