import FalconJSON
import FalconSystem

/// The table of contents of one safetensors file, checked against every rule of the format.
///
/// Layout: header size as UInt64 (little-endian), header as JSON, data. Sorted by their offsets, the
/// tensors cover the data exactly: no hole, no overlap, nothing after the last.
struct SafetensorsHeader: Equatable {
    /// The largest header that the format allows, in bytes.
    static let byteLimit = 100_000_000
    /// The size of the number before the header, in bytes.
    static let prefixByteCount = 8
    /// The header's key that is not a tensor.
    static let metadataKey = "__metadata__"

    /// A tensor and its place in the file.
    struct Entry: Equatable {
        var tensor: TensorDescription
        /// The tensor's bytes, counted from the start of the file.
        var range: Range<Int>
    }

    /// Free text about the file.
    private(set) var metadata: [String: String] = [:]
    /// The tensors in the order of their bytes.
    private(set) var entries: [Entry] = []

    /// Reads and checks the header of a mapped file.
    ///
    /// - Parameters:
    ///   - bytes: the whole file; nothing is allocated in proportion to sizes that it only claims.
    ///   - path: its name, for messages.
    /// - Throws: `CheckpointError` with every problem.
    init(bytes: RawSpan, path: String) throws(CheckpointError) {
        func failure(_ problems: CheckpointProblem...) -> CheckpointError {
            CheckpointError(path: path, problems: problems)
        }
        guard bytes.byteCount >= Self.prefixByteCount + 2 else {
            throw failure(.fileTooShort(byteCount: bytes.byteCount))
        }
        // Safe: the file is longer than the eight bytes read; any bytes are a UInt64.
        let claimed = unsafe bytes.unsafeLoadUnaligned(as: UInt64.self).littleEndian
        guard claimed <= UInt64(Self.byteLimit) else {
            throw failure(.headerTooLong(byteCount: claimed, limit: Self.byteLimit))
        }
        let headerEnd = Self.prefixByteCount + Int(claimed)
        guard headerEnd <= bytes.byteCount else {
            throw failure(.headerOutsideFile(headerBytes: claimed, fileBytes: bytes.byteCount))
        }
        let text = unsafe bytes.extracting(Self.prefixByteCount..<headerEnd).withUnsafeBytes {
            buffer in
            unsafe [UInt8](buffer)
        }
        guard text.first == UInt8(ascii: "{") else {
            throw failure(.headerNotJSON("not a JSON object: it does not begin with '{'"))
        }
        let header: JSONValue
        do {
            header = try JSONValue(parsing: text)
        } catch {
            throw failure(.headerNotJSON(error.description))
        }
        var problems: [CheckpointProblem] = []
        let bufferBytes = bytes.byteCount - headerEnd
        for (key, value) in header.object?.members ?? [] {
            if key == Self.metadataKey {
                problems += readMetadata(value)
            } else {
                problems += readEntry(key, value, dataStart: headerEnd, bufferBytes: bufferBytes)
            }
        }
        if problems.isEmpty { problems = sortAndCheckCover(headerEnd..<bytes.byteCount) }
        guard problems.isEmpty else { throw CheckpointError(path: path, problems: problems) }
    }

    private mutating func readMetadata(_ value: JSONValue) -> [CheckpointProblem] {
        guard let object = value.object else {
            return [.metadataNotText(key: Self.metadataKey)]
        }
        var problems: [CheckpointProblem] = []
        for (key, value) in object.members {
            if let text = value.string {
                metadata[key] = text
            } else {
                problems.append(.metadataNotText(key: key))
            }
        }
        return problems
    }

    private mutating func readEntry(
        _ name: String, _ value: JSONValue, dataStart: Int, bufferBytes: Int
    ) -> [CheckpointProblem] {
        func malformed(_ reason: String) -> [CheckpointProblem] {
            [.malformedEntry(tensor: name, reason: reason)]
        }
        guard let object = value.object else {
            return malformed("its entry is \(value.kindName), not an object")
        }
        guard let typeName = object["dtype"]?.string else { return malformed("it has no dtype") }
        guard let type = ElementType(rawValue: typeName) else {
            return [.unknownType(tensor: name, type: typeName)]
        }
        guard let shape = object["shape"]?.array?.map(Self.wholeNumber) as? [Int],
            shape.allSatisfy({ $0 >= 0 })
        else { return malformed("its shape is not a list of whole numbers >= 0") }
        guard let offsets = object["data_offsets"]?.array?.map(Self.wholeNumber) as? [Int],
            offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1]
        else { return malformed("its data_offsets are not [begin, end] with 0 <= begin <= end") }
        guard let wanted = Self.byteCount(shape: shape, type: type) else {
            return malformed("its shape \(shape) is larger than any file")
        }
        guard offsets[1] <= bufferBytes else {
            return [.outsideBuffer(tensor: name, end: offsets[1], bufferBytes: bufferBytes)]
        }
        guard offsets[1] - offsets[0] == wanted else {
            return [.sizeMismatch(tensor: name, got: offsets[1] - offsets[0], want: wanted)]
        }
        entries.append(
            Entry(
                tensor: TensorDescription(name: name, shape: shape, type: type),
                range: dataStart + offsets[0]..<dataStart + offsets[1]))
        return []
    }

    /// Accepts only a number without point or exponent, as the format's own readers do.
    private static func wholeNumber(_ value: JSONValue) -> Int? {
        if case .integer(let number) = value { number } else { nil }
    }

    /// The size of a tensor; nil if it overflows or does not fill whole bytes.
    private static func byteCount(shape: [Int], type: ElementType) -> Int? {
        var bits = type.bitCount
        for length in shape {
            let (product, overflow) = bits.multipliedReportingOverflow(by: length)
            if overflow { return nil }
            bits = product
        }
        return bits.isMultiple(of: 8) ? bits / 8 : nil
    }

    private mutating func sortAndCheckCover(_ data: Range<Int>) -> [CheckpointProblem] {
        entries.sort {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        var problems: [CheckpointProblem] = []
        var end = data.lowerBound
        for entry in entries {
            let begin = entry.range.lowerBound
            if begin > end {
                problems.append(
                    .hole(
                        tensor: entry.tensor.name, begin: begin - data.lowerBound,
                        want: end - data.lowerBound))
            } else if begin < end {
                problems.append(
                    .overlap(
                        tensor: entry.tensor.name, begin: begin - data.lowerBound,
                        previousEnd: end - data.lowerBound))
            }
            end = max(end, entry.range.upperBound)
        }
        if end != data.upperBound {
            problems.append(
                .bytesAfterLastTensor(got: data.count, want: end - data.lowerBound))
        }
        return problems
    }
}
