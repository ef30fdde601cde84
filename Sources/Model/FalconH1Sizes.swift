import FalconRecipeSection
import FalconSystem

/// The mixers of a block; only `parallel` is Falcon-H1, the others are for ablations.
public enum Mixers: String, Codable, CaseIterable, Sendable {
    case parallel, attention, ssm
}

/// The rules for drawing initial weights.
public enum InitializationScheme: String, Codable, CaseIterable, Sendable {
    /// Time steps log-uniform in [1e-3, 0.1], A uniform in [1, 16]: a good start for pretraining.
    case mamba2
    /// As in transformers 5: dt_bias 1, A = 1…H.
    case transformers
}

/// The sizes of a Falcon-H1 model, under Hugging Face's names.
public struct FalconH1Sizes: Codable, Equatable, Sendable {
    /// The family, `falcon-h1`.
    public var architecture: Architecture
    /// V, rows of the embedding.
    public var vocabSize: Int
    /// D, the width of the residual stream.
    public var hiddenSize: Int
    /// Blocks.
    public var numHiddenLayers: Int
    /// I, the width of the MLP.
    public var intermediateSize: Int
    /// Query heads.
    public var numAttentionHeads: Int
    /// Key and value heads; divides the query heads.
    public var numKeyValueHeads: Int
    /// Channels of an attention head; heads · headDim need not equal hiddenSize.
    public var headDim: Int
    /// Inner width of the state-space mixer, mambaNHeads · mambaDHead.
    public var mambaDSsm: Int
    /// H, state-space heads.
    public var mambaNHeads: Int
    /// P, values per state-space head.
    public var mambaDHead: Int
    /// G, groups of heads that share B and C.
    public var mambaNGroups: Int
    /// N, state size.
    public var mambaDState: Int
    /// Taps of the causal convolution.
    public var mambaDConv: Int
    /// Rows of a chunk of the scan; changes rounding only.
    public var mambaChunkSize: Int
    /// Whether a gated norm follows the scan, instead of a plain gate.
    public var mambaRmsNorm: Bool
    /// Added to the mean square in every norm.
    public var rmsNormEps: Double
    /// The base of the rotary wavelengths.
    public var ropeTheta: Double
    /// Divides the positions before they become angles (linear scaling); nil for none.
    public var ropeScalingFactor: Double?
    /// The longest context, in tokens; written into exports.
    public var maxPositionEmbeddings: Int
    /// Whether the head is the embedding.
    public var tieWordEmbeddings: Bool
    /// The rule for drawing initial weights.
    public var initialization: InitializationScheme
    /// Standard deviation of initial matrices.
    public var initializerRange: Double
    /// The mixers of a block.
    public var mixers: Mixers

    /// The key of each field in recipes and `config.json`.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case architecture
        case vocabSize = "vocab_size"
        case hiddenSize = "hidden_size"
        case numHiddenLayers = "num_hidden_layers"
        case intermediateSize = "intermediate_size"
        case numAttentionHeads = "num_attention_heads"
        case numKeyValueHeads = "num_key_value_heads"
        case headDim = "head_dim"
        case mambaDSsm = "mamba_d_ssm"
        case mambaNHeads = "mamba_n_heads"
        case mambaDHead = "mamba_d_head"
        case mambaNGroups = "mamba_n_groups"
        case mambaDState = "mamba_d_state"
        case mambaDConv = "mamba_d_conv"
        case mambaChunkSize = "mamba_chunk_size"
        case mambaRmsNorm = "mamba_rms_norm"
        case rmsNormEps = "rms_norm_eps"
        case ropeTheta = "rope_theta"
        case ropeScalingFactor = "rope_scaling_factor"
        case maxPositionEmbeddings = "max_position_embeddings"
        case tieWordEmbeddings = "tie_word_embeddings"
        case initialization
        case initializerRange = "initializer_range"
        case mixers
    }

    /// Keys of the attention mixer.
    static let attentionKeys: [CodingKeys] = [
        .numAttentionHeads, .numKeyValueHeads, .headDim, .ropeTheta, .ropeScalingFactor,
    ]
    /// Keys of the state-space mixer.
    static let ssmKeys: [CodingKeys] = [
        .mambaDSsm, .mambaNHeads, .mambaDHead, .mambaNGroups, .mambaDState, .mambaDConv,
        .mambaChunkSize, .mambaRmsNorm, .initialization,
    ]

    /// B and C together with x: the channels of the convolution, d_ssm + 2·G·N.
    public var convChannels: Int { mambaDSsm + 2 * mambaNGroups * mambaDState }
    /// Rows of in_proj: z, x, B, C, dt.
    public var inProjRows: Int { mambaDSsm + convChannels + mambaNHeads }
    /// Whether blocks have the attention mixer.
    public var hasAttention: Bool { mixers != .ssm }
    /// Whether blocks have the state-space mixer.
    public var hasSSM: Bool { mixers != .attention }

    /// The number of weights, in floating point, as the sizes have not been checked yet.
    private var roughParameterCount: Double {
        let width = Double(hiddenSize)
        let heads = Double(numAttentionHeads) + Double(numKeyValueHeads)
        let groups = Double(mambaNGroups) * Double(mambaDState)
        let inProjection = 3 * Double(mambaDSsm) + 2 * groups + Double(mambaNHeads)
        let rows = 3 * Double(intermediateSize) + 2 * Double(headDim) * heads + inProjection
        return width * (Double(numHiddenLayers) * rows + 2 * Double(vocabSize))
    }

    /// The problems with the sizes; empty if there are none.
    func problems() -> [RecipeProblem] {
        let sizes: [(CodingKeys, Int)] = [
            (.vocabSize, vocabSize), (.hiddenSize, hiddenSize), (.numHiddenLayers, numHiddenLayers),
            (.intermediateSize, intermediateSize), (.numAttentionHeads, numAttentionHeads),
            (.numKeyValueHeads, numKeyValueHeads), (.headDim, headDim), (.mambaDSsm, mambaDSsm),
            (.mambaNHeads, mambaNHeads), (.mambaDHead, mambaDHead), (.mambaNGroups, mambaNGroups),
            (.mambaDState, mambaDState), (.mambaDConv, mambaDConv),
            (.mambaChunkSize, mambaChunkSize), (.maxPositionEmbeddings, maxPositionEmbeddings),
        ]
        var found = SizeLimits.problems(
            sizes, layerKey: .numHiddenLayers, roughParameterCount: roughParameterCount)
        guard found.isEmpty else { return found }
        func require(_ condition: Bool, _ key: CodingKeys, _ message: String) {
            if !condition { found.append(RecipeProblem(key: key.rawValue, message)) }
        }
        require(
            mambaNHeads * mambaDHead == mambaDSsm, .mambaDSsm,
            "got \(mambaDSsm), want mamba_n_heads · mamba_d_head = \(mambaNHeads * mambaDHead)")
        require(
            mambaNHeads % mambaNGroups == 0, .mambaNGroups,
            "got \(mambaNGroups), which does not divide mamba_n_heads = \(mambaNHeads)")
        require(
            mambaDConv <= 16, .mambaDConv, "got \(mambaDConv), want at most 16 taps")
        require(
            numAttentionHeads % numKeyValueHeads == 0, .numKeyValueHeads,
            "got \(numKeyValueHeads), which does not divide num_attention_heads = \(numAttentionHeads)"
        )
        require(
            headDim % 2 == 0, .headDim, "got \(headDim), want an even number for rotary positions")
        require(rmsNormEps > 0, .rmsNormEps, "got \(rmsNormEps), want a positive number")
        require(ropeTheta > 0, .ropeTheta, "got \(ropeTheta), want a positive number")
        if let factor = ropeScalingFactor {
            require(
                factor > 0 && factor.isFinite, .ropeScalingFactor,
                "got \(factor), want a positive number, or null for none")
        }
        require(
            initializerRange > 0, .initializerRange, "got \(initializerRange), want more than 0")
        let numbers: [(CodingKeys, Double)] = [
            (.rmsNormEps, rmsNormEps), (.ropeTheta, ropeTheta),
            (.initializerRange, initializerRange),
        ]
        return found + numbers.compactMap { float32Problem($0.0, $0.1) }
    }
}

extension FalconH1Sizes {
    /// Weights that take part in matrix products, including the head but not the embedding look-up.
    var productParameterCount: Int {
        var layer = 3 * hiddenSize * intermediateSize
        if hasAttention {
            layer += 2 * hiddenSize * headDim * (numAttentionHeads + numKeyValueHeads)
        }
        if hasSSM { layer += hiddenSize * (inProjRows + mambaDSsm) }
        return numHiddenLayers * layer + vocabSize * hiddenSize
    }

    /// Floating-point operations of a training step (forward and backward) per token.
    ///
    /// 6 per product weight, and three times the forward cost of attention's causal half (2·T·heads·hd),
    /// the scan's chunk products (2·Q·N·G + 2·Q·d_ssm + 4·N·d_ssm) and the convolution.
    ///
    /// - Parameter sequenceLength: T, tokens that see each other.
    /// - Returns: FLOPs per token.
    func trainingFLOPsPerToken(sequenceLength: Int) -> Double {
        var mixing = 0.0
        if hasAttention {
            mixing += 2 * Double(sequenceLength) * Double(numAttentionHeads * headDim)
        }
        if hasSSM {
            let chunk = min(mambaChunkSize, sequenceLength)
            mixing += 2 * Double(chunk) * Double(mambaDState * mambaNGroups + mambaDSsm)
            mixing += 4 * Double(mambaDState) * Double(mambaDSsm)
            mixing += 2 * Double(mambaDConv * convChannels)
        }
        return 6 * Double(productParameterCount) + 3 * Double(numHiddenLayers) * mixing
    }
}

extension FalconH1Sizes {
    /// The settings that make the model `width` wide: heads and widths in proportion, the sizes of
    /// heads and states as they are.
    ///
    /// - Parameter width: the new `hidden_size`.
    /// - Returns: `model.key=value` each; nil if a count would not be whole.
    func settings(scaledToWidth width: Int) -> [String]? {
        let scaled: [(key: String, value: Int)] = [
            ("intermediate_size", intermediateSize), ("num_attention_heads", numAttentionHeads),
            ("num_key_value_heads", numKeyValueHeads), ("mamba_n_heads", mambaNHeads),
        ]
        guard scaled.allSatisfy({ $0.value * width % hiddenSize == 0 }) else { return nil }
        let heads = mambaNHeads * width / hiddenSize
        return ["model.hidden_size=\(width)", "model.mamba_d_ssm=\(heads * mambaDHead)"]
            + scaled.map { "model.\($0.key)=\($0.value * width / hiddenSize)" }
    }
}
