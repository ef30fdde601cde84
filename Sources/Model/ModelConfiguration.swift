import FalconJSON
import FalconRecipeSection
import FalconTensor
import FoundationEssentials

/// The model families that recipes can name.
public enum Architecture: String, Codable, CaseIterable, Sendable {
    case falconH1 = "falcon-h1"
    case falconMamba = "falcon-mamba"
}

/// What is asked of the sizes of any architecture.
public protocol ArchitectureConfiguration: RecipeSection, Codable, Equatable {
    /// V, rows of the embedding.
    var vocabSize: Int { get }
    /// D, the width of the residual stream.
    var hiddenSize: Int { get }
    /// Blocks.
    var numHiddenLayers: Int { get }
    /// The longest context, in tokens.
    var maxPositionEmbeddings: Int { get }
    /// Whether the head is the embedding.
    var tieWordEmbeddings: Bool { get }
    /// Standard deviation of fresh matrices.
    var initializerRange: Double { get }
    /// Whether every fixed multiplier is 1.
    var hasUnitMultipliers: Bool { get }
    /// Weights that take part in matrix products, the head included, the embedding look-up not.
    var productParameterCount: Int { get }

    /// Floating-point operations of a training step (forward and backward) per token.
    ///
    /// - Parameter sequenceLength: T, tokens that see each other.
    /// - Returns: FLOPs per token.
    func trainingFLOPsPerToken(sequenceLength: Int) -> Double

    /// The settings that make the model `width` wide, in proportion.
    ///
    /// - Parameter width: the new `hidden_size`.
    /// - Returns: `model.key=value` each; nil if a count would not be whole.
    func settings(scaledToWidth width: Int) -> [String]?
}

/// The `model` part of a recipe: the sizes of one of the architectures, told apart by `architecture`.
public enum ModelConfiguration: RecipeSection, Codable, Equatable {
    case falconH1(FalconH1Configuration)
    case falconMamba(FalconMambaConfiguration)

    private enum CodingKeys: String, CodingKey {
        case architecture
    }

    /// Reads the sizes of the architecture that is named.
    ///
    /// - Parameter decoder: of a map with the key `architecture` and those of that architecture.
    /// - Throws: what the decoder throws.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch try container.decode(Architecture.self, forKey: .architecture) {
        case .falconH1: self = .falconH1(try FalconH1Configuration(from: decoder))
        case .falconMamba: self = .falconMamba(try FalconMambaConfiguration(from: decoder))
        }
    }

    /// Writes the sizes, as the architecture's own type does.
    ///
    /// - Parameter encoder: takes one value.
    /// - Throws: what the encoder throws.
    public func encode(to encoder: any Encoder) throws { try sizes.encode(to: encoder) }

    /// What all architectures have.
    public var sizes: any ArchitectureConfiguration {
        switch self {
        case .falconH1(let sizes): sizes
        case .falconMamba(let sizes): sizes
        }
    }

    /// The sizes of a Falcon-H1; nil for another architecture.
    public var falconH1: FalconH1Configuration? {
        if case .falconH1(let sizes) = self { sizes } else { nil }
    }

    /// The sizes of a Falcon-Mamba; nil for another architecture.
    public var falconMamba: FalconMambaConfiguration? {
        if case .falconMamba(let sizes) = self { sizes } else { nil }
    }

    /// Which architecture it is.
    public var architecture: Architecture {
        switch self {
        case .falconH1: .falconH1
        case .falconMamba: .falconMamba
        }
    }

    /// V, rows of the embedding.
    public var vocabSize: Int { sizes.vocabSize }
    /// D, the width of the residual stream.
    public var hiddenSize: Int { sizes.hiddenSize }
    /// Blocks.
    public var numHiddenLayers: Int { sizes.numHiddenLayers }
    /// The longest context, in tokens.
    public var maxPositionEmbeddings: Int { sizes.maxPositionEmbeddings }

    /// What is impossible about the sizes; empty when all is well.
    public func problems() -> [RecipeProblem] { sizes.problems() }

    /// The model with a single block, few tokens and a head of its own: as much as is in memory when the
    /// weights of a large model are read block by block.
    ///
    /// - Parameter vocabSize: rows of embedding and head.
    /// - Returns: the same model otherwise.
    public func withOneBlock(vocabSize: Int) -> ModelConfiguration {
        switch self {
        case .falconH1(var sizes):
            (sizes.numHiddenLayers, sizes.vocabSize) = (1, vocabSize)
            sizes.tieWordEmbeddings = false
            return .falconH1(sizes)
        case .falconMamba(var sizes):
            (sizes.numHiddenLayers, sizes.vocabSize) = (1, vocabSize)
            sizes.tieWordEmbeddings = false
            return .falconMamba(sizes)
        }
    }

    /// The model of these sizes, not yet in memory.
    ///
    /// - Parameters:
    ///   - multipliers: which matrices are trained with learnable multipliers; nil for none.
    ///   - initialBase: of a Falcon-H1, the shape from whose widths the deviations of fresh matrices are
    ///     scaled; nil leaves them as they are.
    /// - Returns: a declared model.
    public func makeModel(
        multipliers: MultiplierPlacement? = nil, initialBase: FalconH1Widths? = nil
    ) -> any LanguageModel {
        switch self {
        case .falconH1(let sizes):
            FalconH1(sizes, multipliers: multipliers, initialBase: initialBase)
        case .falconMamba(let sizes): FalconMamba(sizes, multipliers: multipliers)
        }
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

    /// Reads what `encoded()` wrote.
    ///
    /// - Parameter bytes: the contents of a checkpoint's `config.json`.
    /// - Throws: a decoding error that names the field.
    public init(decoding bytes: [UInt8]) throws {
        self = try decodedJSON(Self.self, from: bytes)
    }
}
