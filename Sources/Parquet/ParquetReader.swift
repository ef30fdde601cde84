import FalconSystem

/// Reads one column of texts from a Parquet file, row after row.
///
/// Memory holds the table of contents, one page and one dictionary at a time. Nothing in the file is believed:
/// whatever its bytes are, reading ends in values or in an error.
///
/// - SeeAlso: https://github.com/apache/parquet-format
public final class ParquetReader {
    /// The largest page that is read, in bytes.
    public static let pageLimitBytes = 1 << 30
    /// What a file begins with and ends in.
    public static let magic = Array("PAR1".utf8)
    /// The same of a file whose table of contents is encrypted.
    public static let encryptedMagic = Array("PARE".utf8)

    /// The smallest file: magic, an empty table of contents and its size, magic.
    private static let smallestByteCount = 12

    /// The file's name.
    public let path: String
    /// The size of the file in bytes.
    public let byteCount: Int
    private let file: InputFile
    private let valueLimit: Int
    private let pageLimit: Int
    private let definitionLevel: Int
    private let chunks: [ColumnChunk]
    private let rowGroups: [Int]
    private var chunkIndex = 0
    private var pages: Pages?
    private var dictionary: ValueDictionary?
    private var levels = DefinitionLevels.none
    private var values: (any PageValues)?
    private var leftInPage = 0
    private var leftInChunk = 0
    /// The byte of the file at which the page begins.
    private var pageStart = 0
    private var hasFailed = false

    /// Rows in the file.
    public var rowCount: Int { chunks.reduce(0) { $0 + $1.valueCount } }
    /// The byte of the file up to which it was read.
    public private(set) var position = 0

    /// Opens a column and checks the table of contents.
    ///
    /// - Parameters:
    ///   - file: a file that can be read at any place, not a pipe.
    ///   - column: the name of a column of texts; dots stand between the names of fields within each other.
    ///   - valueLimitBytes: bytes of the largest value that is read; larger ones are passed over.
    ///   - pageLimitBytes: bytes of the largest page that is read.
    /// - Throws: `ParquetError` for a file that is no Parquet, is damaged, encrypted or of an unknown kind, or lacks
    ///   the column; `FileError`.
    public init(
        _ file: InputFile, column: String, valueLimitBytes: Int,
        pageLimitBytes: Int = ParquetReader.pageLimitBytes
    ) throws {
        self.file = file
        path = file.path
        valueLimit = valueLimitBytes
        pageLimit = pageLimitBytes
        guard let byteCount = file.byteCount else {
            throw ParquetError.unsupported(
                path: path, place: nil, reason: "a Parquet file must be a file, not a pipe",
                remedy: "give the file itself")
        }
        self.byteCount = byteCount
        do {
            let metadata = try Self.metadata(of: file, byteCount: byteCount, column: column)
            let column = try metadata.column.get()
            definitionLevel = column.definitionLevel
            chunks = metadata.chunks
            rowGroups = metadata.rowGroups
        } catch let fault as ParquetFault {
            throw Self.error(fault, path: file.path, place: nil)
        } catch let wrong as Schema.WrongColumn {
            throw ParquetError.wrongColumn(path: file.path, reason: wrong.reason)
        }
    }

    private static func metadata(
        of file: InputFile, byteCount: Int, column: String
    ) throws -> FileMetadata {
        let start = try file.bytes(at: 0, count: min(4, byteCount))
        if start == encryptedMagic { throw ParquetFault.encrypted }
        guard start == magic else {
            throw ParquetFault("it does not begin with PAR1, as every Parquet file does")
        }
        guard byteCount >= smallestByteCount else { throw ParquetFault.cutShort("the file") }
        let tail = try file.bytes(at: byteCount - 8, count: 8)
        if Array(tail.suffix(4)) == encryptedMagic { throw ParquetFault.encrypted }
        guard tail.count == 8, Array(tail.suffix(4)) == magic else {
            throw ParquetFault("it does not end in PAR1: it is cut short")
        }
        let count = Int(littleEndianUInt32(tail, at: 0))
        guard count <= byteCount - smallestByteCount else {
            throw ParquetFault(
                "a table of contents of \(count) bytes in a file of \(byteCount) bytes")
        }
        let dataEnd = byteCount - 8 - count
        let bytes = try file.bytes(at: dataEnd, count: count)
        guard bytes.count == count else { throw ParquetFault.cutShort("the file") }
        do throws(ParquetFault) {
            return try FileMetadata(bytes, column: column, dataEnd: dataEnd)
        } catch {
            throw ParquetFault("the table of contents: \(error.reason)", remedy: error.remedy)
        }
    }

    private static func error(_ fault: ParquetFault, path: String, place: String?) -> ParquetError {
        if let remedy = fault.remedy {
            return .unsupported(path: path, place: place, reason: fault.reason, remedy: remedy)
        }
        return .damaged(path: path, place: place, reason: fault.reason)
    }

    /// Reads the value of the next row.
    ///
    /// - Returns: nil after the last row, and after an error.
    /// - Throws: `ParquetError` with row group and page; `FileError`.
    public func next() throws -> ParquetValue? {
        if hasFailed { return nil }
        do {
            while leftInPage == 0 {
                if leftInChunk == 0 {
                    guard chunkIndex < chunks.count else {
                        position = byteCount
                        return nil
                    }
                    startChunk()
                }
                try startPage()
            }
            leftInPage -= 1
            let value: ParquetValue =
                try levels.isNextThere()
                ? try values?.next(limit: valueLimit) ?? .null : .null
            if leftInPage == 0 { try values?.finish() }
            return value
        } catch let fault as ParquetFault {
            hasFailed = true
            let group = rowGroups[chunkIndex - 1]
            throw Self.error(
                fault, path: path, place: "row group \(group), page at byte \(pageStart)")
        } catch {
            hasFailed = true
            throw error
        }
    }

    private func startChunk() {
        let chunk = chunks[chunkIndex]
        chunkIndex += 1
        pages = Pages(file, in: chunk.range, limit: pageLimit)
        dictionary = nil
        leftInChunk = chunk.valueCount
    }

    /// Reads pages up to the next one with values.
    private func startPage() throws {
        // The page before must not stay in memory beside the next.
        values = nil
        levels = .none
        pageStart = pages?.position ?? 0
        guard let page = try pages?.next() else {
            throw ParquetFault("the column's pages end before its last \(leftInChunk) values")
        }
        position = pages?.position ?? position
        let header = page.header
        guard header.valueCount <= leftInChunk || header.kind == .dictionary else {
            throw ParquetFault(
                "a page of \(header.valueCount) values, but the row group has only \(leftInChunk) left"
            )
        }
        switch header.kind {
        case .dictionary: try readDictionary(page)
        case .dataV2: try startSecondKind(page)
        default: try startFirstKind(page)
        }
    }

    private var codec: Codec { chunks[chunkIndex - 1].codec }

    private func readDictionary(_ page: Page) throws(ParquetFault) {
        guard dictionary == nil else { throw ParquetFault("the column has a second dictionary") }
        guard [0, 2].contains(page.header.encoding) else {
            throw .unknownEncoding(page.header.encoding, of: "the dictionary")
        }
        let bytes = try codec.plain(page.bytes[...], byteCount: page.header.plainByteCount)
        dictionary = try ValueDictionary(bytes, count: page.header.valueCount)
    }

    /// Levels and values are compressed together.
    private func startFirstKind(_ page: Page) throws(ParquetFault) {
        let bytes = try codec.plain(page.bytes[...], byteCount: page.header.plainByteCount)
        var position = 0
        if definitionLevel > 0 {
            let width = DefinitionLevels.bitWidth(of: definitionLevel)
            switch page.header.levelEncoding {
            case 3:
                guard bytes.count >= 4, case let count = Int(littleEndianUInt32(bytes, at: 0)),
                    count <= bytes.count - 4
                else { throw .cutShort("the definition levels") }
                position = 4 + count
                levels = .runs(
                    try Runs(bytes, in: 4..<position, bitWidth: width),
                    wanted: UInt32(definitionLevel))
            case 4:
                position = (page.header.valueCount * width + 7) / 8
                guard position <= bytes.count else { throw .cutShort("the definition levels") }
                levels = .packed(
                    bytes: bytes, bit: 0, bitCount: width, wanted: UInt32(definitionLevel))
            default: throw .unknownEncoding(page.header.levelEncoding, of: "definition levels")
            }
        }
        try startValues(bytes, at: position, page.header)
    }

    /// Levels stand before the values, and are not compressed.
    private func startSecondKind(_ page: Page) throws(ParquetFault) {
        let header = page.header
        let levelByteCount = header.repetitionByteCount.addingReportingOverflow(
            header.definitionByteCount)
        guard !levelByteCount.overflow, levelByteCount.partialValue <= page.bytes.count,
            levelByteCount.partialValue <= header.plainByteCount
        else { throw .cutShort("the definition levels") }
        let start = levelByteCount.partialValue
        if definitionLevel > 0 {
            levels = .runs(
                try Runs(
                    Array(page.bytes[header.repetitionByteCount..<start]),
                    in: 0..<header.definitionByteCount,
                    bitWidth: DefinitionLevels.bitWidth(of: definitionLevel)),
                wanted: UInt32(definitionLevel))
        }
        let codec = header.isCompressed ? codec : .uncompressed
        let bytes = try codec.plain(
            page.bytes[start...], byteCount: header.plainByteCount - start)
        try startValues(bytes, at: 0, header)
    }

    private func startValues(
        _ bytes: [UInt8], at position: Int, _ header: PageHeader
    ) throws(ParquetFault) {
        leftInPage = header.valueCount
        leftInChunk -= header.valueCount
        // A page of nulls may have no bytes for its values, not even a header.
        if position == bytes.count {
            values = PlainValues(bytes, at: position)
            return
        }
        switch header.encoding {
        case 0: values = PlainValues(bytes, at: position)
        case 2, 8:
            guard let dictionary else { throw ParquetFault("the column has no dictionary") }
            values = try DictionaryValues(bytes, at: position, dictionary)
        case 6: values = try DeltaLengthValues(bytes, at: position)
        case 7: values = try DeltaValues(bytes, at: position)
        default: throw .unknownEncoding(header.encoding, of: "values")
        }
    }
}

extension ParquetFault {
    /// For an encoding that is not read, or does not exist.
    static func unknownEncoding(_ number: Int, of what: String) -> ParquetFault {
        let names = [
            3: "RLE", 4: "BIT_PACKED", 5: "DELTA_BINARY_PACKED", 9: "BYTE_STREAM_SPLIT",
        ]
        return ParquetFault(
            "encoding \(names[number] ?? "\(number)") of \(what), which is not read",
            remedy: writeOtherwise)
    }
}
