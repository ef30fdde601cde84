import FalconRecipeSection

/// The sizes of a Falcon-H1 that its multipliers depend on.
public struct FalconH1Widths: RecipeSection, Codable, Equatable {
    /// The width of the residual stream.
    public var hiddenSize: Int
    /// Query heads times the width of a head.
    public var attentionWidth: Int
    /// The width of an attention head.
    public var headDim: Int
    /// The width of the MLP.
    public var intermediateSize: Int
    /// The inner width of the state-space mixer.
    public var mambaDSsm: Int
    /// The state size.
    public var mambaDState: Int

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case hiddenSize = "hidden_size"
        case attentionWidth = "attention_width"
        case headDim = "head_dim"
        case intermediateSize = "intermediate_size"
        case mambaDSsm = "mamba_d_ssm"
        case mambaDState = "mamba_d_state"
    }

    /// What is impossible about the values; empty when all is well.
    public func problems() -> [RecipeProblem] {
        [
            (CodingKeys.hiddenSize, hiddenSize), (.attentionWidth, attentionWidth),
            (.headDim, headDim), (.intermediateSize, intermediateSize), (.mambaDSsm, mambaDSsm),
            (.mambaDState, mambaDState),
        ].filter { $0.1 < 1 }.map {
            RecipeProblem(key: $0.0.rawValue, "got \($0.1), want at least 1")
        }
    }
}

/// Where muP's width laws start: a shape and the multipliers that were tuned there.
public struct ParametrizationBase: RecipeSection, Codable, Equatable {
    /// The shape.
    public var widths: FalconH1Widths
    /// Multiplies the embedding; the same at every width.
    public var embeddingMultiplier: Double
    /// Multiplies the logits; ~ 1 / hidden_size.
    public var lmHeadMultiplier: Double
    /// Multiplies the input of q, k and v; the same at every width.
    public var attentionInMultiplier: Double
    /// Multiplies the output of attention; ~ 1 / (hidden_size · attention width): it covers v and o.
    public var attentionOutMultiplier: Double
    /// Multiplies the keys; ~ 1 / (hidden_size² · sqrt(head_dim)): it covers q and k.
    public var keyMultiplier: Double
    /// Multiplies the input of in_proj; ~ 1 / hidden_size.
    public var ssmInMultiplier: Double
    /// Multiplies the output of the state-space mixer; ~ 1 / mamba_d_ssm.
    public var ssmOutMultiplier: Double
    /// z, x, B, C, dt; the same at every width but B, ~ 1 / mamba_d_state.
    public var ssmMultipliers: [Double]
    /// Gate, ~ 1 / hidden_size, and down, ~ 1 / (hidden_size · intermediate_size): it covers up and down.
    public var mlpMultipliers: [Double]

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case widths
        case embeddingMultiplier = "embedding_multiplier"
        case lmHeadMultiplier = "lm_head_multiplier"
        case attentionInMultiplier = "attention_in_multiplier"
        case attentionOutMultiplier = "attention_out_multiplier"
        case keyMultiplier = "key_multiplier"
        case ssmInMultiplier = "ssm_in_multiplier"
        case ssmOutMultiplier = "ssm_out_multiplier"
        case ssmMultipliers = "ssm_multipliers"
        case mlpMultipliers = "mlp_multipliers"
    }

    /// What is impossible about the values; empty when all is well.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if ssmMultipliers.count != 5 {
            found.append(
                RecipeProblem(
                    key: "ssm_multipliers",
                    "got \(ssmMultipliers.count) numbers, want 5: z, x, B, C, dt"))
        }
        if mlpMultipliers.count != 2 {
            found.append(
                RecipeProblem(
                    key: "mlp_multipliers",
                    "got \(mlpMultipliers.count) numbers, want 2: gate, down"))
        }
        return found
    }
}

extension FalconH1Configuration {
    /// The sizes that multipliers depend on.
    public var widths: FalconH1Widths {
        FalconH1Widths(
            hiddenSize: hiddenSize, attentionWidth: numAttentionHeads * headDim, headDim: headDim,
            intermediateSize: intermediateSize, mambaDSsm: mambaDSsm, mambaDState: mambaDState)
    }

    /// Whether every fixed multiplier is 1.
    public var hasUnitMultipliers: Bool {
        let all =
            [
                embeddingMultiplier, lmHeadMultiplier, attentionInMultiplier,
                attentionOutMultiplier, keyMultiplier, ssmInMultiplier, ssmOutMultiplier,
            ] + ssmMultipliers + mlpMultipliers
        return all.allSatisfy { $0 == 1 }
    }

    /// The model with the multipliers of a base, each scaled by its width law.
    ///
    /// Products ~ 1 / fan-in with rates that do not depend on the width are muP for Adam (Yang et al.,
    /// arXiv 2203.03466, table 8, with the factor 1 / fan-in moved into the forward pass). The published
    /// multipliers of 0.5B, 3B, 7B and 34B follow from one base by these laws.
    ///
    /// - Parameter base: shape and multipliers.
    /// - Returns: other multipliers, the same sizes.
    public func withMultipliers(from base: ParametrizationBase) -> FalconH1Configuration {
        func ratio(_ size: KeyPath<FalconH1Widths, Int>) -> Double {
            Double(base.widths[keyPath: size]) / Double(widths[keyPath: size])
        }
        let hidden = ratio(\.hiddenSize)
        var result = self
        result.embeddingMultiplier = base.embeddingMultiplier
        result.lmHeadMultiplier = base.lmHeadMultiplier * hidden
        result.attentionInMultiplier = base.attentionInMultiplier
        result.attentionOutMultiplier =
            base.attentionOutMultiplier * hidden * ratio(\.attentionWidth)
        result.keyMultiplier =
            base.keyMultiplier * hidden * hidden * ratio(\.headDim).squareRoot()
        result.ssmInMultiplier = base.ssmInMultiplier * hidden
        result.ssmOutMultiplier = base.ssmOutMultiplier * ratio(\.mambaDSsm)
        result.ssmMultipliers = base.ssmMultipliers
        result.ssmMultipliers[2] *= ratio(\.mambaDState)
        result.mlpMultipliers = [
            base.mlpMultipliers[0] * hidden,
            base.mlpMultipliers[1] * hidden * ratio(\.intermediateSize),
        ]
        return result
    }
}

/// The standard deviations of fresh matrices, by what they read.
///
/// With a base: `initializer_range` · sqrt(fan-in / the base's fan-in), muP's rule for matrices whose factor
/// 1 / fan-in stands in the forward pass (arXiv 2203.03466, table 8). Without: `initializer_range`.
struct FalconH1Deviations {
    let fromResidual: Float
    let fromHeads: Float
    let fromIntermediate: Float
    let fromSSM: Float

    init(_ configuration: FalconH1Configuration, base: FalconH1Widths?) {
        func deviation(_ size: KeyPath<FalconH1Widths, Int>) -> Float {
            let plain = configuration.initializerRange
            guard let base else { return Float(plain) }
            let ratio = Double(configuration.widths[keyPath: size]) / Double(base[keyPath: size])
            return Float(plain * ratio.squareRoot())
        }
        fromResidual = deviation(\.hiddenSize)
        fromHeads = deviation(\.attentionWidth)
        fromIntermediate = deviation(\.intermediateSize)
        fromSSM = deviation(\.mambaDSsm)
    }
}
