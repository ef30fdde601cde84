import FalconCheckpoint
import FalconJSON
import FalconModel
import FalconTensor
import FoundationEssentials

/// The differences between two models.
public struct ModelDifference: Encodable, Sendable {
    /// The difference in one parameter.
    public struct Parameter: Encodable, Sendable {
        /// The parameter's name.
        public let name: String
        /// The largest |difference|; infinite if one of the two is NaN.
        public let largest: Double
        /// The root of the sum of squared differences, divided by that of the first's squares.
        public let relative: Double
        /// The numbers of infinite or NaN weights in the first model and in the second.
        public let notFinite: [Int]

        /// The key of each field in JSON.
        public enum CodingKeys: String, CodingKey {
            case name, largest, relative
            case notFinite = "not_finite"
        }
    }

    /// Fields of the configurations that differ, as `key: first, second`.
    public let configuration: [String]
    /// Parameters that only one of the two has, or that have different shapes.
    public let unmatched: [String]
    /// Parameters whose values differ, in the order of the first model.
    public let parameters: [Parameter]

    /// Whether the two are the same, bit for bit except for the signs of zeros.
    public var isEmpty: Bool { configuration.isEmpty && unmatched.isEmpty && parameters.isEmpty }
    /// The largest |difference| of a weight.
    public var largest: Double { parameters.reduce(0) { max($0, $1.largest) } }

    /// Whether the two are the same model except for rounding.
    ///
    /// - Parameter tolerance: the largest |difference| of a weight, at least 0.
    /// - Returns: whether configurations and names are the same, and no weights are further apart.
    public func isWithin(_ tolerance: Double) -> Bool {
        configuration.isEmpty && unmatched.isEmpty && largest <= tolerance
    }

    /// Compares two models, a piece of a parameter at a time.
    ///
    /// - Parameters:
    ///   - first: a model.
    ///   - second: another.
    /// - Throws: `InterchangeError.model` if no parameter of the one is in the other; errors of
    ///   reading the weights.
    public init(_ first: ModelFiles, _ second: ModelFiles) throws {
        configuration = try Self.fields(first.configuration, second.configuration)
        let shapes = Dictionary(
            uniqueKeysWithValues: second.configuration.tensors().map { ($0.name, $0.shape) })
        let own = first.configuration.tensors()
        let shared = own.filter { shapes[$0.name] == $0.shape }
        guard shared.contains(where: { $0.elementCount > 0 }) else {
            throw InterchangeError.model(
                reason:
                    "\(first.path) and \(second.path) share no parameter name and shape: "
                    + "there is nothing to compare",
                advice: "name two models of one architecture and size")
        }
        let names = Set(shared.map(\.name))
        unmatched =
            own.filter { !names.contains($0.name) }.map(\.name)
            + second.configuration.tensors().map(\.name).filter { name in
                !names.contains(name) && !own.contains { $0.name == name }
            }
        parameters = try shared.compactMap { tensor in
            var (largest, squares, total, start) = (0.0, 0.0, 0.0, 0)
            var notFinite = [0, 0]
            try first.storedWeights.readPieces(of: tensor.name, count: tensor.elementCount) {
                values in
                var others = [Float](repeating: 0, count: values.count)
                var span = others.mutableSpan
                try second.storedWeights.readFloats(
                    tensor.name, elements: start..<start + values.count, into: &span)
                for index in values.indices
                where values[index] != others[index]
                    && values[index].bitPattern != others[index].bitPattern
                {
                    let difference = abs(Double(values[index]) - Double(others[index]))
                    largest = difference.isNaN ? .infinity : max(largest, difference)
                    squares += difference * difference
                }
                for index in values.indices {
                    if !values[index].isFinite { notFinite[0] += 1 }
                    if !others[index].isFinite { notFinite[1] += 1 }
                    total += Double(values[index]) * Double(values[index])
                }
                start += values.count
            }
            guard largest > 0 else { return nil }
            return Parameter(
                name: tensor.name, largest: largest, relative: (squares / total).squareRoot(),
                notFinite: notFinite)
        }
    }

    private static func fields(
        _ first: ModelConfiguration, _ second: ModelConfiguration
    ) throws -> [String] {
        let (a, b) = (try first.fields(), try second.fields())
        return Set(a.keys).union(b.keys).sorted().compactMap { key in
            a[key] == b[key] ? nil : "\(key): \(a[key] ?? "none"), \(b[key] ?? "none")"
        }
    }
}

extension ModelConfiguration {
    /// Keys that affect training or speed, but not the computed function.
    private static let otherKeys: Set = [
        "initialization", "initializer_range", "mamba_chunk_size", "max_position_embeddings",
    ]

    /// The fields by key, each as JSON.
    ///
    /// - Returns: one entry per key of the architecture.
    /// - Throws: an encoding error if a number is not finite.
    public func fields() throws -> [String: String] {
        let object = try JSONValue(parsing: encoded()).object ?? [:]
        return Dictionary(
            uniqueKeysWithValues: object.members.map { ($0.key, $0.value.serialized()) })
    }

    /// The differences from another model that change the computed function.
    ///
    /// - Parameter wanted: the other model.
    /// - Returns: a line for each key that differs; empty if weights of the one fit the other.
    /// - Throws: an encoding error if a number is not finite.
    public func functionalDifferences(from wanted: ModelConfiguration) throws -> [String] {
        let (got, want) = (try fields(), try wanted.fields())
        return Set(got.keys).union(want.keys).subtracting(Self.otherKeys).sorted().compactMap {
            got[$0] == want[$0]
                ? nil : "\($0): got \(got[$0] ?? "none"), the recipe has \(want[$0] ?? "none")"
        }
    }
}
