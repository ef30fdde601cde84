/// The values of the column in one row group.
struct ColumnChunk: Equatable {
    /// The bytes of its pages in the file.
    let range: Range<Int>
    /// Values, those that are null included: one a row.
    let valueCount: Int
    /// The compression of its pages.
    let codec: Codec

    /// Bytes that old writers (parquet-mr before 1.2.9, Impala) have left out of a chunk's size: a dictionary's
    /// header.
    private static let forgottenByteCount = 100

    /// The chunk with such bytes; the number of values tells where it ends.
    fileprivate func padded(dataEnd: Int) -> ColumnChunk {
        let end = min(range.upperBound + Self.forgottenByteCount, dataEnd)
        return ColumnChunk(range: range.lowerBound..<end, valueCount: valueCount, codec: codec)
    }
}

/// What stands at the end of a file about the column of texts.
struct FileMetadata {
    /// The texts' column.
    let column: Result<TextColumn, Schema.WrongColumn>
    /// One for each row group that has rows; empty without a column.
    private(set) var chunks: [ColumnChunk] = []
    /// The number of each chunk's row group, from 0.
    private(set) var rowGroups: [Int] = []

    /// Reads the table of contents, and checks it.
    ///
    /// - Parameters:
    ///   - bytes: the table of contents.
    ///   - name: of the texts' column, with dots between the names of fields within each other.
    ///   - dataEnd: the byte of the file behind the last that may be a page's.
    /// - Throws: `ParquetFault` for damage, and for what is not read.
    init(_ bytes: [UInt8], column name: String, dataEnd: Int) throws(ParquetFault) {
        var reader = ThriftReader(bytes)
        var schema = Schema(wanted: name)
        var rowCount = 0
        var groups: (reader: ThriftReader, kind: ThriftReader.Kind)?
        try reader.readStructure { (reader, number, kind) throws(ParquetFault) in
            switch number {
            case 2:
                try reader.readStructures(kind) { (reader) throws(ParquetFault) in
                    try schema.read(&reader)
                }
            case 3: rowCount = try reader.readInteger(kind)
            case 4:
                // The schema may stand behind.
                groups = (reader, kind)
                return false
            default: return false
            }
            return true
        }
        column = try schema.column()
        guard case .success(let column) = column, var groups else { return }
        var number = 0
        var rowsLeft = rowCount
        var bytesLeft = dataEnd
        try groups.reader.readStructures(groups.kind) { (reader) throws(ParquetFault) in
            defer { number += 1 }
            let group: RowGroup
            do throws(ParquetFault) {
                group = try RowGroup(&reader, column: column.index)
                try group.check(dataEnd: dataEnd)
            } catch {
                throw ParquetFault("row group \(number): \(error.reason)", remedy: error.remedy)
            }
            // Row groups that share pages would make much of little.
            bytesLeft -= group.chunk.range.count
            guard bytesLeft >= 0 else {
                throw ParquetFault("the row groups claim more bytes than the file has")
            }
            guard group.rowCount <= rowsLeft else {
                throw ParquetFault("the row groups have more rows than the \(rowCount) of the file")
            }
            rowsLeft -= group.rowCount
            if group.rowCount > 0 {
                chunks.append(group.chunk.padded(dataEnd: dataEnd))
                rowGroups.append(number)
            }
        }
        guard rowsLeft == 0 else {
            throw ParquetFault("the row groups have \(rowCount - rowsLeft) rows, want \(rowCount)")
        }
    }
}

/// What the table of contents says about a row group.
private struct RowGroup {
    private(set) var rowCount = 0
    private(set) var chunk = ColumnChunk(range: 0..<0, valueCount: 0, codec: .uncompressed)
    private var isFound = false

    init(_ reader: inout ThriftReader, column: Int) throws(ParquetFault) {
        try reader.readStructure { (reader, number, kind) throws(ParquetFault) in
            switch number {
            case 1:
                var index = 0
                try reader.readStructures(kind) { (reader) throws(ParquetFault) in
                    if index == column {
                        try readChunk(&reader)
                    } else {
                        try reader.skip(.structure)
                    }
                    index += 1
                }
            case 3: rowCount = try reader.readInteger(kind)
            default: return false
            }
            return true
        }
    }

    private mutating func readChunk(_ reader: inout ThriftReader) throws(ParquetFault) {
        try reader.readStructure { (reader, number, kind) throws(ParquetFault) in
            switch number {
            case 1:
                guard try reader.readBytes(kind).isEmpty else {
                    throw ParquetFault(
                        "the column lies in another file",
                        remedy: "write the file again as one that stands alone")
                }
            case 3:
                try readMetadata(&reader, kind)
            case 8: throw .encrypted
            default: return false
            }
            return true
        }
    }

    private mutating func readMetadata(
        _ reader: inout ThriftReader, _ kind: ThriftReader.Kind
    ) throws(ParquetFault) {
        guard kind == .structure else {
            throw ParquetFault("the column's metadata are no structure")
        }
        var (type, codec, valueCount, byteCount) = (0, 0, 0, 0)
        var (data, dictionary) = (-1, 0)
        try reader.readStructure { (reader, number, kind) throws(ParquetFault) in
            switch number {
            case 1: type = try reader.readInteger(kind)
            case 4: codec = try reader.readInteger(kind)
            case 5: valueCount = try reader.readInteger(kind)
            case 7: byteCount = try reader.readInteger(kind)
            case 9: data = try reader.readInteger(kind)
            case 11: dictionary = try reader.readInteger(kind)
            default: return false
            }
            return true
        }
        guard type == 6 else {
            throw ParquetFault(
                "the column has type \(type) here, want 6 (BYTE_ARRAY) as in the schema")
        }
        if valueCount == 0 {
            isFound = true
            return
        }
        // Some writers leave a dictionary's place out, or at zero.
        let start = dictionary > 0 && dictionary < data ? dictionary : data
        let (end, overflow) = start.addingReportingOverflow(byteCount)
        guard start >= 0, byteCount >= 0, !overflow else {
            throw ParquetFault("the column's pages are \(byteCount) bytes at byte \(start)")
        }
        chunk = ColumnChunk(
            range: start..<end, valueCount: valueCount, codec: try Codec(number: codec))
        isFound = true
    }

    func check(dataEnd: Int) throws(ParquetFault) {
        guard isFound else { throw ParquetFault("it does not have the column") }
        guard rowCount >= 0, chunk.valueCount == rowCount else {
            throw ParquetFault(
                "it has \(rowCount) rows and \(chunk.valueCount) values in the column")
        }
        guard chunk.range.upperBound <= dataEnd else {
            throw ParquetFault(
                "the column's pages are bytes \(chunk.range.lowerBound) to \(chunk.range.upperBound), "
                    + "but data end at byte \(dataEnd)")
        }
    }
}

extension ParquetFault {
    /// For what nobody can read without a key.
    static var encrypted: ParquetFault {
        ParquetFault("the file is encrypted", remedy: "write it again without encryption")
    }
}
