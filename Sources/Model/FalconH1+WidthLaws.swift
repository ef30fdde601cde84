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

    /// The problems with the values; empty if there are none.
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

/// The base of muP's width laws: a shape and the multipliers that were tuned for it.
public struct ParametrizationBase: RecipeSection, Codable, Equatable {
    /// The shape.
    public var widths: FalconH1Widths
    /// The multipliers of that shape; `FalconH1Configuration.withMultipliers` has their laws.
    public var multipliers: FalconH1Multipliers

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case widths
    }

    /// Reads the shape, and the multipliers beside it.
    ///
    /// - Parameter decoder: of a map with the key `widths` and those of the multipliers.
    /// - Throws: errors of the decoder.
    public init(from decoder: any Decoder) throws {
        widths = try decoder.container(keyedBy: CodingKeys.self)
            .decode(FalconH1Widths.self, forKey: .widths)
        multipliers = try FalconH1Multipliers(from: decoder)
    }

    /// Writes the shape, and the multipliers beside it.
    ///
    /// - Parameter encoder: takes a map.
    /// - Throws: errors of the encoder.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(widths, forKey: .widths)
        try multipliers.encode(to: encoder)
    }

    /// No problems: the multipliers are checked at the width of the model.
    public func problems() -> [RecipeProblem] { [] }
}

extension FalconH1Sizes {
    /// The sizes that multipliers depend on.
    public var widths: FalconH1Widths {
        FalconH1Widths(
            hiddenSize: hiddenSize, attentionWidth: numAttentionHeads * headDim, headDim: headDim,
            intermediateSize: intermediateSize, mambaDSsm: mambaDSsm, mambaDState: mambaDState)
    }
}

extension FalconH1Configuration {
    /// True.
    public static var hasWidthLaws: Bool { true }
    /// Whether every fixed multiplier is 1.
    public var hasUnitMultipliers: Bool { multipliers == .unit }

    /// The model with the multipliers of a base, each scaled by its width law.
    ///
    /// Products ~ 1 / fan-in with rates that do not depend on the width are muP for Adam (Yang et al.,
    /// arXiv 2203.03466, table 8, with the factor 1 / fan-in moved into the forward pass). The published
    /// multipliers of 0.5B, 3B, 7B and 34B follow from one base by these laws.
    ///
    /// - Parameter base: shape and multipliers.
    /// - Returns: the same sizes with other multipliers.
    public func withMultipliers(from base: ParametrizationBase) -> FalconH1Configuration {
        func ratio(_ size: KeyPath<FalconH1Widths, Int>) -> Double {
            Double(base.widths[keyPath: size]) / Double(sizes.widths[keyPath: size])
        }
        let hidden = ratio(\.hiddenSize)
        // Those of the embedding, attention's input and z, x, C, dt are the same at every width.
        var scaled = base.multipliers
        scaled.lmHead *= hidden
        // This one covers v and o.
        scaled.attentionOut = base.multipliers.attentionOut * hidden * ratio(\.attentionWidth)
        // This one covers q and k.
        scaled.key = base.multipliers.key * hidden * hidden * ratio(\.headDim).squareRoot()
        scaled.ssmIn *= hidden
        scaled.ssmOut *= ratio(\.mambaDSsm)
        scaled.ssm.b *= ratio(\.mambaDState)
        scaled.mlp.gate *= hidden
        // This one covers up and down.
        scaled.mlp.down = base.multipliers.mlp.down * hidden * ratio(\.intermediateSize)
        var result = self
        result.multipliers = scaled
        return result
    }
}

/// The standard deviations of initial matrices, by their input.
///
/// With a base: `initializer_range` · sqrt(fan-in / the base's fan-in), muP's rule for matrices whose factor
/// 1 / fan-in is in the forward pass (arXiv 2203.03466, table 8). Without a base:
/// `initializer_range`.
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
