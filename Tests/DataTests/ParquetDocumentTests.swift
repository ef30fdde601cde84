import FalconJSON
import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Foundation
import Testing

@testable import FalconData

/// Parquet files among the inputs of a data set.
@Suite struct ParquetDocumentTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let samples = testsFolder + "/ParquetTests/Fixtures/"

    private static func sample(_ name: String) throws -> [UInt8] {
        try InputFile.contents(of: samples + name)
    }

    private func texts(_ reader: DocumentReader) throws -> [String] {
        var texts: [String] = []
        while let document = try reader.next() { texts.append(document.text) }
        return texts
    }

    private func texts(
        _ paths: String..., format: DocumentFormat = .auto, field: String = "text"
    ) throws -> [String] {
        try texts(DocumentReader(paths: paths, format: format, field: field))
    }

    private func message(_ path: String, format: DocumentFormat = .auto, field: String = "text")
        -> String
    {
        let error = #expect(throws: DataError.self) {
            try texts(path, format: format, field: field)
        }
        #expect(error?.exitStatus == .badData)
        return error?.description ?? ""
    }

    @Test(arguments: ["text", "data.text"])
    func rowsAreWhatTheSameLinesAre(_ field: String) throws {
        let lines = try texts(Self.samples + "corpus.jsonl", field: field)
        let path = Self.samples + "arrow-corpus.parquet"
        #expect(lines.count == 60)
        #expect(try texts(path, field: field) == lines)
        #expect(try texts(path, format: .parquet, field: field) == lines)
        // The name does not matter, and neither do its neighbours.
        let bytes = try Self.sample("arrow-corpus.parquet")
        for name in ["plain", "a.txt", "a.jsonl", "A.PARQ"] {
            #expect(try texts(folder.write(name, bytes), field: field) == lines)
        }
        let reader = try DocumentReader(paths: [path, path], field: field)
        #expect(try texts(reader) == lines + lines)
        #expect(reader.bytesRead == 2 * bytes.count && reader.byteCount == 2 * bytes.count)
        let document = try DocumentReader(paths: [path], field: field).nextRaw()
        #expect(document?.place == .row(1) && document?.path == path)
    }

    @Test func filesInFoldersAreRead() throws {
        let bytes = try Self.sample("arrow-one-row.parquet")
        try folder.write("in/b.parquet", bytes)
        try folder.write("in/c.parq", bytes)
        try folder.write("in/a.txt", "a")
        try folder.write("in/d", bytes)
        let none = try Self.sample("arrow-no-rows.parquet")
        try folder.write("in/none.parquet", none)
        let reader = try DocumentReader(paths: [folder.file("in")])
        #expect(try texts(reader) == ["a", "a single row", "a single row"])
        #expect(reader.ignoredFiles.reasons == [folder.file("in/d")])
        // Named itself, a file without rows is a mistake.
        #expect(message(folder.file("in/none.parquet")).contains("it holds no document"))
    }

    @Test func onlyFilesThatAreParquetAreTakenForIt() throws {
        #expect(try texts(folder.write("a.txt", "PAR1 is a text")) == ["PAR1 is a text"])
        #expect(try texts(folder.write("b", "PAR1")) == ["PAR1"])
        for name in ["a.parquet", "a.parq"] {
            for text in ["a text", "", "PAR1", "{\"text\":\"a\"}\n"] {
                let path = try folder.write(name, text)
                #expect(message(path).contains("\(path): damaged Parquet: "))
            }
        }
        let path = try folder.write("c", "a text")
        #expect(message(path, format: .parquet).contains("does not begin with PAR1"))
        let lines = try folder.write("d.parquet", "{\"text\":\"a\"}\n")
        #expect(try texts(lines, format: .jsonl) == ["a"])
        var encrypted = try Self.sample("arrow-one-row.parquet")
        encrypted.replaceSubrange(0..<4, with: Array("PARE".utf8))
        #expect(message(try folder.write("e", encrypted)).contains("is encrypted"))
    }

    @Test func whereParquetCannotBeReadItIsNamed() throws {
        let bytes = try Self.sample("arrow-corpus.parquet")
        let path = try folder.write("a.parquet", bytes)
        for format in [DocumentFormat.text, .jsonl] {
            let text = message(path, format: format)
            #expect(text.contains("is a Parquet file; leave --format out, or say --format parquet"))
        }
        _ = try output(of: "gzip", ["-k", path])
        for format in [DocumentFormat.auto, .parquet, .jsonl] {
            let text = message(path + ".gz", format: format)
            #expect(text.contains("a.parquet.gz is a Parquet file; decompress it"), "\(text)")
        }
        _ = try output(of: "mv", [path + ".gz", folder.file("b.gz")])
        #expect(message(folder.file("b.gz")).contains("b.gz is a Parquet file; decompress it"))
        for (name, format) in [
            ("pipe", DocumentFormat.auto), ("c.parquet", .auto), ("p", .parquet),
        ] {
            let pipe = folder.file(name)
            #expect(mkfifo(pipe, 0o600) == 0)
            let writer = Thread { try? store(bytes, at: pipe) }
            writer.start()
            let text = message(pipe, format: format)
            #expect(text.contains("is a Parquet file; give the file itself by its name"), "\(text)")
        }
    }

    @Test func aFieldThatIsNotThereIsNamedWithTheColumns() {
        let text = message(Self.samples + "arrow-nested.parquet", field: "body")
        #expect(text.contains("no column \"body\" (columns of text: text, data.text, data.n.text)"))
        #expect(text.contains("--field") && text.contains("--skip-bad-documents"))
        #expect(message(Self.samples + "arrow-nested.parquet", field: "tags").contains("list"))
    }

    @Test func nullsAndWrongBytesAreBadDocuments() throws {
        let nulls = Self.samples + "arrow-large.parquet"
        let first = #expect(throws: DataError.self) { try texts(nulls) }
        #expect(
            first?.description.hasPrefix(
                "\(nulls), row 4: column \"text\" is not a string but null; ") == true)
        let binary = Self.samples + "arrow-binary.parquet"
        let second = #expect(throws: DataError.self) { try texts(binary) }
        #expect(second?.description.contains("row 1: not UTF-8: byte 0xff at offset 0") == true)
        let reader = try DocumentReader(paths: [nulls], skipsBadItems: true, documentLimit: 1000)
        var places: [DocumentPlace?] = []
        while let raw = try reader.nextRaw() { places.append(raw.place) }
        #expect(places == [.row(2), .row(4)])
        #expect(reader.takeRejected().map(\.row) == [1, 3])
        #expect(reader.unreadable.reasons.last?.contains("row 3: the document is larger") == true)
    }

    /// Pages before the damage are not used either.
    @Test func aDamagedFileIsLeftOutWhole() throws {
        var bytes = try Self.sample("arrow-checksums.parquet")
        let footer =
            bytes.count - 8 - Int(bytes[bytes.count - 8]) - Int(bytes[bytes.count - 7]) << 8
        bytes[footer - 1] ^= 1
        let damaged = try folder.write("in/a.parquet", bytes)
        let good = try folder.write("in/b.parquet", Self.sample("arrow-nested.parquet"))
        let text = message(damaged)
        #expect(text.contains("is not a string but null"))
        let stops = #expect(throws: DataError.self) {
            let reader = try DocumentReader(paths: [damaged])
            while try reader.nextRaw() != nil {}
        }
        let words = stops?.description ?? ""
        #expect(
            words.hasPrefix("\(damaged): row group 0, page at byte ") && words.contains("CRC-32"))
        #expect(words.contains("; copy or write the file again, or leave out such items"))
        let tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.skipsBadDocuments = true
        corpus.validationFraction = 0
        let reader = try DocumentReader(paths: [folder.file("in")], skipsBadItems: true)
        let (_, counts) = try corpus.write(reader, to: folder.file("out"))
        let nulls = 60 - counts.documents - counts.emptyDocuments
        #expect(counts.unreadable.count == 1 && counts.badDocuments == nulls && nulls > 5)
        let items = try InputFile.contents(of: folder.file("out/" + RejectedItem.fileName))
            .split(separator: 0x0A).map { try decodedJSON(RejectedItem.self, from: Array($0)) }
        #expect(items.count == 1 + nulls)
        #expect(items.first?.path == damaged && items.first?.row == nil)
        #expect(items.dropFirst().allSatisfy { $0.path == good && $0.row != nil && $0.line == nil })
        #expect(
            items.dropFirst().allSatisfy { item in
                item.reason.hasPrefix("\(good), row \(item.row ?? 0): ")
            })
    }
}
