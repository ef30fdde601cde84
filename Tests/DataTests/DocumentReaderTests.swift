import FalconData
import FalconSystem
import FalconTestSupport
import Foundation
import Testing

@Suite struct DocumentReaderTests {
    /// A file that grows, shrinks or is replaced while it is read gives no data set of two moments.
    @Test(arguments: ["grows", "is replaced"])
    func aFileThatChangesWhileItIsReadIsAnError(how: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n")
        let reader = try DocumentReader(paths: [path], skipsBadItems: true)
        _ = try reader.nextRaw()
        let other = "{\"text\": \"a\"}\n{\"text\": \"b\"}\n" + (how == "grows" ? "{}\n" : "")
        try folder.write(how == "grows" ? "a.jsonl" : "new.jsonl", other)
        if how != "grows" {
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.moveItem(atPath: folder.file("new.jsonl"), toPath: path)
        }
        #expect(throws: DataError.changedInput(path: path)) {
            while try reader.nextRaw() != nil {}
        }
    }

    private func texts(_ reader: DocumentReader) throws -> [String] {
        var texts: [String] = []
        while let document = try reader.next() { texts.append(document.text) }
        return texts
    }

    private func gzip(_ path: String) throws { _ = try output(of: "gzip", ["-nf", path]) }
    private func zstd(_ path: String) throws { _ = try output(of: "zstd", ["-q", "--rm", path]) }

    @Test func aTextFileIsOneDocumentByteForByte() throws {
        let folder = try TemporaryFolder()
        for (number, text) in oddTexts.enumerated() where !text.isEmpty {
            let path = try folder.write("\(number).txt", text)
            let wanted = text.hasPrefix("\u{FEFF}") ? "bom" : text
            #expect(try texts(DocumentReader(paths: [path])) == [wanted])
        }
    }

    @Test func jsonlSplitsAtNewlineBytesOnly() throws {
        let folder = try TemporaryFolder()
        // U+2028 and U+0085 end lines for some readers; CRLF and blank lines are common.
        let path = try folder.write(
            "a.jsonl",
            "{\"text\": \"one\u{2028}\u{85}two\"}\r\n\n  \n{\"id\": 3, \"text\": \"\\u00e9\\n\\ud83d\\ude00\"}"
        )
        #expect(try texts(DocumentReader(paths: [path])) == ["one\u{2028}\u{85}two", "é\n😀"])
    }

    @Test func theFieldOfJsonlCanBeChosen() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.jsonl", "{\"text\": 1, \"body\": \"yes\"}\n")
        #expect(try texts(DocumentReader(paths: [path], field: "body")) == ["yes"])
    }

    @Test func foldersAreReadInOrderOfNamesAndUnknownEndingsAreCounted() throws {
        let folder = try TemporaryFolder()
        try folder.write("in/b.txt", "b")
        try folder.write("in/a/z.md", "az")
        try folder.write("in/B.txt", "B")
        try folder.write("in/c.jsonl", "{\"text\":\"c\"}")
        try folder.write("in/.hidden.txt", "no")
        try folder.write("in/meta.csv", "no")
        let reader = try DocumentReader(paths: [folder.file("in")])
        #expect(reader.ignoredFiles.count == 1)
        #expect(reader.ignoredFiles.reasons == [folder.file("in/meta.csv")])
        #expect(reader.byteCount == 16)
        #expect(try texts(reader) == ["B", "az", "b", "c"])
        #expect(reader.bytesRead == 16)
    }

    @Test func patternsAreExpandedInOrder() throws {
        let folder = try TemporaryFolder()
        for name in ["2.txt", "10.txt", "1.txt"] { try folder.write(name, name) }
        let reader = try DocumentReader(paths: [folder.file("*.txt")])
        #expect(try texts(reader) == ["1.txt", "10.txt", "2.txt"])
    }

    @Test(arguments: [1, 1000, 30_000])
    func compressedFilesWithSeveralMembersAreReadWhole(lines: Int) throws {
        let folder = try TemporaryFolder()
        let parts = (0..<3).map { part in
            (0..<lines).map { "{\"text\":\"part \(part) line \($0)\"}\n" }.joined()
        }
        let wanted = 3 * lines
        for (program, ending) in Self.compressors {
            var bytes: [UInt8] = []
            for (number, part) in parts.enumerated() {
                let path = try folder.write("p\(number).jsonl", part)
                bytes += try output(of: program, ["-qc", path])
                // What may stand between: padding.
                if ending == "gz" || ending == "xz" { bytes += [0, 0, 0, 0] }
            }
            let path = try folder.write("all.jsonl.\(ending)", bytes)
            let reader = try DocumentReader(paths: [path])
            var count = 0
            var last = ""
            while let raw = try reader.nextRaw() {
                count += 1
                if count == wanted { last = try raw.text() }
            }
            #expect(count == wanted)
            #expect(last == "part 2 line \(lines - 1)")
        }
    }

    /// Programs, and what the names of their files end in.
    private static let compressors = [
        ("gzip", "gz"), ("zstd", "zst"), ("bzip2", "bz2"), ("xz", "xz"),
    ]

    @Test(arguments: compressors)
    func aDamagedCompressedFileIsAnError(program: String, ending: String) throws {
        let folder = try TemporaryFolder()
        let text = (0..<5000).map { "line \($0 &* 2_654_435_761 % 1_000_003)\n" }.joined()
        let path = try folder.write("a.txt", text)
        let whole = try output(of: program, ["-qc", path])
        let cut = try folder.write("cut.txt.\(ending)", Array(whole.dropLast(whole.count / 3)))
        let reader = try DocumentReader(paths: [cut])
        #expect(throws: DataError.damagedCompression(path: cut, reason: "cut short")) {
            try reader.next()
        }
        var spoilt = whole
        spoilt[whole.count / 2] ^= 1
        for (name, bytes) in [("spoilt", spoilt), ("more", whole + Array("more".utf8))] {
            let path = try folder.write("\(name).txt.\(ending)", bytes)
            let error = #expect(throws: DataError.self) {
                try DocumentReader(paths: [path]).next()
            }
            guard case .damagedCompression(path, _) = error else {
                Issue.record("\(ending), \(name): \(String(describing: error))")
                continue
            }
        }
    }

    /// Nothing of a damaged file is used, whatever came out of it before the damage.
    @Test(arguments: compressors)
    func aDamagedCompressedFileIsLeftOutWhole(program: String, ending: String) throws {
        let folder = try TemporaryFolder()
        let lines = (0..<40_000).map { "{\"text\":\"line \($0 &* 2_654_435_761 % 1_000_003)\"}\n" }
        let path = try folder.write("in/b.jsonl", lines.joined())
        var bytes = try output(of: program, ["-qc", path])
        bytes[bytes.count * 2 / 3] ^= 4
        let damaged = try folder.write("in/a.jsonl.\(ending)", bytes)
        let reader = try DocumentReader(paths: [folder.file("in")], skipsBadItems: true)
        var count = 0
        while let document = try reader.next() {
            #expect(document.path == path)
            count += 1
        }
        #expect(count == lines.count && reader.unreadable.count == 1)
        #expect(reader.unreadable.reasons.allSatisfy { $0.hasPrefix(damaged) })
        // Behind the end: told as such.
        let more = try folder.write(
            "more.jsonl.\(ending)", try output(of: program, ["-qc", path]) + Array("\n".utf8))
        let error = #expect(throws: DataError.self) {
            let reader = try DocumentReader(paths: [more])
            while try reader.nextRaw() != nil {}
        }
        #expect(error?.description.contains("follows the end of the compressed data") == true)
    }

    @Test func anEmptyTextInAFolderIsAnEmptyDocument() throws {
        let folder = try TemporaryFolder()
        for (name, text) in [("a.txt", ""), ("b.txt", "b"), ("c.jsonl", "")] {
            _ = try folder.write("in/" + name, text)
        }
        #expect(try texts(DocumentReader(paths: [folder.file("in")])) == ["", "b"])
    }

    // MARK: Separators

    private func separated(
        _ text: String, by separator: String, limit: Int = 1 << 20
    ) throws -> [(text: String, place: DocumentPlace?)] {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.txt", text)
        let reader = try DocumentReader(
            paths: [path], separator: separator, skipsBadItems: true, documentLimit: limit)
        var found: [(String, DocumentPlace?)] = []
        while let document = try reader.next() { found.append((document.text, document.place)) }
        return found
    }

    @Test(arguments: [
        ("one\n<|e|>\ntwo\nmore\n<|e|>\nthree\n", ["one", "two\nmore", "three\n"], [1, 3, 6]),
        ("one<|e|>two<|e|>", ["one", "two"], [1, 1]), ("<|e|>\n\n<|e|>one", ["", "one"], [2, 3]),
        ("\none\n\n<|e|>\n\ntwo", ["\none\n", "\ntwo"], [1, 5]),
        ("a\r\n<|e|>\r\nb\r\n", ["a", "b\r\n"], [1, 3]),
        ("a<|e|<|e|>|>", ["a<|e|", "|>"], [1, 1]),
        ("none", ["none"], [1]),
    ]) func separatorsStandBetweenDocuments(_ text: String, _ wanted: [String], _ lines: [Int])
        throws
    {
        let found = try separated(text, by: "<|e|>")
        #expect(found.map(\.text) == wanted)
        #expect(found.map(\.place) == lines.map { .line($0) })
    }

    /// Separators and documents that lie across the pieces in which a file is read.
    @Test func longDocumentsAreSeparatedWhole() throws {
        let lengths = [262_141, 5, 262_144, 1, 700_000, 262_139, 3]
        let texts = lengths.enumerated().map { number, length in
            String(repeating: "\(number)\n", count: length / 2 + 1) + "x"
        }
        let found = try separated(texts.joined(separator: "\n<|end|>\n"), by: "<|end|>")
        #expect(found.map(\.text) == texts)
        var (line, lines) = (1, [Int]())
        for text in texts {
            lines.append(line)
            line += text.utf8.count { $0 == 0x0A } + 2
        }
        #expect(found.map(\.place) == lines.map { .line($0) })
        // One that is too large is left out, and those behind it are read.
        let short = try separated(
            texts.joined(separator: "<|end|>"), by: "<|end|>", limit: 300_000)
        #expect(short.map(\.text) == texts.filter { $0.utf8.count <= 300_000 })
        let folder = try TemporaryFolder()
        #expect(throws: DataError.self) { try DocumentReader(paths: [folder.path], separator: "") }
        // Files without a separator are named; JSON lines need none.
        _ = try folder.write("in/a.txt", "one\r\n\r\ntwo")
        _ = try folder.write("in/b.txt", "one\n\ntwo")
        _ = try folder.write("in/c.jsonl", "{\"text\":\"three\"}")
        let reader = try DocumentReader(paths: [folder.file("in")], separator: "\n\n")
        #expect(try self.texts(reader) == ["one\r\n\r\ntwo", "one", "two", "three"])
        #expect(reader.unseparated.reasons == [folder.file("in/a.txt")])
    }

    @Test func badDocumentsAreNamedWithFileAndLineAndReadingGoesOn() throws {
        let folder = try TemporaryFolder()
        let lines: [[UInt8]] = [
            Array("{\"text\":\"good\"}\n".utf8), Array("{\"text\":\n".utf8),
            Array("{\"text\":\"".utf8) + [0x61, 0xFF] + Array("\"}\n".utf8),
            Array("{\"body\":\"x\",\"id\":1}\n".utf8), Array("{\"text\":17}\n".utf8),
            Array("[1]\n".utf8), Array("{\"text\":\"last\"}".utf8),
        ]
        let path = try folder.write("a.jsonl", Array(lines.joined()))
        let reader = try DocumentReader(paths: [path])
        #expect(try reader.next()?.text == "good")
        for (line, part) in [
            (2, "not a JSON object"), (3, "byte 0xff at offset 10 of the line"),
            (4, "no field \"text\" (there is: body, id)"), (5, "field \"text\" is not a string"),
            (6, "not a JSON object"),
        ] {
            let error = #expect(throws: DataError.self) { try reader.next() }
            let message = error?.description ?? ""
            #expect(message.contains("\(path), line \(line): ") && message.contains(part))
            #expect(error?.exitStatus == .badData)
        }
        #expect(try reader.next()?.text == "last")
        #expect(try reader.next() == nil)
    }

    @Test func aBadByteOfATextFileIsNamedWithItsLine() throws {
        let folder = try TemporaryFolder()
        // A surrogate spelled in UTF-8 (CESU), after valid characters of 2, 3 and 4 bytes.
        let path = try folder.write("a.txt", Array("é\n日\n😀".utf8) + [0xED, 0xA0, 0x80])
        let reader = try DocumentReader(paths: [path])
        let error = #expect(throws: DataError.self) { try reader.next() }
        #expect(error?.description.contains("line 3: not UTF-8: byte 0xed at offset 11") == true)
    }

    @Test func missingAndEmptyInputsAreErrors() throws {
        let folder = try TemporaryFolder()
        let missing = folder.file("nothing*.txt")
        #expect(throws: FileError.missing(path: missing)) { try DocumentReader(paths: [missing]) }
        let empty = try folder.write("empty.txt", "")
        #expect(throws: DataError.emptyInput(path: empty)) {
            try DocumentReader(paths: [empty]).next()
        }
        let blank = try folder.write("blank.jsonl", "\n \n")
        #expect(throws: DataError.emptyInput(path: blank)) {
            try DocumentReader(paths: [blank]).next()
        }
        try folder.write("only/data.bin", "x")
        let left = folder.file("only/data.bin")
        #expect(throws: DataError.noReadableFiles(path: folder.file("only"), leftOut: left)) {
            try DocumentReader(paths: [folder.file("only")])
        }
        let named = try folder.write("plain.txt.gz", "plain")
        #expect(throws: DataError.self) { try DocumentReader(paths: [named]).next() }
    }
}
