import FalconModel
import FalconTensor

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

    /// The scale of all rows of a parameter but those of Mamba's input projection.
    ///
    /// - Parameter place: of the parameter, or of what it serves as.
    /// - Returns: 1 for what no multiplier meets.
    func scale(at place: ParameterPlace) -> Float {
        let input = sizes.attentionInMultiplier
        let scale =
            switch (place.part, place.kind) {
            case (.embedding, .matrix): sizes.embeddingMultiplier
            case (.head, .matrix): sizes.lmHeadMultiplier
            case (.attention, .query), (.attention, .value): input
            case (.attention, .key): input * sizes.keyMultiplier
            case (.attention, .outputProjection): sizes.attentionOutMultiplier
            case (.mamba, .outputProjection): sizes.ssmOutMultiplier
            case (.feedForward, .gate): sizes.mlpMultipliers[0]
            case (.feedForward, .down): sizes.mlpMultipliers[1]
            default: 1.0
            }
        return Float(scale)
    }

    /// The scales of the rows of Mamba's input projection: z, x, B, C, dt.
    var inProjection: [ForeignTensor.RowScale] {
        let (inner, state) = (sizes.mambaDSsm, sizes.mambaNGroups * sizes.mambaDState)
        let counts = [inner, inner, state, state, sizes.mambaNHeads]
        return zip(counts, sizes.ssmMultipliers).map {
            ForeignTensor.RowScale(rowCount: $0, scale: Float($1 * sizes.ssmInMultiplier))
        }
    }

    /// The change of a parameter.
    ///
    /// - Parameters:
    ///   - place: of the parameter, or of what it serves as.
    ///   - rowCount: its rows.
    /// - Returns: its scaled rows.
    func change(at place: ParameterPlace, rowCount: Int) -> ForeignTensor.Change {
        if place.part == .mamba && place.kind == .inputProjection { return .scaled(inProjection) }
        let scale = scale(at: place)
        return scale == 1
            ? .none : .scaled([ForeignTensor.RowScale(rowCount: rowCount, scale: scale)])
    }
}
