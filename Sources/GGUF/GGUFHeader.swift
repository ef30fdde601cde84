import FalconSystem

/// The metadata and the table of tensors of a GGUF file, checked against the rules of the format.
///
/// Layout, all little-endian: "GGUF", version, number of tensors, number of metadata entries; the
/// entries; the table; zeros up to a multiple of the alignment; the tensors' data. Nothing is allocated
/// in proportion to a size that the file merely claims: every count is first compared with the
/// bytes left.
struct GGUFHeader {
    /// The first four bytes, "GGUF".
    static let magic: UInt32 = 0x4655_4747
    /// The version that `GGUFWriter` writes.
    static let version: UInt32 = 3
    /// The alignment of a file that does not give one.
    static let defaultAlignment = 32
    /// The least bytes of a metadata entry: an empty key, a type, a value of one byte.
    private static let leastEntryByteCount = 8 + 4 + 1
    /// The least bytes of a line in the table: an empty name, one dimension, type and offset.
    private static let leastTensorByteCount = 8 + 4 + 8 + 4 + 8

    /// A tensor and its place in the file.
    struct Entry {
        var tensor: GGUFTensor
        /// The tensor's bytes, counted from the start of the file.
        var range: Range<Int>
    }

    private(set) var metadata: GGUFMetadata
    /// The tensors in the order of the table.
    private(set) var entries: [Entry] = []
    private let path: String
    /// The next byte to read; never beyond the end.
    private var offset = 0

    /// Reads and checks the header of a mapped file.
    ///
    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - path: its name, for messages.
    /// - Throws: `GGUFError` with the first violation.
    init(bytes: RawSpan, path: String) throws(GGUFError) {
        self.path = path
        metadata = GGUFMetadata(path: path)
        guard bytes.byteCount >= 4, try integer(bytes, "the magic") as UInt32 == Self.magic else {
            throw failure(.notGGUF)
        }
        let version: UInt32 = try integer(bytes, "the version")
        guard (2...3).contains(version) else {
            let isSwapped = (1...3).contains(version.byteSwapped)
            throw failure(isSwapped ? .bigEndian : .unsupportedVersion(version))
        }
        let claimedTensors: UInt64 = try integer(bytes, "the number of tensors")
        let claimedEntries: UInt64 = try integer(bytes, "the number of metadata entries")
        let tensorCount = try affordable(
            bytes, claimedTensors, of: Self.leastTensorByteCount, "tensors")
        let entryCount = try affordable(
            bytes, claimedEntries, of: Self.leastEntryByteCount, "metadata entries")
        for _ in 0..<entryCount { try readEntry(bytes) }
        let alignment = try alignment()
        var declarations: [(tensor: GGUFTensor, offset: UInt64)] = []
        var names = Set<String>()
        for _ in 0..<tensorCount {
            let declaration = try readTensor(bytes)
            guard names.insert(declaration.tensor.name).inserted else {
                throw failure(.duplicateTensor(declaration.tensor.name))
            }
            declarations.append(declaration)
        }
        // Neither overflows: the offset is within the file, the alignment below 2^32.
        let dataStart = (offset + alignment - 1) / alignment * alignment
        try place(
            declarations, dataStart: dataStart, dataByteCount: max(0, bytes.byteCount - dataStart),
            alignment: alignment)
    }

    private func failure(_ problem: GGUFProblem) -> GGUFError {
        GGUFError(path: path, problem: problem)
    }
}

// Numbers and texts.
extension GGUFHeader {
    private mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: RawSpan, _ what: @autoclosure () -> String
    ) throws(GGUFError) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.byteCount - offset >= size else {
            throw failure(.cutOff(reading: what(), offset: bytes.byteCount))
        }
        defer { offset += size }
        // Safe: the bytes are there; any bits are a number.
        return unsafe Number(
            littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// A count that the file claims, if that many things of a least size can follow.
    private func affordable(
        _ bytes: RawSpan, _ count: UInt64, of leastByteCount: Int,
        _ what: @autoclosure () -> String
    ) throws(GGUFError) -> Int {
        let remaining = bytes.byteCount - offset
        guard count <= UInt64(remaining / leastByteCount) else {
            throw failure(.tooMany(what: what(), got: count, remainingBytes: remaining))
        }
        return Int(count)
    }

    private mutating func text(
        _ bytes: RawSpan, _ what: @autoclosure () -> String
    ) throws(GGUFError) -> String {
        let claimed: UInt64 = try integer(bytes, what())
        let count = try affordable(bytes, claimed, of: 1, "bytes for \(what())")
        defer { offset += count }
        let content = bytes.extracting(offset..<offset + count)
        let text = unsafe content.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
        guard let text else { throw failure(.notText(what: what())) }
        return text
    }

    private mutating func numbers<Number: FixedWidthInteger & BitwiseCopyable, Element>(
        _ bytes: RawSpan, _ count: UInt64, _ key: String, _ convert: (Number) -> Element
    ) throws(GGUFError) -> [Element] {
        let count = try affordable(
            bytes, count, of: MemoryLayout<Number>.size, "values of metadata \(key)")
        var values: [Element] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(convert(try integer(bytes, "metadata \(key)"))) }
        return values
    }
}

// Metadata.
extension GGUFHeader {
    private mutating func readEntry(_ bytes: RawSpan) throws(GGUFError) {
        let key = try text(bytes, "a metadata key")
        guard !key.isEmpty else { throw failure(.emptyKey) }
        guard metadata[key] == nil else { throw failure(.duplicateKey(key)) }
        let type: UInt32 = try integer(bytes, "metadata \(key)")
        metadata[key] = try value(bytes, key, type)
    }

    private mutating func value(
        _ bytes: RawSpan, _ key: String, _ type: UInt32
    ) throws(GGUFError) -> GGUFValue {
        func what() -> String { "metadata \(key)" }
        return switch type {
        case 0: .uint8(try integer(bytes, what()))
        case 1: .int8(try integer(bytes, what()))
        case 2: .uint16(try integer(bytes, what()))
        case 3: .int16(try integer(bytes, what()))
        case 4: .uint32(try integer(bytes, what()))
        case 5: .int32(try integer(bytes, what()))
        case 6: .float32(Float(bitPattern: try integer(bytes, what())))
        case 7: .boolean(try boolean(try integer(bytes, what()), key))
        case 8: .string(try text(bytes, what()))
        case 9: .array(try array(bytes, key))
        case 10: .uint64(try integer(bytes, what()))
        case 11: .int64(try integer(bytes, what()))
        case 12: .float64(Double(bitPattern: try integer(bytes, what())))
        default: throw failure(.unknownValueType(key: key, got: type))
        }
    }

    private func boolean(_ byte: UInt8, _ key: String) throws(GGUFError) -> Bool {
        guard byte <= 1 else { throw failure(.notBoolean(key: key, got: byte)) }
        return byte == 1
    }

    private mutating func array(
        _ bytes: RawSpan, _ key: String
    ) throws(GGUFError) -> GGUFArray {
        let type: UInt32 = try integer(bytes, "metadata \(key)")
        let count: UInt64 = try integer(bytes, "metadata \(key)")
        switch type {
        case 0: return .uint8(try numbers(bytes, count, key) { (number: UInt8) in number })
        case 1: return .int8(try numbers(bytes, count, key) { (number: Int8) in number })
        case 2: return .uint16(try numbers(bytes, count, key) { (number: UInt16) in number })
        case 3: return .int16(try numbers(bytes, count, key) { (number: Int16) in number })
        case 4: return .uint32(try numbers(bytes, count, key) { (number: UInt32) in number })
        case 5: return .int32(try numbers(bytes, count, key) { (number: Int32) in number })
        case 6:
            return .float32(try numbers(bytes, count, key) { Float(bitPattern: $0) })
        case 7:
            let flags: [UInt8] = try numbers(bytes, count, key) { (number: UInt8) in number }
            if let wrong = flags.first(where: { $0 > 1 }) {
                throw failure(.notBoolean(key: key, got: wrong))
            }
            return .boolean(flags.map { $0 == 1 })
        case 8:
            // A text is at least the eight bytes of its length.
            let count = try affordable(bytes, count, of: 8, "values of metadata \(key)")
            var texts: [String] = []
            texts.reserveCapacity(count)
            for _ in 0..<count { texts.append(try text(bytes, "a text of metadata \(key)")) }
            return .string(texts)
        case 9: throw failure(.nestedArray(key: key))
        case 10: return .uint64(try numbers(bytes, count, key) { (number: UInt64) in number })
        case 11: return .int64(try numbers(bytes, count, key) { (number: Int64) in number })
        case 12:
            return .float64(try numbers(bytes, count, key) { Double(bitPattern: $0) })
        default: throw failure(.unknownValueType(key: key, got: type))
        }
    }

    private func alignment() throws(GGUFError) -> Int {
        switch metadata[GGUFMetadata.alignmentKey] {
        case nil: return Self.defaultAlignment
        case .uint32(let number)? where number.nonzeroBitCount == 1: return Int(number)
        case .uint32(let number)?: throw failure(.badAlignment(got: "\(number)"))
        case let value?: throw failure(.badAlignment(got: value.typeName))
        }
    }
}

// The table of tensors.
extension GGUFHeader {
    private mutating func readTensor(
        _ bytes: RawSpan
    ) throws(GGUFError) -> (tensor: GGUFTensor, offset: UInt64) {
        let name = try text(bytes, "the name of a tensor")
        let limit = GGUFTensor.readNameByteLimit
        guard (1...limit).contains(name.utf8.count) else {
            throw failure(.badTensorName(got: name.utf8.count, limit: limit))
        }
        func what() -> String { "tensor \(name)" }
        let dimensions: UInt32 = try integer(bytes, what())
        guard (1...UInt32(GGUFTensor.dimensionLimit)).contains(dimensions) else {
            throw failure(.badDimensionCount(tensor: name, got: dimensions))
        }
        var lengths: [UInt64] = []
        for _ in 0..<dimensions { lengths.append(try integer(bytes, what())) }
        let number: UInt32 = try integer(bytes, what())
        let offset: UInt64 = try integer(bytes, what())
        guard let type = GGMLType(rawValue: number) else {
            throw failure(.unreadableType(tensor: name, got: number))
        }
        var elements = 1
        for length in lengths {
            let (product, overflow) = elements.multipliedReportingOverflow(
                by: Int(clamping: length))
            guard length > 0, !overflow else {
                throw failure(.badShape(tensor: name, got: lengths))
            }
            elements = product
        }
        guard !elements.multipliedReportingOverflow(by: type.blockByteCount).overflow else {
            throw failure(.badShape(tensor: name, got: lengths))
        }
        // No length is above the product, so all fit into an Int.
        let shape = lengths.reversed().map { Int($0) }
        guard lengths[0].isMultiple(of: UInt64(type.blockLength)) else {
            throw failure(
                .brokenRows(tensor: name, rowLength: Int(lengths[0]), type: type))
        }
        return (GGUFTensor(name: name, shape: shape, type: type), offset)
    }

    /// Sets `entries` if all tensors lie inside the data, aligned and without overlap.
    private mutating func place(
        _ declarations: [(tensor: GGUFTensor, offset: UInt64)], dataStart: Int, dataByteCount: Int,
        alignment: Int
    ) throws(GGUFError) {
        for (tensor, offset) in declarations {
            guard offset.isMultiple(of: UInt64(alignment)) else {
                throw failure(
                    .unaligned(tensor: tensor.name, offset: offset, alignment: alignment))
            }
            let (end, overflow) = offset.addingReportingOverflow(UInt64(tensor.byteCount))
            guard !overflow, end <= UInt64(dataByteCount) else {
                throw failure(
                    .outsideFile(
                        tensor: tensor.name, end: overflow ? .max : end,
                        dataByteCount: dataByteCount))
            }
            // From here on, offsets are within the file.
            let start = dataStart + Int(offset)
            entries.append(Entry(tensor: tensor, range: start..<start + tensor.byteCount))
        }
        var previousEnd = dataStart
        for entry in entries.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            guard entry.range.lowerBound >= previousEnd else {
                throw failure(
                    .overlap(
                        tensor: entry.tensor.name, offset: entry.range.lowerBound - dataStart,
                        previousEnd: previousEnd - dataStart))
            }
            previousEnd = entry.range.upperBound
        }
    }
}
