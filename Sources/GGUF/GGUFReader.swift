import FalconSystem

/// The metadata and tensors of a GGUF file, versions 2 and 3, little-endian.
///
/// The file is mapped into memory: opening reads only the header, and a tensor takes memory only
/// when it is read. A damaged or hostile file makes opening throw. A split model can be opened by
/// any of its files.
public struct GGUFReader: Sendable {
    /// The file that was opened.
    public let path: String
    /// The metadata, in the order of the file; for a split model, that of its first file.
    public let metadata: GGUFMetadata
    /// The tensors, in the order of the table, file after file.
    public let tensors: [GGUFTensor]
    private let parts: [GGUFPart]
    private let places: [String: Place]

    private struct Place {
        let part: Int
        let entry: GGUFHeader.Entry
    }

    /// Opens a file, with the others of a split model.
    ///
    /// - Parameter path: a GGUF file whose tensors are all of types in `GGMLType`.
    /// - Throws: `FileError` if it cannot be opened; `GGUFError` if it violates the format, holds tensors
    ///   of other types, or is part of a model whose other parts are missing or do not fit.
    public init(path: String) throws {
        self.path = path
        parts = try GGUFPart.all(path: path)
        metadata = parts[0].header.metadata
        tensors = parts.flatMap { $0.header.entries.map(\.tensor) }
        var places: [String: Place] = [:]
        for (number, part) in parts.enumerated() {
            for entry in part.header.entries {
                let name = entry.tensor.name
                guard places[name] == nil else {
                    throw GGUFError(path: part.path, problem: .duplicateTensor(name))
                }
                places[name] = Place(part: number, entry: entry)
            }
        }
        self.places = places
    }

    /// The file that holds a tensor.
    ///
    /// - Parameter name: the tensor's name.
    /// - Returns: its path; that of the file that was opened if there is no such tensor.
    public func filePath(of name: String) -> String {
        places[name].map { parts[$0.part].path } ?? path
    }

    /// The declaration of a tensor.
    ///
    /// - Parameter name: the tensor's name.
    /// - Returns: nil if the file does not hold it.
    public func tensor(named name: String) -> GGUFTensor? {
        places[name]?.entry.tensor
    }

    /// Gives the stored bytes of a tensor to `body`.
    ///
    /// - Parameters:
    ///   - name: the tensor's name.
    ///   - body: reads the blocks, row after row; they must not outlive the call.
    /// - Returns: what `body` returns.
    /// - Throws: `GGUFError` if there is no such tensor; errors of `body`.
    public func withBytes<Result>(
        of name: String, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let place = try place(of: name)
        return try parts[place.part].file.withBytes { bytes in
            try body(bytes.extracting(place.entry.range))
        }
    }

    /// Reads a tensor into memory of the caller.
    ///
    /// - Parameters:
    ///   - name: the tensor's name.
    ///   - destination: the same number of elements as the tensor has; all are set, row-major.
    /// - Throws: `GGUFError` if there is no such tensor.
    public func readFloats(
        _ name: String, into destination: inout MutableSpan<Float>
    ) throws(GGUFError) {
        try readFloats(name, rows: 0..<place(of: name).entry.tensor.rowCount, into: &destination)
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
        let place = try place(of: name)
        let (file, entry) = (parts[place.part].file, place.entry)
        let tensor = entry.tensor
        precondition(
            rows.lowerBound >= 0 && rows.upperBound <= tensor.rowCount,
            "readFloats: rows \(rows), but \(name) has \(tensor.rowCount)")
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
        var values = [Float](repeating: 0, count: try place(of: name).entry.tensor.elementCount)
        var span = values.mutableSpan
        try readFloats(name, into: &span)
        return values
    }

    private func place(of name: String) throws(GGUFError) -> Place {
        guard let place = places[name] else {
            throw GGUFError(path: path, problem: .missingTensor(name))
        }
        return place
    }
}
