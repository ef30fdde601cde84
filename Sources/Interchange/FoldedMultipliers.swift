import FalconCheckpoint
import FalconModel

/// The fixed multipliers of a Falcon-H1, as scales of the rows of its parameters.
///
/// With the rows scaled and every multiplier 1 the model computes the same function: each multiplier
/// stands directly before or after a product or the convolution's input. Exact for inference; training
/// would go another way.
struct FoldedMultipliers {
    private let sizes: FalconH1Configuration

    init(_ sizes: FalconH1Configuration) { self.sizes = sizes }

    /// The configuration that goes with the scaled rows.
    ///
    /// A tied matrix cannot be scaled for both of its uses: the head becomes a matrix of its own.
    var configuration: FalconH1Configuration {
        var result = sizes
        result.embeddingMultiplier = 1
        result.lmHeadMultiplier = 1
        result.attentionInMultiplier = 1
        result.attentionOutMultiplier = 1
        result.keyMultiplier = 1
        result.ssmInMultiplier = 1
        result.ssmOutMultiplier = 1
        result.ssmMultipliers = [1, 1, 1, 1, 1]
        result.mlpMultipliers = [1, 1]
        if sizes.embeddingMultiplier != sizes.lmHeadMultiplier { result.tieWordEmbeddings = false }
        return result
    }

    /// The scale of all rows of a parameter but `in_proj`'s.
    ///
    /// - Parameter name: a parameter's name.
    /// - Returns: 1 for what no multiplier meets.
    func scale(of name: String) -> Float {
        let path = Self.path(of: name)
        let input = sizes.attentionInMultiplier
        let scale =
            switch path {
            case "model.embed_tokens.weight": sizes.embeddingMultiplier
            case "lm_head.weight": sizes.lmHeadMultiplier
            case "self_attn.q_proj.weight", "self_attn.v_proj.weight": input
            case "self_attn.k_proj.weight": input * sizes.keyMultiplier
            case "self_attn.o_proj.weight": sizes.attentionOutMultiplier
            case "mamba.out_proj.weight": sizes.ssmOutMultiplier
            case "feed_forward.gate_proj.weight": sizes.mlpMultipliers[0]
            case "feed_forward.down_proj.weight": sizes.mlpMultipliers[1]
            default: 1.0
            }
        return Float(scale)
    }

    /// The scales of in_proj's rows: z, x, B, C, dt.
    var inProjection: [ForeignTensor.RowScale] {
        let (inner, state) = (sizes.mambaDSsm, sizes.mambaNGroups * sizes.mambaDState)
        let counts = [inner, inner, state, state, sizes.mambaNHeads]
        return zip(counts, sizes.ssmMultipliers).map {
            ForeignTensor.RowScale(rowCount: $0, scale: Float($1 * sizes.ssmInMultiplier))
        }
    }

    /// The name without the number of the block: `self_attn.q_proj.weight`.
    private static func path(of name: String) -> String {
        let parts = name.split(separator: ".")
        return parts.count > 3 && parts[1] == "layers"
            ? parts.dropFirst(3).joined(separator: ".") : name
    }

    /// The change of a parameter.
    ///
    /// - Parameters:
    ///   - name: the parameter's name.
    ///   - rowCount: its rows.
    /// - Returns: its scaled rows.
    func change(of name: String, rowCount: Int) -> ForeignTensor.Change {
        if Self.path(of: name) == "mamba.in_proj.weight" { return .scaled(inProjection) }
        let scale = scale(of: name)
        return scale == 1
            ? .none : .scaled([ForeignTensor.RowScale(rowCount: rowCount, scale: scale)])
    }
}
