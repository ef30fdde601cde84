import FalconParquet
import FalconSystem
import FalconTestSupport
import Foundation
import Testing

/// Files with wrong bytes: an error or values, never anything else.
@Suite struct DamageTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Reads what may be damaged.
    ///
    /// - Returns: the error; nil if there was none.
    @discardableResult
    private func damage(_ bytes: [UInt8], _ column: String = "text") throws -> ParquetError? {
        // In its place: a file that is made anew each time is slow.
        let path = folder.file("damaged")
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        #expect(pwrite(descriptor, bytes, bytes.count, 0) == bytes.count)
        #expect(ftruncate(descriptor, off_t(bytes.count)) == 0)
        close(descriptor)
        do {
            let reader = try ParquetReader(
                InputFile(path: path), column: column, valueLimitBytes: 1 << 16,
                pageLimitBytes: 1 << 20)
            // A wrong count of nulls is no harm, but takes time.
            for _ in 0..<10_000 where try reader.next() == nil { break }
            return nil
        } catch let error as ParquetError {
            #expect(error.description.hasPrefix(path + ": "))
            return error
        }
    }

    private func message(_ change: (inout SampleFile) -> Void) throws -> String {
        var file = SampleFile()
        change(&file)
        return try damage(file.made())?.description ?? ""
    }

    @Test(arguments: ["arrow-one-row", "arrow-checksums-v2", "hand-old-dictionary", "duck-zstd"])
    func everyFileThatIsCutShortIsRefused(_ name: String) throws {
        let whole = try Samples.bytes(name)
        for count in 0..<min(whole.count, 1500) {
            #expect(try damage(Array(whole.prefix(count))) != nil, "\(count) bytes")
            #expect(try damage(Array(whole.suffix(count))) != nil, "last \(count) bytes")
        }
    }

    @Test(arguments: [
        "arrow-one-row", "hand-old-dictionary", "hand-packed-levels", "hand-v2-partly",
        "hand-hadoop-lz4-frames", "hand-gzip-members", "arrow-brotli-v2", "arrow-zstd-v1",
        "arrow-snappy-v2", "arrow-all-null-v2",
    ])
    func anyByteMayBeWrong(_ name: String) throws {
        let whole = try Samples.bytes(name)
        for place in 0..<min(whole.count, 1200) {
            for change in [UInt8(1) << (place % 8), 0xFF] {
                var bytes = whole
                bytes[place] ^= change
                try damage(bytes)
            }
        }
    }

    @Test(arguments: [
        "arrow-delta_byte_array-v1", "arrow-delta_length_byte_array-v2", "arrow-level-runs",
        "arrow-nested", "arrow-plain-v2", "arrow-tiny-pages-v2",
    ])
    func anyByteOfLargerFilesMayBeWrong(_ name: String) throws {
        let whole = try Samples.bytes(name)
        for place in stride(from: 0, to: whole.count, by: 3) {
            var bytes = whole
            bytes[place] = bytes[place] &+ 0x7F
            try damage(bytes)
        }
    }

    @Test func aChecksumFindsEveryWrongByteOfAPage() throws {
        for name in ["arrow-checksums", "arrow-checksums-v2"] {
            let whole = try Samples.bytes(name)
            let wanted = try values(Samples.path(name))
            let footer =
                whole.count - 8 - Int(whole[whole.count - 8]) - Int(whole[whole.count - 7]) << 8
            var errorCount = 0
            for place in 4..<footer {
                var bytes = whole
                bytes[place] ^= 0x10
                if try damage(bytes) != nil {
                    errorCount += 1
                } else {
                    // Another column, or statistics.
                    #expect(try values(folder.file("damaged")) == wanted, "byte \(place)")
                }
            }
            #expect(errorCount > (footer - 4) / 5)
            var bytes = whole
            bytes[footer - 1] ^= 1
            let error = try damage(bytes)
            #expect(error?.description.contains("CRC-32 is") == true, "\(error?.description ?? "")")
            #expect(error?.description.contains("row group 0, page at byte") == true)
        }
    }

    @Test func sizesThatCannotBeAreRefused() throws {
        let huge = Int(Int64.max)
        #expect(try message { $0.footerByteCount = 5000 }.contains("contents of 5000 bytes"))
        #expect(try message { $0.footerByteCount = Int(UInt32.max) }.contains("4294967295 bytes"))
        #expect(try message { $0.footerByteCount = 0 }.contains("table of contents"))
        for wrong in [-1, 2, 4, huge, Int(Int64.min)] {
            #expect(try message { $0.rowCount = wrong }.contains("rows"), "\(wrong)")
            #expect(try message { $0.groupRowCount = wrong }.contains("rows"), "\(wrong)")
            #expect(try message { $0.valueCount = wrong }.contains("values in the column"))
            #expect(!(try message { $0.pageValueCount = wrong }.isEmpty), "\(wrong)")
        }
        for wrong in [-1, huge, Int(Int64.min), 1 << 40] {
            #expect(
                try message { $0.dataOffset = wrong }.contains(
                    "row group 0: the column's pages are"))
            #expect(
                try message { $0.chunkByteCount = wrong }.contains(
                    "row group 0: the column's pages"))
            #expect(try message { $0.pageByteCount = wrong }.contains("a page of"))
            #expect(try message { $0.plainByteCount = wrong }.contains("a page of"))
        }
        #expect(try message { $0.plainByteCount = 1 << 21 }.contains("smaller pages"))
        #expect(try message { $0.plainByteCount = 17 }.contains("the page holds"))
        #expect(try message { $0.groupCount = 2 }.contains("than the"))
        #expect(try message { $0.rootChildCount = 2 }.contains("the schema is cut short"))
        #expect(try message { $0.rootChildCount = 0 }.contains("behind its end"))
        #expect(try message { $0.rootChildCount = -1 }.contains("-1 children"))
        #expect(try message { $0.nesting = 200 }.contains("nested deeper"))
        #expect(try message { $0.nesting = 3 }.contains("columns of text: g.g.g.text"))
    }

    /// Little that claims to be much, or points at the same bytes again and again.
    @Test func nothingIsMadeOfLittle() throws {
        var file = SampleFile()
        (file.groupCount, file.rowCount) = (1000, 3000)
        #expect(try damage(file.made())?.description.contains("more bytes than the file") == true)
        for codec in [1, 2, 4, 5, 6, 7] {
            let text = try message {
                ($0.codec, $0.plainByteCount) = (codec, 1 << 20)
            }
            #expect(text.contains("row group 0, page at byte 4: damaged"), "\(codec): \(text)")
        }
        // Lists in lists, and a list of very many.
        let nested = [UInt8](repeating: 0x19, count: 5000)
        #expect(try message { $0.extra = [0x59] + nested }.contains("table of contents"))
        let many: [UInt8] = [0x59, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]
        #expect(try message { $0.extra = many }.contains("a list is cut short"))
        let bytes: [UInt8] = [0x58, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]
        #expect(try message { $0.extra = bytes }.contains("is cut short"))
        #expect(try message { $0.extra = [0x5F] }.contains("type 15, which does not exist"))
        #expect(
            try message { $0.extra = [0x56] + [UInt8](repeating: 0xFF, count: 12) }.contains(
                "64 bits"))
    }

    @Test func pagesThatDoNotFitAreRefused() throws {
        func text(_ page: [UInt8], _ encoding: Int = 0) throws -> String {
            try message { ($0.page, $0.encoding) = (page, encoding) }
        }
        #expect(try text([1, 0, 0]).contains("a value is cut short"))
        #expect(
            try text([0xFF, 0xFF, 0xFF, 0xFF, 1]).contains(
                "a value has 4294967295 bytes, but only 1"))
        #expect(try text([UInt8](repeating: 0, count: 12) + [7]).contains("1 bytes are left"))
        #expect(try text([UInt8](repeating: 0, count: 20)) == "")
        // Lengths: blocks of 128 in 4 parts, 3 numbers, the first of which is -1.
        #expect(try text([0x80, 1, 4, 3, 1, 0, 0, 0, 0, 0], 6).contains("a value has -1 bytes"))
        #expect(try text([0x80, 1, 0, 3, 0], 6).contains("in 0 parts"))
        #expect(try text([0x81, 1, 4, 3, 0], 6).contains("blocks of 129 differences"))
        #expect(
            try text([0x80, 1, 4, 2, 0, 0, 0, 0, 0, 0], 6).contains("fewer lengths than values"))
        #expect(try text([0x80, 1, 4, 4, 0, 0, 0, 0, 0, 0], 6).contains("1 values too many"))
        #expect(try text([0x80, 1, 4, 3, 0, 0, 33, 0, 0, 0], 6).contains("differences of 33 bits"))
        #expect(
            try text([0x80, 1, 4, 3, 0, 0, 32, 0, 0, 0], 6).contains(
                "a block of lengths is cut short"))
        let none: [UInt8] = [0x80, 1, 4, 3, 0, 0, 0, 0, 0, 0]
        let one: [UInt8] = [0x80, 1, 4, 3, 2, 0, 0, 0, 0, 0]
        #expect(try text(one + none, 7).contains("shares 1 bytes with the one before, which has 0"))
        #expect(try text(none + none, 7) == "")
        #expect(try text(none, 6) == "")
    }
}
