import FalconRecipeSection
import FalconSystem
import FalconTensor

/// The sizes and fixed multipliers of a Falcon-H1 model, under Hugging Face's names.
///
/// - SeeAlso: arXiv 2507.22448; the `config.json` of `FalconH1ForCausalLM`.
@dynamicMemberLookup
public struct FalconH1Configuration: ArchitectureConfiguration {
    /// `falcon-h1`.
    public static let recipeName = "falcon-h1"
    /// The token of padding; its embedding gets no gradient from the input side, as in
    /// transformers.
    public static let padTokenID: Int32 = 0

    /// The sizes; their members are members of the configuration.
    public var sizes: FalconH1Sizes
    /// The fixed multipliers.
    public var multipliers: FalconH1Multipliers

    /// Reads sizes and multipliers from one map.
    ///
    /// - Parameter decoder: of a map with the keys of both.
    /// - Throws: errors of the decoder.
    public init(from decoder: any Decoder) throws {
        sizes = try FalconH1Sizes(from: decoder)
        multipliers = try FalconH1Multipliers(from: decoder)
    }

    /// Writes sizes and multipliers into one map.
    ///
    /// - Parameter encoder: takes a map.
    /// - Throws: errors of the encoder.
    public func encode(to encoder: any Encoder) throws {
        try sizes.encode(to: encoder)
        try multipliers.encode(to: encoder)
    }

    /// A size.
    public subscript<Value>(dynamicMember path: KeyPath<FalconH1Sizes, Value>) -> Value {
        sizes[keyPath: path]
    }

    /// A size that can be set.
    public subscript<Value>(dynamicMember path: WritableKeyPath<FalconH1Sizes, Value>) -> Value {
        get { sizes[keyPath: path] }
        set { sizes[keyPath: path] = newValue }
    }

    /// `falcon-h1`.
    public var architecture: Architecture { sizes.architecture }
    /// V, rows of the embedding.
    public var vocabSize: Int {
        get { sizes.vocabSize }
        set { sizes.vocabSize = newValue }
    }
    /// D, the width of the residual stream.
    public var hiddenSize: Int { sizes.hiddenSize }
    /// Blocks.
    public var numHiddenLayers: Int {
        get { sizes.numHiddenLayers }
        set { sizes.numHiddenLayers = newValue }
    }
    /// The longest context, in tokens; written into exports.
    public var maxPositionEmbeddings: Int { sizes.maxPositionEmbeddings }
    /// Whether the head is the embedding.
    public var tieWordEmbeddings: Bool {
        get { sizes.tieWordEmbeddings }
        set { sizes.tieWordEmbeddings = newValue }
    }
    /// Standard deviation of initial matrices.
    public var initializerRange: Double { sizes.initializerRange }

    /// Weights that take part in matrix products, including the head but not the embedding look-up.
    public var productParameterCount: Int { sizes.productParameterCount }

    /// Floating-point operations of a training step (forward and backward) per token.
    ///
    /// - Parameter sequenceLength: T, tokens that see each other.
    /// - Returns: FLOPs per token.
    public func trainingFLOPsPerToken(sequenceLength: Int) -> Double {
        sizes.trainingFLOPsPerToken(sequenceLength: sequenceLength)
    }

    /// The settings that make the model `width` wide.
    ///
    /// - Parameter width: the new `hidden_size`.
    /// - Returns: `model.key=value` each; nil if a count would not be whole.
    public func settings(scaledToWidth width: Int) -> [String]? {
        sizes.settings(scaledToWidth: width)
    }

    /// The keys of the mixer that is left out; none if both are there.
    public var idleKeys: [String] {
        switch sizes.mixers {
        case .parallel: []
        case .attention:
            FalconH1Sizes.ssmKeys.map(\.rawValue) + FalconH1Multipliers.ssmKeys.map(\.rawValue)
        case .ssm:
            FalconH1Sizes.attentionKeys.map(\.rawValue)
                + FalconH1Multipliers.attentionKeys.map(\.rawValue)
        }
    }

    /// The problems with the sizes and multipliers; empty if there are none.
    public func problems() -> [RecipeProblem] { sizes.problems() + multipliers.problems() }

    /// The model of these sizes, not yet in memory.
    ///
    /// - Parameters:
    ///   - multipliers: the learnable multipliers of matrices; nil for none.
    ///   - widthLawBase: the base of the width laws for the deviations of initial matrices; nil
    ///     leaves them at `initializer_range`.
    /// - Returns: a declared model.
    public func makeModel(
        multipliers: MultiplierPlacement?, widthLawBase: ParametrizationBase?
    ) -> any LanguageModel {
        FalconH1(self, multipliers: multipliers, initialBase: widthLawBase?.widths)
    }
}

extension FalconH1Configuration {
    /// The names of the parameters, which are Hugging Face's.
    public static let parameterNames = ParameterNames(
        stem: "model",
        [
            .embedding: ParameterNames.Part(
                "embed_tokens", [.matrix: "weight", .multiplier: "multiplier"]),
            .inputNorm: ParameterNames.Part("input_layernorm", [.gain: "weight"]),
            .attention: ParameterNames.Part(
                "self_attn",
                [
                    .query: "q_proj.weight", .key: "k_proj.weight", .value: "v_proj.weight",
                    .outputProjection: "o_proj.weight",
                ]),
            .mamba: ParameterNames.Part(
                "mamba",
                [
                    .inputProjection: "in_proj.weight", .convolution: "conv1d.weight",
                    .convolutionBias: "conv1d.bias", .stepBias: "dt_bias", .decay: "A_log",
                    .skip: "D", .gain: "norm.weight", .outputProjection: "out_proj.weight",
                ]),
            .feedForwardNorm: ParameterNames.Part("pre_ff_layernorm", [.gain: "weight"]),
            .feedForward: ParameterNames.Part(
                "feed_forward",
                [.gate: "gate_proj.weight", .up: "up_proj.weight", .down: "down_proj.weight"]),
            .finalNorm: ParameterNames.Part("final_layernorm", [.gain: "weight"]),
            .head: ParameterNames.Part("lm_head", [.matrix: "weight"]),
        ])
}
