import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconData

#if canImport(Glibc)
    import Glibc
#endif

/// What a file is taken for: by its first bytes, its name, and what was asked for.
@Suite struct DocumentFormatTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func texts(
        _ path: String, _ format: DocumentFormat = .auto, skipping: Bool = false
    ) throws -> [String] {
        let reader = try DocumentReader(paths: [path], format: format, skipsBadItems: skipping)
        var texts: [String] = []
        while let document = try reader.next() { texts.append(document.text) }
        return texts
    }

    private static let lines = "{\"text\":\"one\"}\n{\"text\":\"two\"}\n"

    @Test(arguments: [
        "part-00000", "a", "a.jl", "a.jsonlines", "a.jsonl", "a.json", "a.ndjson", "a.data",
    ]) func jsonLinesAreToldByTheirFirstBytes(name: String) throws {
        for start in ["", "\n", " \r\n\t\n", "\u{FEFF}", "\u{FEFF}\n  "] {
            let path = try folder.write(name, start + Self.lines)
            #expect(try texts(path) == ["one", "two"])
            let rest = start.replacing("\u{FEFF}", with: "")
            #expect(try texts(path, .text) == [rest + Self.lines])
        }
        for program in ["gzip", "zstd"] {
            let plain = try folder.write("plain", Self.lines)
            let path = try folder.write(name, output(of: program, ["-qc", plain]))
            #expect(try texts(path) == ["one", "two"])
        }
        // One line alone, without an end, longer than what is looked at.
        let long = String(repeating: "x", count: FileStart.lookaheadBytes)
        #expect(try texts(folder.write(name, "{\"text\":\"\(long)\"}")) == [long])
    }

    @Test(arguments: [
        "{{Infobox}} a text", "{ braces } first", "[1] A footnote", "[[link]] and more",
        "[\"quoted\"] and on", "\"Quoted\", he said.", "{\n  let x = 1\n}",
        "a text\n{\"text\":\"x\"}\n",
        "\n\n\n a", "[", "{", "  ",
    ]) func textThatMayLookLikeJSONIsText(text: String) throws {
        #expect(try texts(folder.write("plain", text)) == [text])
        #expect(try texts(folder.write("a.txt", text)) == [text])
    }

    @Test(arguments: [
        ("{\n  \"text\": \"one\"\n}\n", "a JSON object over several lines", "jq -c ."),
        ("[{\"text\":\"one\"},{\"text\":\"two\"}]", "a list of JSON objects", "jq -c '.[]'"),
        ("[\n {\"text\":\"one\"}\n]\n", "a list of JSON objects", "jq -c '.[]'"),
        ("[\"one\", \"two\"]\n", "a JSON list", "jq"),
        ("[\n\"one\",\n\"two\"]", "a JSON list", "jq"),
    ]) func otherJSONIsRefusedWithARemedy(_ text: String, _ kind: String, _ remedy: String) throws {
        for name in ["plain", "a.json", "a.jsonl", "a.txt"] {
            let path = try folder.write(name, text)
            let error = #expect(throws: DataError.self) { try texts(path) }
            let message = error?.description ?? ""
            #expect(message.contains(path) && message.contains(kind) && message.contains(remedy))
            #expect(message.contains("--format text"))
            #expect(try texts(path, .text) == [text])
        }
    }

    @Test func aTextNameOnJSONLinesCannotBeDecided() throws {
        let path = try folder.write("a.txt", Self.lines)
        let error = #expect(throws: DataError.self) { try texts(path) }
        #expect(error?.description.contains("--format jsonl") == true)
        #expect(error?.description.contains("--format text") == true)
        #expect(try texts(path, .jsonl) == ["one", "two"])
        #expect(try texts(path, .text) == [Self.lines])
    }

    @Test func aGuessThatFailsSaysSo() throws {
        let path = try folder.write("plain", "{\"a set\" of things}\nof which some are odd\n")
        let error = #expect(throws: DataError.self) { try texts(path) }
        #expect(error?.description.contains("--format text") == true)
    }

    @Test(
        arguments: [
            ([0xFF, 0xFE, 0x61, 0x00], "UTF-16", "iconv -f UTF-16"),
            ([0xFE, 0xFF, 0x00, 0x61], "UTF-16", "iconv"),
            ([0xFF, 0xFE, 0, 0, 0x61, 0, 0, 0], "UTF-32", "iconv -f UTF-32"),
            (Array("ARROW1".utf8) + [0x00, 0x00, 0xFF], "an Arrow file", "JSON lines"),
            ([0x50, 0x4B, 0x03, 0x04, 0x14, 0x00], "a zip archive", "unpack"),
            ([0x04, 0x22, 0x4D, 0x18, 0x64, 0x40, 0xA7, 0xFF], "an lz4 file", "bzip2 or xz"),
            ([0x5D, 0, 0, 0x80, 0, 0xFF, 0xFF, 0xFF], "an lzma file", "decompress"),
            (Array("a{\"text\"}".utf8.flatMap { [$0, 0] }), "UTF-16LE", "iconv -f UTF-16LE"),
            (
                Array(repeating: 0x61, count: 257) + Array("ustar\u{0}00".utf8), "a tar archive",
                "unpack"
            ),
        ] as [([UInt8], String, String)])
    func otherKindsOfFilesAreNamed(_ bytes: [UInt8], _ kind: String, _ remedy: String) throws {
        for name in ["plain", "a.txt", "a.jsonl"] {
            let path = try folder.write(name, bytes)
            let error = #expect(throws: DataError.self) { try texts(path) }
            let message = error?.description ?? ""
            #expect(
                message.contains("\(path) is \(kind)") && message.contains(remedy), "\(message)")
            #expect(error?.exitStatus == .badData)
            #expect(try texts(path, skipping: true) == [])
        }
    }

    @Test func zerosMakeAFileOfAnUnknownNameNoText() throws {
        let path = try folder.write("plain", "a zero \u{0} here")
        let error = #expect(throws: DataError.self) { try texts(path) }
        #expect(error?.description.contains("byte 7 is zero") == true)
        #expect(try texts(path, .text) == ["a zero \u{0} here"])
    }
}

/// Entries of folders that are no readable files.
@Suite struct DocumentFolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func reading(
        _ skips: Bool, limit: Int = DocumentReader.documentLimitBytes
    ) throws -> (texts: [String], reader: DocumentReader) {
        let reader = try DocumentReader(
            paths: [folder.file("in")], skipsBadItems: skips, documentLimit: limit)
        var texts: [String] = []
        while let document = try reader.next() { texts.append(document.text) }
        return (texts, reader)
    }

    @Test func namesThatAreNoTextAreReadAndWritten() throws {
        try folder.write("in/a.txt", "a")
        let name = RawPath(folder.file("in")).appending(
            Array("caf".utf8) + [0xE9] + Array(".txt".utf8))
        try RawPath(folder.write("z", "cafe")).link(to: name)
        #expect(try reading(false).texts == ["a", "cafe"])
        #expect(name.description == folder.file("in") + "/caf\\xE9.txt")
        #expect(RawPath(bytes: [0x61, 0x0A, 0xC3, 0xA9]).description == "a\\x0Aé")
        let inner = RawPath(folder.file("in")).appending([0xFF])
        #expect(mkdir(inner.bytes.map { CChar(bitPattern: $0) } + [0], 0o755) == 0)
        try RawPath(folder.file("z")).link(to: inner.appending(Array("b.txt".utf8)))
        #expect(try reading(false).texts == ["a", "cafe", "cafe"])
    }

    @Test func aLinkedFolderIsLeftOutWithAWord() throws {
        try folder.write("in/a.txt", "a")
        try folder.write("other/b.txt", "b")
        #expect(symlink(folder.file("other"), folder.file("in/linked")) == 0)
        #expect(symlink(".", folder.file("in/loop")) == 0)
        #expect(symlink(folder.file("other/b.txt"), folder.file("in/link.txt")) == 0)
        let (texts, reader) = try reading(false)
        #expect(texts == ["a", "b"])
        #expect(reader.linkedFolders.reasons == [folder.file("in/linked"), folder.file("in/loop")])
        // Named itself, it is read.
        #expect(try DocumentReader(paths: [folder.file("in/linked")]).next()?.text == "b")
    }

    @Test func whatCannotBeReadIsAnErrorOrCounted() throws {
        try folder.write("in/a.txt", "a")
        try folder.write("in/z.txt", "z")
        let items: [(name: String, make: (String) -> Int32, says: String)] = [
            ("dangling.txt", { symlink("/nowhere", $0) }, "is a link to /nowhere"),
            ("loop.txt", { symlink("loop.txt", $0) }, "is a link to loop.txt"),
            ("pipe.txt", { mkfifo($0, 0o644) }, "is a pipe, socket or device"),
        ]
        for (name, make, says) in items {
            let path = folder.file("in/" + name)
            #expect(make(path) == 0)
            let error = #expect(throws: DataError.self) { try reading(false) }
            #expect(error?.description.contains("\(path) \(says)") == true)
            #expect(error?.description.contains("--skip-bad-documents") == true)
            let (texts, reader) = try reading(true)
            #expect(texts == ["a", "z"])
            #expect(reader.unreadable.count == 1)
            #expect(reader.unreadable.reasons.first?.hasPrefix("\(path) \(says)") == true)
            unlink(path)
        }
        // A pipe whose name tells no text is like any other such file.
        #expect(mkfifo(folder.file("in/pipe"), 0o644) == 0)
        #expect(try reading(false).reader.ignoredFiles.count == 1)
    }

    @Test func damagedFilesAreLeftOut() throws {
        try folder.write("in/a.txt", "a")
        let lines = (0..<9000).map { "{\"text\":\"line \($0 &* 7919)\"}\n" }.joined()
        let zst = try output(of: "zstd", ["-qc", folder.write("plain", lines)])
        try folder.write("in/b.jsonl.zst", Array(zst.dropLast(9)))
        try folder.write("in/c.parquet.txt", Array("PAR1".utf8) + [0xFF])
        try folder.write("in/d.txt", "d")
        #expect(throws: DataError.self) { try reading(false) }
        let (texts, reader) = try reading(true)
        #expect(texts == ["a", "d"])
        #expect(reader.unreadable.count == 2)
        #expect(reader.unreadable.reasons.last?.contains("damaged Parquet") == true)
    }

    @Test func aDocumentThatIsTooLargeIsPassedOver() throws {
        let limit = 1 << 20
        let large = String(repeating: "x", count: limit + 1)
        let fits = String(repeating: "y", count: limit)
        let line = { (text: String) in "{\"text\":\"\(text)\"}\n" }
        try folder.write("in/a.jsonl", line("1") + line(large) + line("2") + line(large + large))
        try folder.write("in/b.txt", large + large)
        try folder.write("in/c.txt", fits)
        let error = #expect(throws: DataError.self) { try reading(false, limit: limit) }
        #expect(
            error
                == .documentTooLarge(
                    path: folder.file("in/a.jsonl"), place: .line(2), limitBytes: limit))
        let (texts, reader) = try reading(true, limit: limit)
        #expect(texts == ["1", "2", fits])
        #expect(reader.unreadable.count == 3)
        #expect(reader.unreadable.reasons[1].hasPrefix("\(folder.file("in/a.jsonl")), line 4"))
        #expect(reader.unreadable.reasons[2].hasPrefix("\(folder.file("in/b.txt")): "))
    }
}
