import FalconJSON
import FalconRecipeSection
import FalconTensor
import FoundationEssentials

/// The `model` part of a recipe: the sizes of one of the architectures, told apart by `architecture`.
public struct ModelConfiguration: RecipeSection, Codable, Equatable {
    /// The sizes.
    public let sizes: any ArchitectureConfiguration

    private enum CodingKeys: String, CodingKey {
        case architecture
    }

    /// The model of some sizes.
    ///
    /// - Parameter sizes: of any architecture.
    public init(_ sizes: any ArchitectureConfiguration) { self.sizes = sizes }

    /// Reads the sizes of the named architecture.
    ///
    /// - Parameter decoder: of a map with the key `architecture` and those of that architecture.
    /// - Throws: errors of the decoder.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let architecture = try container.decode(Architecture.self, forKey: .architecture)
        sizes = try architecture.configurationType.init(from: decoder)
    }

    /// Writes the sizes, as the architecture's own type does.
    ///
    /// - Parameter encoder: takes one value.
    /// - Throws: errors of the encoder.
    public func encode(to encoder: any Encoder) throws { try sizes.encode(to: encoder) }

    /// Whether two are of one architecture and one size.
    public static func == (left: ModelConfiguration, right: ModelConfiguration) -> Bool {
        func equals<Sizes: ArchitectureConfiguration>(_ sizes: Sizes) -> Bool {
            right.sizes as? Sizes == sizes
        }
        return equals(left.sizes)
    }

    /// The sizes of a Falcon-H1; nil for another architecture.
    public var falconH1: FalconH1Configuration? { sizes as? FalconH1Configuration }

    /// The architecture.
    public var architecture: Architecture { sizes.architecture }

    /// V, rows of the embedding.
    public var vocabSize: Int { sizes.vocabSize }
    /// D, the width of the residual stream.
    public var hiddenSize: Int { sizes.hiddenSize }
    /// Blocks.
    public var numHiddenLayers: Int { sizes.numHiddenLayers }
    /// The longest context, in tokens.
    public var maxPositionEmbeddings: Int { sizes.maxPositionEmbeddings }

    /// The problems with the sizes; empty if there are none.
    public func problems() -> [RecipeProblem] { sizes.problems() }

    /// The model with a single block, few tokens and a head of its own: the part in memory when a
    /// large model is read block by block.
    ///
    /// - Parameter vocabSize: rows of embedding and head.
    /// - Returns: the same model otherwise.
    public func withOneBlock(vocabSize: Int) -> ModelConfiguration {
        var sizes = sizes
        (sizes.numHiddenLayers, sizes.vocabSize) = (1, vocabSize)
        sizes.tieWordEmbeddings = false
        return ModelConfiguration(sizes)
    }

    /// The model of these sizes, not yet in memory.
    ///
    /// - Parameters:
    ///   - multipliers: the learnable multipliers of matrices; nil for none.
    ///   - widthLawBase: the base of the width laws for the deviations of initial matrices; nil
    ///     leaves them as they are.
    /// - Returns: a declared model.
    public func makeModel(
        multipliers: MultiplierPlacement? = nil, widthLawBase: ParametrizationBase? = nil
    ) -> any LanguageModel {
        sizes.makeModel(multipliers: multipliers, widthLawBase: widthLawBase)
    }
}

extension ModelConfiguration {
    /// The `config.json` of a checkpoint: every field under its Hugging Face name, keys sorted.
    ///
    /// - Returns: JSON, the same bytes for equal configurations.
    /// - Throws: never for a configuration without problems.
    public func encoded() throws -> [UInt8] {
        Array((try jsonText(self, isPretty: true) + "\n").utf8)
    }

    /// Reads the output of `encoded()`.
    ///
    /// - Parameter bytes: the contents of a checkpoint's `config.json`.
    /// - Throws: a decoding error that names the field.
    public init(decoding bytes: [UInt8]) throws {
        self = try decodedJSON(Self.self, from: bytes)
    }
}
