import FalconJSON
import FalconSystem

/// A file that was written.
public struct WrittenFile: Equatable, Sendable {
    /// The file's name, without its folder.
    public let name: String
    /// The size in bytes.
    public let byteCount: Int
    /// The SHA-256 of the bytes, 64 lower-case hexadecimal digits.
    public let sha256: String

    /// A file that was written.
    ///
    /// - Parameters:
    ///   - name: without its folder.
    ///   - byteCount: the size in bytes.
    ///   - sha256: of the bytes, 64 lower-case hexadecimal digits.
    public init(name: String, byteCount: Int, sha256: String) {
        (self.name, self.byteCount, self.sha256) = (name, byteCount, sha256)
    }
}

/// Writes one safetensors file, tensor by tensor, without holding the whole in memory.
///
/// The bytes depend only on the tensors and the metadata: the header is padded with blanks to a
/// multiple of 8, and tensors are sorted by type (widest first), then by name, as the format's own
/// library does.
public struct SafetensorsWriter: ~Copyable {
    /// The metadata that older versions of Hugging Face transformers insist on.
    public static let hubMetadata = ["format": "pt"]

    /// The tensors in the order in which their values must come.
    public let tensors: [TensorDescription]
    private var file: AtomicFile
    private let name: String
    private var tensorNumber = 0
    private var elementsWritten = 0

    /// Creates the file and writes its header.
    ///
    /// - Parameters:
    ///   - path: the final name; until `finish()` the bytes are in `path.partial`.
    ///   - tensors: names (all different), shapes and types (F32, BF16 or F16), in any order.
    ///   - metadata: free text about the file.
    /// - Throws: `FileError` if the file cannot be created or written.
    public init(
        path: String, tensors: [TensorDescription],
        metadata: [String: String] = SafetensorsWriter.hubMetadata
    ) throws(FileError) {
        let sorted = Self.sorted(tensors)
        let header = Self.header(sorted, metadata: metadata)
        var file = try AtomicFile(path: path)
        try file.write(withUInt64: UInt64(header.count))
        try file.write(elements: header.span)
        self.file = file
        self.tensors = sorted
        name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        skipEmptyTensors()
    }

    /// The tensor whose values come next; nil if none are missing.
    public var next: TensorDescription? {
        tensorNumber < tensors.count ? tensors[tensorNumber] : nil
    }

    /// Appends values of the next tensor.
    ///
    /// - Parameter values: float32, row-major; a whole tensor or a part of it, in order. BF16 and F16
    ///   round to nearest, ties to even.
    /// - Throws: `FileError`, for instance if the disk is full.
    public mutating func append(_ values: Span<Float>) throws(FileError) {
        guard let tensor = next else {
            preconditionFailure("SafetensorsWriter: \(values.count) values after the last tensor")
        }
        precondition(
            values.count <= tensor.elementCount - elementsWritten,
            "SafetensorsWriter: \(elementsWritten) + \(values.count) values for \(tensor.name), "
                + "want \(tensor.elementCount)")
        switch tensor.type {
        case .bfloat16: try append(values) { bfloat16Bits($0) }
        case .float16: try append(values) { Float16($0).bitPattern }
        default: try file.write(elements: values)
        }
        elementsWritten += values.count
        if elementsWritten == tensor.elementCount {
            tensorNumber += 1
            elementsWritten = 0
            skipEmptyTensors()
        }
    }

    /// Converts and writes piece by piece, so that the copy stays in the cache.
    private mutating func append(
        _ values: Span<Float>, _ convert: (Float) -> UInt16
    ) throws(FileError) {
        let pieceLength = 1 << 14
        var piece = [UInt16](repeating: 0, count: min(pieceLength, values.count))
        var start = 0
        while start < values.count {
            let count = min(pieceLength, values.count - start)
            for index in 0..<count { piece[index] = convert(values[start + index]) }
            try file.write(elements: piece.span.extracting(0..<count))
            start += count
        }
    }

    private mutating func skipEmptyTensors() {
        while tensorNumber < tensors.count, tensors[tensorNumber].elementCount == 0 {
            tensorNumber += 1
        }
    }

    /// Makes the file durable and gives it its final name.
    ///
    /// - Returns: name, size and digest of the file.
    /// - Throws: `FileError` if syncing or renaming fails.
    public consuming func finish() throws(FileError) -> WrittenFile {
        precondition(
            next == nil,
            "SafetensorsWriter: \(name) is finished, but values are missing from tensor "
                + "\(tensorNumber) of \(tensors.count) on")
        let byteCount = file.byteCount
        let digest = try file.commit()
        return WrittenFile(name: name, byteCount: byteCount, sha256: digest)
    }

    /// The order of tensors in a file: widest type first, then by the bytes of the name.
    static func sorted(_ tensors: [TensorDescription]) -> [TensorDescription] {
        tensors.sorted { left, right in
            left.type == right.type
                ? left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
                : left.type > right.type
        }
    }

    private static func header(
        _ tensors: [TensorDescription], metadata: [String: String]
    ) -> [UInt8] {
        var header = JSONObject()
        if !metadata.isEmpty {
            var object = JSONObject()
            for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
                object[key] = .string(value)
            }
            header[SafetensorsHeader.metadataKey] = .object(object)
        }
        var offset = 0
        for tensor in tensors {
            precondition(
                tensor.type.isWritable,
                "SafetensorsWriter: \(tensor.name) is \(tensor.type.rawValue), want F32, BF16 or F16"
            )
            precondition(
                header[tensor.name] == nil && tensor.name != SafetensorsHeader.metadataKey,
                "SafetensorsWriter: tensor \(tensor.name) is announced twice")
            let end = offset + tensor.byteCount
            header[tensor.name] = .object([
                "dtype": .string(tensor.type.rawValue),
                "shape": .array(tensor.shape.map { .integer($0) }),
                "data_offsets": .array([.integer(offset), .integer(end)]),
            ])
            offset = end
        }
        var bytes = Array(JSONValue.object(header).serialized().utf8)
        let alignment = SafetensorsHeader.prefixByteCount
        let padding = (alignment - bytes.count % alignment) % alignment
        bytes += [UInt8](repeating: UInt8(ascii: " "), count: padding)
        return bytes
    }
}

extension AtomicFile {
    /// Appends a number, little-endian.
    fileprivate mutating func write(withUInt64 number: UInt64) throws(FileError) {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        try write(elements: bytes.span)
    }

    /// Appends numbers as they are in memory, little-endian.
    ///
    /// - Parameter elements: numbers of a type without padding.
    /// - Throws: `FileError`, for instance if the disk is full.
    mutating func write(elements: Span<some BitwiseCopyable>) throws(FileError) {
        // Safe: the numbers written here (bytes, halves, floats) have no padding.
        try write(unsafe elements.bytes)
    }
}
