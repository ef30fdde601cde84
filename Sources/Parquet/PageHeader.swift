/// What stands before a page.
struct PageHeader {
    /// The kinds of pages; numbers of parquet.thrift.
    enum Kind: Int {
        case data, index, dictionary, dataV2
    }

    /// Nil for a kind that is not known, and passed over.
    private(set) var kind: Kind?
    /// Bytes after decompression.
    private(set) var plainByteCount = -1
    /// Bytes in the file.
    private(set) var byteCount = -1
    /// The CRC-32 of the bytes in the file.
    private(set) var checksum: UInt32?
    /// Values, those that are null included.
    private(set) var valueCount = 0
    /// The encoding of values.
    private(set) var encoding = 0
    /// The encoding of definition levels in a page of the first kind.
    private(set) var levelEncoding = 3
    /// Bytes of repetition levels in a page of the second kind.
    private(set) var repetitionByteCount = 0
    /// Bytes of definition levels in a page of the second kind.
    private(set) var definitionByteCount = 0
    /// Whether the values of a page of the second kind are compressed.
    private(set) var isCompressed = true

    /// - Parameter reader: where the header begins.
    /// - Throws: `ParquetFault`; it says whether the header is only cut short.
    init(_ reader: inout ThriftReader) throws(ParquetFault) {
        var type = -1
        var described: Set<Int> = []
        try reader.readStructure { (reader, number, kind) throws(ParquetFault) in
            switch number {
            case 1: type = try reader.readInteger(kind)
            case 2: plainByteCount = try reader.readInteger(kind)
            case 3: byteCount = try reader.readInteger(kind)
            case 4: checksum = UInt32(truncatingIfNeeded: try reader.readInteger(kind))
            case 5, 7, 8:
                guard kind == .structure else { return false }
                described.insert(number)
                try readDescription(&reader, isSecond: number == 8)
            default: return false
            }
            return true
        }
        kind = Kind(rawValue: type)
        guard type >= 0, plainByteCount >= 0, byteCount >= 0 else {
            throw ParquetFault(
                "a page of type \(type), \(byteCount) bytes, \(plainByteCount) after decompression")
        }
        let wanted = [Kind.data: 5, .dictionary: 7, .dataV2: 8]
        if let kind, let wanted = wanted[kind], described != [wanted] {
            throw ParquetFault("the page's header does not describe a page of type \(type)")
        }
        guard (0...Int(Int32.max)).contains(valueCount), repetitionByteCount >= 0,
            definitionByteCount >= 0
        else {
            throw ParquetFault(
                "a page of \(valueCount) values with levels of \(repetitionByteCount) and "
                    + "\(definitionByteCount) bytes")
        }
    }

    private mutating func readDescription(
        _ reader: inout ThriftReader, isSecond: Bool
    ) throws(ParquetFault) {
        try reader.readStructure { (reader, number, kind) throws(ParquetFault) in
            switch (number, isSecond) {
            case (1, _): valueCount = try reader.readInteger(kind)
            case (2, false), (4, true): encoding = try reader.readInteger(kind)
            // A dictionary's third field says whether it is sorted.
            case (3, false) where kind == .int32: levelEncoding = try reader.readInteger(kind)
            case (5, true): definitionByteCount = try reader.readInteger(kind)
            case (6, true): repetitionByteCount = try reader.readInteger(kind)
            case (7, true): isCompressed = try reader.readFlag(kind)
            default: return false
            }
            return true
        }
    }
}
