import FalconModel
import FalconTensor

/// The fixed multipliers of a Falcon-H1, as scales of the rows of its parameters.
///
/// With the rows scaled and every multiplier 1, the model computes the same function: each
/// multiplier stands directly before or after a product or the convolution's input. This is exact
/// for inference; training would take another course.
struct FoldedMultipliers {
    private let model: FalconH1Configuration
    private var multipliers: FalconH1Multipliers { model.multipliers }

    init(_ model: FalconH1Configuration) { self.model = model }

    /// The configuration that goes with the scaled rows.
    ///
    /// A tied matrix cannot be scaled for both of its uses, so the head becomes a separate matrix.
    var configuration: FalconH1Configuration {
        var result = model
        result.multipliers = .unit
        if multipliers.embedding != multipliers.lmHead { result.tieWordEmbeddings = false }
        return result
    }

    /// The scale of all rows of a parameter other than Mamba's input projection.
    ///
    /// - Parameter place: of the parameter, or of the one it stands in for.
    /// - Returns: 1 for parameters without a multiplier.
    func scale(at place: ParameterPlace) -> Float {
        let input = multipliers.attentionIn
        let scale =
            switch (place.part, place.kind) {
            case (.embedding, .matrix): multipliers.embedding
            case (.head, .matrix): multipliers.lmHead
            case (.attention, .query), (.attention, .value): input
            case (.attention, .key): input * multipliers.key
            case (.attention, .outputProjection): multipliers.attentionOut
            case (.mamba, .outputProjection): multipliers.ssmOut
            case (.feedForward, .gate): multipliers.mlp.gate
            case (.feedForward, .down): multipliers.mlp.down
            default: 1.0
            }
        return Float(scale)
    }

    /// The scales of the rows of Mamba's input projection: z, x, B, C, dt.
    var inProjection: [ForeignTensor.RowScale] {
        let (inner, state) = (model.mambaDSsm, model.mambaNGroups * model.mambaDState)
        let counts = [inner, inner, state, state, model.mambaNHeads]
        return zip(counts, multipliers.ssm.list).map {
            ForeignTensor.RowScale(rowCount: $0, scale: Float($1 * multipliers.ssmIn))
        }
    }

    /// The change of a parameter.
    ///
    /// - Parameters:
    ///   - place: of the parameter, or of the one it stands in for.
    ///   - rowCount: its rows.
    /// - Returns: its scaled rows.
    func change(at place: ParameterPlace, rowCount: Int) -> ForeignTensor.Change {
        if place.part == .mamba && place.kind == .inputProjection { return .scaled(inProjection) }
        let scale = scale(at: place)
        return scale == 1
            ? .none : .scaled([ForeignTensor.RowScale(rowCount: rowCount, scale: scale)])
    }
}
