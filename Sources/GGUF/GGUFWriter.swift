import FalconConcurrency
import FalconSystem

/// The difference between the stored values of a tensor and the given ones.
public struct GGUFQuantizationError: Equatable, Sendable {
    /// The tensor's name.
    public let tensor: String
    /// The type of its elements in the file.
    public let type: GGMLType
    /// The root of the mean squared difference, divided by that of the mean squared value; 0 if all
    /// values are 0.
    public let relativeRootMeanSquare: Double
    /// The largest magnitude of a difference.
    public let maximum: Double
}

/// A file that was written.
public struct GGUFWrittenFile: Equatable, Sendable {
    /// The file's name, without its folder.
    public let name: String
    /// The size in bytes.
    public let byteCount: Int
    /// The SHA-256 of the bytes, 64 lower-case hexadecimal digits.
    public let sha256: String
    /// The error of every tensor, in the order of the file.
    public let errors: [GGUFQuantizationError]
}

/// Writes a GGUF file, version 3, with only some pieces of a tensor in memory.
///
/// The bytes depend only on the metadata, the tensors and their values.
public struct GGUFWriter: Sendable {
    /// The metadata, in the order of the file.
    public let metadata: GGUFMetadata
    /// The tensors, in the order of the file.
    public let tensors: [GGUFTensor]
    private let header: [UInt8]

    /// Plans a file.
    ///
    /// - Parameters:
    ///   - metadata: everything except `general.alignment`, which stays at its default of 32 bytes;
    ///     a file with quantised tensors must have `general.quantization_version` = 2.
    ///   - tensors: with different names, at least one element each, and rows of whole blocks.
    public init(metadata: GGUFMetadata, tensors: [GGUFTensor]) {
        precondition(
            metadata[GGUFMetadata.alignmentKey] == nil,
            "GGUFWriter: metadata sets \(GGUFMetadata.alignmentKey)")
        var names = Set<String>()
        for tensor in tensors { Self.check(tensor, &names) }
        self.metadata = metadata
        self.tensors = tensors
        header = GGUFHeader.bytes(metadata: metadata, tensors: tensors)
    }

    /// The size of the file in bytes.
    public var byteCount: Int {
        tensors.reduce(header.count) { sum, tensor in
            sum + tensor.byteCount + GGUFHeader.paddingByteCount(after: tensor.byteCount)
        }
    }

    /// Writes the file.
    ///
    /// Until it is whole, the bytes are in `path.partial`, which is removed on failure.
    ///
    /// - Parameters:
    ///   - path: the final name; its folder must exist.
    ///   - threads: the number of threads that store values, at least 1; memory grows with them.
    ///   - values: sets the values of some rows of the tensor with a number, row-major; called on
    ///     the calling thread, tensor after tensor and row after row. Rows of a matrix run along
    ///     its last length; a piece has at most 2^18 values or one row.
    ///   - check: takes the written file before it gets its name; an error leaves nothing behind.
    /// - Returns: name, size and digest of the file, and the error of every tensor.
    /// - Throws: `GGUFError` if a value cannot be stored; `FileError`, for instance if the disk is
    ///   full; errors of `values` or `check`.
    public func write(
        to path: String, threads: Int,
        values: (_ tensor: Int, _ rows: Range<Int>, inout MutableSpan<Float>) throws -> Void,
        check: (_ partialPath: String) throws -> Void = { _ in }
    ) throws -> GGUFWrittenFile {
        precondition(threads >= 1, "GGUFWriter: \(threads) threads, want at least 1")
        var file = try AtomicFile(path: path, replacing: false)
        try file.write(header)
        let slots = (0..<threads).map { _ in GGUFPieceSlot() }
        var errors: [GGUFQuantizationError] = []
        for (number, tensor) in tensors.enumerated() {
            // Storing floats takes less time than starting a thread.
            let used = slots.prefix(tensor.type.isQuantized ? threads : 1)
            var sums = ErrorSums()
            var row = 0
            while row < tensor.rowCount {
                var filled: [GGUFPieceSlot] = []
                for slot in used where row < tensor.rowCount {
                    let rows = row..<min(tensor.rowCount, row + GGUFPiece.rowCount(of: tensor))
                    try slot.piece.fill(tensor, rows: rows) { try values(number, rows, &$0) }
                    filled.append(slot)
                    row = rows.upperBound
                }
                Self.convert(filled)
                for slot in filled {
                    if let problem = slot.piece.problem {
                        throw GGUFError(path: path, problem: problem)
                    }
                    sums.add(slot.piece.sums)
                    try file.write(slot.piece.bytes)
                }
            }
            let padding = GGUFHeader.paddingByteCount(after: tensor.byteCount)
            try file.write([UInt8](repeating: 0, count: padding))
            errors.append(Self.error(of: tensor, sums))
        }
        if let partialPath = file.partialPath { try check(partialPath) }
        let byteCount = file.byteCount
        let digest = try file.commit()
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        return GGUFWrittenFile(name: name, byteCount: byteCount, sha256: digest, errors: errors)
    }

    /// Converts all pieces, one per thread.
    private static func convert(_ slots: [GGUFPieceSlot]) {
        var workers: [WorkerThread] = []
        defer { for worker in workers { worker.join() } }
        for slot in slots.dropFirst() {
            if let worker = try? WorkerThread({ slot.piece.convert() }) {
                workers.append(worker)
            } else {
                slot.piece.convert()
            }
        }
        slots.first?.piece.convert()
    }

    private static func error(of tensor: GGUFTensor, _ sums: ErrorSums) -> GGUFQuantizationError {
        let ratio = sums.squaredError == 0 ? 0 : sums.squaredError / sums.squaredValue
        return GGUFQuantizationError(
            tensor: tensor.name, type: tensor.type, relativeRootMeanSquare: ratio.squareRoot(),
            maximum: sums.largestError)
    }

    private static func check(_ tensor: GGUFTensor, _ names: inout Set<String>) {
        let name = tensor.name
        precondition(
            (1...GGUFTensor.nameByteLimit).contains(name.utf8.count),
            "GGUFWriter: the name \(name) has \(name.utf8.count) bytes, want 1 to "
                + "\(GGUFTensor.nameByteLimit)")
        precondition(names.insert(name).inserted, "GGUFWriter: tensor \(name) occurs twice")
        precondition(
            (1...GGUFTensor.dimensionLimit).contains(tensor.shape.count)
                && tensor.shape.allSatisfy { $0 >= 1 },
            "GGUFWriter: \(name) has shape \(tensor.shape), want 1 to 4 lengths of at least 1")
        precondition(
            tensor.rowLength.isMultiple(of: tensor.type.blockLength),
            "GGUFWriter: \(name) has rows of \(tensor.rowLength), want a multiple of "
                + "\(tensor.type.blockLength) for \(tensor.type.name)")
    }
}
