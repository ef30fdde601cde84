import FalconGGUF
import FalconModel
import FalconTensor

/// A model graph of llama.cpp: the metadata of its files, and its tensors.
///
/// No graph has fixed multipliers.
protocol GGUFGraph {
    /// The sizes of the models written as this graph.
    associatedtype Sizes: ArchitectureConfiguration
    /// `general.architecture`.
    static var name: String { get }

    /// The metadata that is particular to this graph.
    ///
    /// - Parameter sizes: of a model of this graph.
    /// - Returns: keys, without the graph's name, and values of the types that llama.cpp expects.
    static func metadata(of sizes: Sizes) -> [(key: String, value: GGUFValue)]

    /// The sizes of the model in a file.
    ///
    /// - Parameter fields: of a file of this graph.
    /// - Returns: a configuration without multipliers.
    /// - Throws: `GGUFError` for keys that are missing or of another type; `InterchangeError` for
    ///   models that cannot be represented here.
    static func read(_ fields: GGUFFields) throws -> ModelConfiguration

    /// The tensors of every block.
    ///
    /// - Parameter sizes: of a model of this graph.
    /// - Returns: the tensors; those without a parameter in the model are left out.
    static func blockTensors(of sizes: Sizes) -> [GGUFBlockTensor]

    /// Whether a file has a tensor for the head, even if that is the embedding.
    static func writesHead(_ sizes: Sizes) -> Bool

    /// The change of the values of a parameter.
    ///
    /// - Parameters:
    ///   - place: of the parameter, or of the one it stands in for.
    ///   - rowCount: its rows.
    ///   - sizes: of its model.
    /// - Returns: the change on the way out.
    static func change(
        at place: ParameterPlace, rowCount: Int, of sizes: Sizes
    ) -> ForeignTensor.Change

    /// Whether the input of the projection after the scan has no bound.
    static func hasUnboundedScan(_ sizes: Sizes) -> Bool
}

/// A tensor of every block of a graph.
struct GGUFBlockTensor {
    /// The name after `blk.N.`.
    let name: String
    /// The parameter that it is made from.
    let part: ModelPart
    let kind: ParameterPlace.Kind
    /// The shape in the file; nil for the parameter's.
    let shape: [Int]?

    init(_ name: String, _ part: ModelPart, _ kind: ParameterPlace.Kind, shape: [Int]? = nil) {
        (self.name, self.part, self.kind, self.shape) = (name, part, kind, shape)
    }
}

// The defaults, which fit most graphs.
extension GGUFGraph {
    /// True unless the head is the embedding.
    static func writesHead(_ sizes: Sizes) -> Bool { !sizes.tieWordEmbeddings }

    /// `A_log` becomes A; everything else stays the same.
    static func change(
        at place: ParameterPlace, rowCount: Int, of sizes: Sizes
    ) -> ForeignTensor.Change { place.kind == .decay ? .negativeExponential : .none }

    /// False, because of a norm or small numbers.
    static func hasUnboundedScan(_ sizes: Sizes) -> Bool { false }
}

extension GGUFGraph {
    /// The metadata of a model of this graph: its architecture and sizes.
    ///
    /// - Parameter model: of a model of this graph.
    /// - Returns: keys and values of the types that llama.cpp expects.
    static func metadata(of model: ModelConfiguration) -> [(key: String, value: GGUFValue)] {
        let fields: [(key: String, value: GGUFValue)] =
            [
                ("context_length", .count(model.maxPositionEmbeddings)),
                ("embedding_length", .count(model.hiddenSize)),
                ("block_count", .count(model.numHiddenLayers)),
                ("vocab_size", .count(model.vocabSize)),
            ] + metadata(of: model.sizes(as: Sizes.self))
        return [("general.architecture", .string(name))]
            + fields.map { (name + "." + $0.key, $0.value) }
    }

    /// The tensors of a file: embedding, last norm and head, then block after block.
    ///
    /// - Parameter model: of a model of this graph.
    /// - Returns: each with the parameter that it is made from.
    static func tensors(of model: ModelConfiguration) -> [ForeignTensor] {
        let sizes = model.sizes(as: Sizes.self)
        let own = Dictionary(uniqueKeysWithValues: model.parameters)
        let (embedding, head) = (
            ParameterPlace(.embedding, .matrix), ParameterPlace(.head, .matrix)
        )
        func tensor(
            _ name: String, _ place: ParameterPlace, shape: [Int]? = nil
        ) -> ForeignTensor? {
            // The head of a tied model is made from its embedding.
            guard let parameter = own[place] ?? (place == head ? own[embedding] : nil) else {
                return nil
            }
            return ForeignTensor(
                name, shape: shape, from: parameter,
                change(at: place, rowCount: parameter.shape[0], of: sizes))
        }
        let outer = [
            tensor("token_embd.weight", embedding),
            tensor("output_norm.weight", ParameterPlace(.finalNorm, .gain)),
            writesHead(sizes) ? tensor("output.weight", head) : nil,
        ]
        let names = blockTensors(of: sizes)
        let blocks = (0..<sizes.numHiddenLayers).flatMap { index in
            names.map {
                tensor(
                    "blk.\(index).\($0.name)", ParameterPlace(block: index, $0.part, $0.kind),
                    shape: $0.shape)
            }
        }
        return (outer + blocks).compactMap { $0 }
    }

    /// Whether the input of the projection after the scan has no bound; the model is of this graph.
    static func hasUnboundedScan(_ model: ModelConfiguration) -> Bool {
        hasUnboundedScan(model.sizes(as: Sizes.self))
    }
}

extension GGUFValue {
    /// A count in the type that llama.cpp expects.
    static func count(_ number: Int) -> GGUFValue { .uint32(UInt32(clamping: number)) }
}
