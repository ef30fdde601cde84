import FalconSystem

/// The metadata and tensors of a GGUF file, versions 2 and 3, little-endian.
///
/// The file is mapped into memory: opening reads the header only, and a tensor costs memory when it is
/// read. A damaged or hostile file makes opening throw.
public struct GGUFReader: Sendable {
    /// The file that was opened.
    public let path: String
    /// The metadata, in the order of the file.
    public let metadata: GGUFMetadata
    /// The tensors, in the order of the file's table.
    public let tensors: [GGUFTensor]
    private let file: MappedFile
    private let entries: [String: GGUFHeader.Entry]

    /// Opens a file.
    ///
    /// - Parameter path: a GGUF file whose tensors are all of types in `GGMLType`.
    /// - Throws: `FileError` if it cannot be opened; `GGUFError` if it violates the format or holds
    ///   tensors of other types.
    public init(path: String) throws {
        self.path = path
        file = try MappedFile(path: path)
        let header = try file.withBytes { bytes throws(GGUFError) in
            try GGUFHeader(bytes: bytes, path: path)
        }
        metadata = header.metadata
        tensors = header.entries.map(\.tensor)
        var entries: [String: GGUFHeader.Entry] = [:]
        for entry in header.entries { entries[entry.tensor.name] = entry }
        self.entries = entries
    }

    /// The declaration of a tensor.
    ///
    /// - Parameter name: the tensor's name.
    /// - Returns: nil if the file does not hold it.
    public func tensor(named name: String) -> GGUFTensor? {
        entries[name]?.tensor
    }

    /// Gives the stored bytes of a tensor to `body`.
    ///
    /// - Parameters:
    ///   - name: the tensor's name.
    ///   - body: reads the blocks, row after row; they must not outlive the call.
    /// - Returns: what `body` returns.
    /// - Throws: `GGUFError` if there is no such tensor; what `body` throws.
    public func withBytes<Result>(
        of name: String, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let range = try entry(of: name).range
        return try file.withBytes { bytes in try body(bytes.extracting(range)) }
    }

    /// Reads a tensor into memory of the caller.
    ///
    /// - Parameters:
    ///   - name: the tensor's name.
    ///   - destination: as many elements as the tensor has; all are set, row-major.
    /// - Throws: `GGUFError` if there is no such tensor.
    public func readFloats(
        _ name: String, into destination: inout MutableSpan<Float>
    ) throws(GGUFError) {
        try readFloats(name, rows: 0..<entry(of: name).tensor.rowCount, into: &destination)
    }

    /// Reads some rows of a tensor into memory of the caller.
    ///
    /// - Parameters:
    ///   - name: the tensor's name.
    ///   - rows: within 0 and the tensor's `rowCount`.
    ///   - destination: `rows.count * rowLength` elements; all are set, row-major.
    /// - Throws: `GGUFError` if there is no such tensor.
    public func readFloats(
        _ name: String, rows: Range<Int>, into destination: inout MutableSpan<Float>
    ) throws(GGUFError) {
        let entry = try entry(of: name)
        let tensor = entry.tensor
        precondition(
            rows.lowerBound >= 0 && rows.upperBound <= tensor.rowCount,
            "readFloats: rows \(rows), \(name) has \(tensor.rowCount)")
        precondition(
            destination.count == rows.count * tensor.rowLength,
            "readFloats: room for \(destination.count), "
                + "want \(rows.count) rows of \(tensor.rowLength) for \(name)")
        let rowByteCount = tensor.type.byteCount(elements: tensor.rowLength)
        let start = entry.range.lowerBound + rows.lowerBound * rowByteCount
        let range = start..<start + rows.count * rowByteCount
        file.withBytes { bytes in
            tensor.type.dequantize(bytes.extracting(range), into: &destination)
        }
        file.forget(range)
    }

    /// A tensor.
    ///
    /// - Parameter name: the tensor's name.
    /// - Returns: its elements as float32, row-major.
    /// - Throws: `GGUFError` if there is no such tensor.
    public func floats(_ name: String) throws(GGUFError) -> [Float] {
        var values = [Float](repeating: 0, count: try entry(of: name).tensor.elementCount)
        var span = values.mutableSpan
        try readFloats(name, into: &span)
        return values
    }

    private func entry(of name: String) throws(GGUFError) -> GGUFHeader.Entry {
        guard let entry = entries[name] else {
            throw GGUFError(path: path, problem: .missingTensor(name))
        }
        return entry
    }
}
