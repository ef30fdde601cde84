import FalconRecipeSection
import FalconSystem
import FalconTensor

/// The rules for drawing the initial weights of a Falcon-Mamba.
public enum MambaInitialization: String, Codable, CaseIterable, Sendable {
    /// Matrices uniform within 1/sqrt(fan-in), those that write to the residual stream divided by
    /// sqrt(layers), as the Mamba authors do.
    case mamba
    /// Matrices normal with `initializer_range`, as in transformers 5.
    case transformers
}

/// The sizes of a Falcon-Mamba model, under Hugging Face's names.
///
/// - SeeAlso: arXiv 2410.05355; the `config.json` of `FalconMambaForCausalLM`.
public struct FalconMambaConfiguration: ArchitectureConfiguration {
    /// `falcon-mamba`.
    public static let recipeName = "falcon-mamba"

    /// The family, `falcon-mamba`.
    public var architecture: Architecture
    /// V, rows of the embedding.
    public var vocabSize: Int
    /// D, the width of the residual stream.
    public var hiddenSize: Int
    /// Blocks, each one mixer.
    public var numHiddenLayers: Int
    /// C, channels inside the mixer.
    public var intermediateSize: Int
    /// N, state size of a channel.
    public var stateSize: Int
    /// K, taps of the causal convolution.
    public var convKernel: Int
    /// Width of the low-rank time step.
    public var timeStepRank: Int
    /// Added to the mean square in the norms of the residual stream.
    public var layerNormEpsilon: Double
    /// Added to the mean square in the norms of time step, B and C.
    public var mixerRmsEps: Double
    /// Whether the head is the embedding.
    public var tieWordEmbeddings: Bool
    /// The rule for drawing initial weights.
    public var initialization: MambaInitialization
    /// Standard deviation of initial embedding and head; with `transformers`, of normal matrices.
    public var initializerRange: Double

    /// The key of each field in recipes and `config.json`.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case architecture
        case vocabSize = "vocab_size"
        case hiddenSize = "hidden_size"
        case numHiddenLayers = "num_hidden_layers"
        case intermediateSize = "intermediate_size"
        case stateSize = "state_size"
        case convKernel = "conv_kernel"
        case timeStepRank = "time_step_rank"
        case layerNormEpsilon = "layer_norm_epsilon"
        case mixerRmsEps = "mixer_rms_eps"
        case tieWordEmbeddings = "tie_word_embeddings"
        case initialization
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
                    .convolutionBias: "conv1d.bias", .selectionProjection: "x_proj.weight",
                    .stepProjection: "dt_proj.weight", .stepBias: "dt_proj.bias",
                    .decay: "A_log", .skip: "D", .outputProjection: "out_proj.weight",
                ]),
            .finalNorm: ParameterNames.Part("norm_f", [.gain: "weight"]),
            .head: ParameterNames.Part("lm_head", [.matrix: "weight"]),
        ])

    /// 2²⁰, for formats that need a number: nothing in the model depends on positions.
    public var maxPositionEmbeddings: Int { 1 << 20 }
    /// Rows of x_proj: time step, B, C.
    public var xProjRows: Int { timeStepRank + 2 * stateSize }

    /// The number of weights, in floating point, as the sizes have not been checked yet.
    private var roughParameterCount: Double {
        let (width, inner) = (Double(hiddenSize), Double(intermediateSize))
        let rows = 3 * width + 2 * Double(timeStepRank) + 3 * Double(stateSize) + Double(convKernel)
        return Double(numHiddenLayers) * inner * rows + 2 * Double(vocabSize) * width
    }

    /// The problems with the sizes; empty if there are none.
    public func problems() -> [RecipeProblem] {
        let sizes: [(CodingKeys, Int)] = [
            (.vocabSize, vocabSize), (.hiddenSize, hiddenSize), (.numHiddenLayers, numHiddenLayers),
            (.intermediateSize, intermediateSize), (.stateSize, stateSize),
            (.convKernel, convKernel), (.timeStepRank, timeStepRank),
        ]
        var found = SizeLimits.problems(
            sizes, layerKey: .numHiddenLayers, roughParameterCount: roughParameterCount)
        guard found.isEmpty else { return found }
        func require(_ condition: Bool, _ key: CodingKeys, _ message: String) {
            if !condition { found.append(RecipeProblem(key: key.rawValue, message)) }
        }
        require(convKernel <= 16, .convKernel, "got \(convKernel), want at most 16 taps")
        require(
            layerNormEpsilon > 0, .layerNormEpsilon,
            "got \(layerNormEpsilon), want a positive number")
        require(mixerRmsEps > 0, .mixerRmsEps, "got \(mixerRmsEps), want a positive number")
        require(
            initializerRange > 0, .initializerRange, "got \(initializerRange), want more than 0")
        let numbers: [(CodingKeys, Double)] = [
            (.layerNormEpsilon, layerNormEpsilon), (.mixerRmsEps, mixerRmsEps),
            (.initializerRange, initializerRange),
        ]
        return found + numbers.compactMap { float32Problem($0.0, $0.1) }
    }

    /// Weights that take part in matrix products, including the head but not the embedding look-up.
    public var productParameterCount: Int {
        let layer =
            3 * intermediateSize * hiddenSize + xProjRows * intermediateSize
            + intermediateSize * timeStepRank
        return numHiddenLayers * layer + vocabSize * hiddenSize
    }

    /// Floating-point operations of a training step (forward and backward) per token.
    ///
    /// 6 per product weight, and three times the forward cost of the scan (6·N·C: decay and update of
    /// the state, product with C) and of the convolution (2·K·C); exponentials are not counted.
    ///
    /// - Parameter sequenceLength: has no influence, as the state has one size.
    /// - Returns: FLOPs per token.
    public func trainingFLOPsPerToken(sequenceLength: Int) -> Double {
        let mixing = Double(intermediateSize) * Double(6 * stateSize + 2 * convKernel)
        return 6 * Double(productParameterCount) + 3 * Double(numHiddenLayers) * mixing
    }

    /// The settings that make the model `width` wide: channels and time-step rank in proportion, the
    /// size of states as it is.
    ///
    /// - Parameter width: the new `hidden_size`.
    /// - Returns: `model.key=value` each; nil if a count would not be whole.
    public func settings(scaledToWidth width: Int) -> [String]? {
        let scaled: [(key: String, value: Int)] = [
            ("intermediate_size", intermediateSize), ("time_step_rank", timeStepRank),
        ]
        guard scaled.allSatisfy({ $0.value * width % hiddenSize == 0 }) else { return nil }
        return ["model.hidden_size=\(width)"]
            + scaled.map { "model.\($0.key)=\($0.value * width / hiddenSize)" }
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

// Every block is one mixer.
extension FalconMambaConfiguration: MixerSizes {
    var convolutionState: [Int] { [convKernel - 1, intermediateSize] }
    var scanState: [Int] { [stateSize, intermediateSize] }

    func makeMixer(_ builder: PartBuilder, block: Int) -> any SequenceMixer {
        FalconMambaMixer(self, builder)
    }
}
