import FalconCheckpoint
import FalconModel
import FalconTensor

/// The parameters of a model in some file, under this program's names.
///
/// Values are read in pieces, so that never more than a piece of a parameter is in memory.
public protocol WeightSource: Sendable {
    /// Reads a part of a parameter as float32.
    ///
    /// - Parameters:
    ///   - name: the parameter's name.
    ///   - elements: places in the parameter, row-major.
    ///   - destination: the same number of elements; all are set.
    /// - Throws: `CheckpointError` or `GGUFError` if the file cannot give them.
    func readFloats(
        _ name: String, elements: Range<Int>, into destination: inout MutableSpan<Float>) throws

    /// The type that a parameter has in the file.
    ///
    /// - Parameter name: the parameter's name.
    /// - Returns: such as "BF16" or "Q4_K".
    func typeName(of name: String) -> String

    /// The file that holds a parameter.
    ///
    /// - Parameter name: the parameter's name.
    /// - Returns: its path.
    func filePath(of name: String) -> String
}

extension WeightSource {
    /// Reads a whole parameter in pieces.
    ///
    /// - Parameters:
    ///   - name: the parameter's name.
    ///   - count: its elements.
    ///   - take: takes piece after piece, in order.
    /// - Throws: errors of reading or of `take`.
    public func readPieces(
        of name: String, count: Int, _ take: (Span<Float>) throws -> Void
    ) throws {
        for start in stride(from: 0, to: count, by: weightPieceLength) {
            let end = min(count, start + weightPieceLength)
            var piece = [Float](repeating: 0, count: end - start)
            var span = piece.mutableSpan
            try readFloats(name, elements: start..<end, into: &span)
            try take(piece.span)
        }
    }
}

/// Elements of a parameter that are in memory at a time when files are written: 4 MiB.
let weightPieceLength = 1 << 20

/// The weights of safetensors files.
struct SafetensorsWeights: WeightSource {
    let reader: SafetensorsReader
    /// The names in the file that differ from this program's.
    var names: [String: String] = [:]

    func readFloats(
        _ name: String, elements: Range<Int>, into destination: inout MutableSpan<Float>
    ) throws {
        try reader.readFloats(names[name] ?? name, elements: elements, into: &destination)
    }

    func typeName(of name: String) -> String {
        reader.tensor(named: names[name] ?? name)?.type.rawValue ?? "none"
    }

    func filePath(of name: String) -> String { reader.filePath(of: names[name] ?? name) }
}

/// Weights whose reading fails if they are infinite or NaN.
struct FiniteWeights: WeightSource {
    let source: any WeightSource

    func readFloats(
        _ name: String, elements: Range<Int>, into destination: inout MutableSpan<Float>
    ) throws {
        try source.readFloats(name, elements: elements, into: &destination)
        if let place = firstNotFinite(in: destination.span) {
            throw InterchangeError.notFinite(
                path: filePath(of: name), tensor: name, element: elements.lowerBound + place,
                value: destination[place])
        }
    }

    func typeName(of name: String) -> String { source.typeName(of: name) }

    func filePath(of name: String) -> String { source.filePath(of: name) }
}

extension ModelConfiguration {
    /// The parameters of the model, each with its place, in the order of the model.
    var parameters: [(place: ParameterPlace, parameter: Parameter)] {
        makeModel().table.parameters.compactMap { parameter in
            parameter.place.map { ($0, parameter) }
        }
    }

    /// The parameters of the model as tensors of a file.
    ///
    /// - Parameter type: the type in the file.
    /// - Returns: in the order of the model.
    func tensors(type: ElementType = .float32) -> [TensorDescription] {
        makeModel().table.parameters.map {
            TensorDescription(name: $0.name, shape: $0.shape, type: type)
        }
    }
}
