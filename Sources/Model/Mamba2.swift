import FalconRecipeSection
import FalconSystem
import FalconTensor

// R rows (tokens of all documents), D hidden_size, I = num_heads · head_dim, H heads, G groups, N state_size,
// K convolution taps.

/// The sizes of a Mamba-2 model, under Hugging Face's names.
///
/// - SeeAlso: arXiv 2405.21060; the `config.json` of `Mamba2ForCausalLM`.
public struct Mamba2Configuration: ArchitectureConfiguration {
    /// `mamba2`.
    public static let recipeName = "mamba2"

    /// The family, `mamba2`.
    public var architecture: Architecture
    /// V, rows of the embedding.
    public var vocabSize: Int
    /// D, the width of the residual stream.
    public var hiddenSize: Int
    /// Blocks, each one mixer.
    public var numHiddenLayers: Int
    /// H, heads of the mixer.
    public var numHeads: Int
    /// P, values per head.
    public var headDim: Int
    /// G, groups of heads that share B and C.
    public var nGroups: Int
    /// N, state size.
    public var stateSize: Int
    /// K, taps of the causal convolution.
    public var convKernel: Int
    /// Rows of a chunk of the scan; changes rounding only.
    public var chunkSize: Int
    /// Added to the mean square in every norm.
    public var layerNormEpsilon: Double
    /// Whether the head is the embedding.
    public var tieWordEmbeddings: Bool
    /// Standard deviation of the initial embedding and head.
    public var initializerRange: Double

    /// The key of each field in recipes and `config.json`.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case architecture
        case vocabSize = "vocab_size"
        case hiddenSize = "hidden_size"
        case numHiddenLayers = "num_hidden_layers"
        case numHeads = "num_heads"
        case headDim = "head_dim"
        case nGroups = "n_groups"
        case stateSize = "state_size"
        case convKernel = "conv_kernel"
        case chunkSize = "chunk_size"
        case layerNormEpsilon = "layer_norm_epsilon"
        case tieWordEmbeddings = "tie_word_embeddings"
        case initializerRange = "initializer_range"
    }

    /// The names of the parameters, which are Hugging Face's.
    public static let parameterNames = ParameterNames(
        stem: "backbone",
        [
            .embedding: ParameterNames.Part("embeddings", [.matrix: "weight"]),
            .inputNorm: ParameterNames.Part("norm", [.gain: "weight"]),
            .mamba: ParameterNames.Part(
                "mixer",
                [
                    .inputProjection: "in_proj.weight", .convolution: "conv1d.weight",
                    .convolutionBias: "conv1d.bias", .stepBias: "dt_bias", .decay: "A_log",
                    .skip: "D", .gain: "norm.weight", .outputProjection: "out_proj.weight",
                ]),
            .finalNorm: ParameterNames.Part("norm_f", [.gain: "weight"]),
            .head: ParameterNames.Part("lm_head", [.matrix: "weight"]),
        ])

    /// 2²⁰, for formats that need a number: nothing in the model depends on positions.
    public var maxPositionEmbeddings: Int { 1 << 20 }
    /// I, the width inside the mixer.
    public var intermediateSize: Int { numHeads * headDim }

    /// The sizes of the mixer; its norm treats each group by itself.
    package var mixer: Mamba2MixerSizes {
        Mamba2MixerSizes(
            hiddenSize: hiddenSize, heads: numHeads, headDimension: headDim, groups: nGroups,
            stateSize: stateSize, taps: convKernel, chunkLength: chunkSize, normGroups: nGroups,
            epsilon: Float(layerNormEpsilon))
    }

    /// The problems with the sizes; empty if there are none.
    public func problems() -> [RecipeProblem] {
        let counts: [(CodingKeys, Int)] = [
            (.vocabSize, vocabSize), (.hiddenSize, hiddenSize), (.numHiddenLayers, numHiddenLayers),
            (.numHeads, numHeads), (.headDim, headDim), (.nGroups, nGroups),
            (.stateSize, stateSize), (.convKernel, convKernel), (.chunkSize, chunkSize),
        ]
        let inner = Double(numHeads) * Double(headDim)
        let rows = 3 * inner + 2 * Double(nGroups) * Double(stateSize) + Double(numHeads)
        let width = Double(hiddenSize)
        var found = SizeLimits.problems(
            counts, layerKey: .numHiddenLayers,
            roughParameterCount: width * (Double(numHiddenLayers) * rows + 2 * Double(vocabSize)))
        guard found.isEmpty else { return found }
        func require(_ condition: Bool, _ key: CodingKeys, _ message: String) {
            if !condition { found.append(RecipeProblem(key: key.rawValue, message)) }
        }
        require(
            intermediateSize % hiddenSize == 0, .numHeads,
            "num_heads · head_dim is \(intermediateSize), want a multiple of hidden_size = "
                + "\(hiddenSize), as expand is a whole number in transformers")
        require(
            numHeads % nGroups == 0, .nGroups,
            "got \(nGroups), which does not divide num_heads = \(numHeads)")
        require(convKernel <= 16, .convKernel, "got \(convKernel), want at most 16 taps")
        let numbers: [(CodingKeys, Double)] = [
            (.layerNormEpsilon, layerNormEpsilon), (.initializerRange, initializerRange),
        ]
        for (key, value) in numbers {
            require(value > 0, key, "got \(value), want a positive number")
        }
        return found + numbers.compactMap { float32Problem($0.0, $0.1) }
    }

    /// Weights that take part in matrix products, including the head but not the embedding look-up.
    public var productParameterCount: Int {
        numHiddenLayers * hiddenSize * (mixer.inProjectionRows + intermediateSize)
            + vocabSize * hiddenSize
    }

    /// Floating-point operations of a training step (forward and backward) per token.
    ///
    /// 6 per product weight, and three times the forward cost of the scan's chunk products
    /// (2·Q·N·G + 2·Q·I + 4·N·I) and of the convolution.
    ///
    /// - Parameter sequenceLength: T, tokens that see each other.
    /// - Returns: FLOPs per token.
    public func trainingFLOPsPerToken(sequenceLength: Int) -> Double {
        let (inner, state) = (Double(intermediateSize), Double(stateSize))
        let chunk = Double(min(chunkSize, sequenceLength))
        let mixing =
            2 * chunk * (state * Double(nGroups) + inner) + 4 * state * inner
            + Double(2 * convKernel * mixer.channels)
        return 6 * Double(productParameterCount) + 3 * Double(numHiddenLayers) * mixing
    }

    /// The settings that make the model `width` wide: heads in proportion, the sizes of heads and states
    /// as they are.
    ///
    /// - Parameter width: the new `hidden_size`.
    /// - Returns: `model.key=value` each; nil if a count would not be whole.
    public func settings(scaledToWidth width: Int) -> [String]? {
        guard numHeads * width % hiddenSize == 0 else { return nil }
        return [
            "model.hidden_size=\(width)", "model.num_heads=\(numHeads * width / hiddenSize)",
        ]
    }

    /// The model of these sizes, not yet in memory.
    ///
    /// - Parameters:
    ///   - multipliers: the learnable multipliers of matrices; nil for none.
    ///   - widthLawBase: nil, as there are no width laws.
    /// - Returns: a declared model.
    public func makeModel(
        multipliers: MultiplierPlacement?, widthLawBase: ParametrizationBase?
    ) -> any LanguageModel {
        MixerModel(self, multipliers: multipliers)
    }
}

// Mamba-2 alone: every block is one mixer.
extension Mamba2Configuration: MixerSizes {
    var convolutionState: [Int] { mixer.convolutionState }
    var scanState: [Int] { mixer.scanState }

    func makeMixer(_ builder: PartBuilder, block: Int) -> any SequenceMixer {
        Mamba2Mixer(mixer, start, builder, block)
    }

    /// The initial values that the authors use: matrices uniform within 1/sqrt(fan-in), those that
    /// write to the residual stream divided by sqrt(layers).
    private var start: Mamba2MixerStart {
        func uniform(fanIn: Int, over depth: Float = 1) -> Initialization {
            let bound = 1 / Float(fanIn).squareRoot() / depth
            return .uniform(low: -bound, high: bound)
        }
        return Mamba2MixerStart(
            inProjection: uniform(fanIn: hiddenSize),
            outProjection: uniform(
                fanIn: intermediateSize, over: Float(numHiddenLayers).squareRoot()),
            convolution: Mamba2MixerStart.convolution(taps: convKernel),
            stepBias: Mamba2MixerStart.stepBias, decay: Mamba2MixerStart.decay)
    }
}
