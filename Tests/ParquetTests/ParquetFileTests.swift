import FalconParquet
import FalconSystem
import FalconTestSupport
import Testing

/// Files of other writers, and files that are not read.
@Suite struct ParquetFileTests {
    @Test func thereAreSamples() {
        let names = Samples.expected.keys
        #expect(names.count { $0.hasPrefix("arrow-") } >= 40)
        #expect(names.count { $0.hasPrefix("duck-") } >= 10)
        #expect(names.count { $0.hasPrefix("hand-") } >= 7)
    }

    @Test(arguments: Samples.expected.keys.sorted())
    func valuesAreThoseThatArrowReads(_ name: String) throws {
        for wanted in try #require(Samples.expected[name]) {
            let found = try values(Samples.path(name), wanted.column)
            #expect(summary(found, of: wanted.column) == wanted, "\(name): \(wanted.column)")
        }
    }

    @Test func rowsAndPositionAreKnown() throws {
        let file = try InputFile(path: Samples.path("arrow-row-groups"))
        let reader = try ParquetReader(file, column: "text", valueLimitBytes: 1 << 20)
        #expect(reader.rowCount == 100 && reader.byteCount == file.byteCount)
        var last = 0
        while try reader.next() != nil {
            #expect(reader.position >= last && reader.position < reader.byteCount)
            last = reader.position
        }
        #expect(last > reader.byteCount / 2 && reader.position == reader.byteCount)
        #expect(try reader.next() == nil)
    }

    @Test func aValueThatIsTooLargeIsPassedOver() throws {
        for name in ["arrow-large", "arrow-large-gzip-delta"] {
            let all = try values(Samples.path(name))
            guard case .bytes(let first) = all[0] else { throw FileError.missing(path: name) }
            #expect(first.count >= 400_000)
            let few = try values(Samples.path(name), limit: first.count - 1)
            #expect(few[0] == .tooLarge(byteCount: first.count))
            #expect(few.count == all.count)
            #expect(try values(Samples.path(name), limit: first.count)[0] == all[0])
        }
        let few = try values(Samples.path("arrow-large"), limit: 5)
        #expect(few[1] == .bytes(Array("small".utf8)) && few[3] == .null)
    }

    @Test(arguments: [
        ("body", "no column \"body\" (columns of text: text, data.text, data.n.text)"),
        ("id", "column \"id\" holds no text but 64-bit integers"),
        ("tags", "column \"tags\" is a struct, list or map"),
        ("data", "column \"data\" is a struct, list or map"),
        ("data.n", "column \"data.n\" is a struct, list or map"),
        ("tags.list.element", "column \"tags.list.element\" is part of a list"),
        ("sizes.key_value.key", "column \"sizes.key_value.key\" is part of a list"),
        ("", "no column \"\""), ("schema.text", "no column"), ("text.", "no column"),
        ("data..text", "no column"),
    ]) func aColumnThatIsNotThereIsNamedWithThoseThatAre(_ column: String, _ message: String) throws
    {
        let error = #expect(throws: ParquetError.self) {
            try values(Samples.path("arrow-nested"), column)
        }
        let text = error?.description ?? ""
        #expect(text.contains(message) && text.contains("--field"), "\(text)")
        #expect(text.contains("columns of text: text, data.text, data.n.text"))
        #expect(error?.exitStatus == .badData)
    }

    @Test func messagesStayShort() throws {
        let folder = try TemporaryFolder()
        var bytes = SampleFile()
        bytes.columnNames = (0..<500).map { String(repeating: "n", count: 300) + "\($0)" }
        let path = try folder.write("wide", bytes.made())
        let error = #expect(throws: ParquetError.self) { try values(path) }
        #expect((error?.description.utf8.count ?? 0) < 1200)
        #expect(error?.description.contains(", ...)") == true)
    }

    @Test func encryptedFilesAreRefused() throws {
        let folder = try TemporaryFolder()
        let whole = try Samples.bytes("arrow-one-row")
        var (start, both) = (whole, whole)
        start.replaceSubrange(0..<4, with: ParquetReader.encryptedMagic)
        both.replaceSubrange(both.count - 4..<both.count, with: ParquetReader.encryptedMagic)
        var column = SampleFile()
        column.isEncrypted = true
        for bytes in [start, both, column.made()] {
            let path = try folder.write("encrypted", bytes)
            let error = #expect(throws: ParquetError.self) { try values(path) }
            #expect(error?.description.contains("is encrypted; write it again without") == true)
        }
    }

    @Test func whatIsNotReadIsNamed() throws {
        let folder = try TemporaryFolder()
        func message(_ change: (inout SampleFile) -> Void) throws -> String {
            var file = SampleFile()
            change(&file)
            let path = try folder.write("odd", file.made())
            let error = #expect(throws: ParquetError.self) { try values(path) }
            return error?.description ?? ""
        }
        #expect(
            try message { $0.codec = 3 }.contains("row group 0: the column is compressed with LZO"))
        #expect(try message { $0.codec = 77 }.contains("codec 77"))
        #expect(try message { $0.encoding = 9 }.contains("BYTE_STREAM_SPLIT of values"))
        #expect(try message { $0.encoding = 9 }.contains("row group 0, page at byte 4: "))
        #expect(try message { $0.otherFile = "part.parquet" }.contains("lies in another file"))
        #expect(try message { $0.columnNames = ["text", "text"] }.contains("2 columns are called"))
        #expect(try message { $0.encoding = 8 }.contains("has no dictionary"))
        var plain = SampleFile()
        let path = try folder.write("plain", plain.made())
        #expect(try values(path) == SampleFile.values.map { .bytes(Array($0.utf8)) })
        plain.hasIndexPage = true
        #expect(try values(folder.write("index", plain.made())).count == SampleFile.values.count)
    }
}
