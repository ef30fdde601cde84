import FalconTensor

/// The Mamba-1 mixer of Falcon-Mamba: projection to x and z, convolution, scan, gate, projection
/// back; time step, B and C are normed without gains.
///
/// - SeeAlso: arXiv 2410.05355.
struct FalconMambaMixer: SequenceMixer {
    private let inProjection: Parameter
    private let convWeight: Parameter
    private let convBias: Parameter
    private let xProjection: Parameter
    private let dtProjection: Parameter
    private let dtBias: Parameter
    private let aLog: Parameter
    private let d: Parameter
    private let outProjection: Parameter
    private let sizes: FalconMambaConfiguration

    init(_ sizes: FalconMambaConfiguration, _ builder: PartBuilder) {
        self.sizes = sizes
        let (width, channels, rank) = (sizes.hiddenSize, sizes.intermediateSize, sizes.timeStepRank)
        // Uniform within a bound over sqrt(fan-in), PyTorch's default for matrices and filters.
        func uniform(fanIn: Int, _ factor: Float = 1) -> Initialization {
            let bound = factor / Float(fanIn).squareRoot()
            return .uniform(low: -bound, high: bound)
        }
        func matrix(fanIn: Int) -> Initialization {
            sizes.initialization == .mamba
                ? uniform(fanIn: fanIn) : .normal(deviation: Float(sizes.initializerRange))
        }
        aLog = builder.parameter(
            .decay, [channels, sizes.stateSize], role: .stateSpace, initialization: .logOfIndex)
        d = builder.parameter(.skip, [channels], role: .stateSpace, initialization: .ones)
        convWeight = builder.parameter(
            .convolution, [channels, 1, sizes.convKernel], role: .vector,
            initialization: uniform(fanIn: sizes.convKernel))
        convBias = builder.parameter(
            .convolutionBias, [channels], role: .vector, initialization: .zeros)
        // The filters of the convolution already scale x.
        inProjection = builder.parameter(
            .inputProjection, [2 * channels, width], role: .hiddenMatrix,
            initialization: matrix(fanIn: width),
            rowParts: [
                RowPart("x", rowCount: channels, hasFreeRows: false),
                RowPart("z", rowCount: channels),
            ], multiplierRoom: .matrix(symmetryFree: .rows))
        // The norms after it remove a common scale of each part, but not those of single rows.
        xProjection = builder.parameter(
            .selectionProjection, [sizes.xProjRows, channels], role: .hiddenMatrix,
            initialization: matrix(fanIn: channels),
            rowParts: [
                RowPart("dt", rowCount: rank), RowPart("B", rowCount: sizes.stateSize),
                RowPart("C", rowCount: sizes.stateSize),
            ], multiplierRoom: .matrix(symmetryFree: [.rows, .columns]))
        dtProjection = builder.parameter(
            .stepProjection, [channels, rank], role: .hiddenMatrix,
            initialization: uniform(fanIn: rank),
            multiplierRoom: .matrix(symmetryFree: [.rows, .columns]))
        dtBias = builder.parameter(
            .stepBias, [channels], role: .stateSpace,
            initialization: .inverseSoftplusLogUniform(low: 1e-3, high: 0.1, floor: 1e-4))
        let depth = sizes.initialization == .mamba ? Float(sizes.numHiddenLayers).squareRoot() : 1
        outProjection = builder.parameter(
            .outputProjection, [width, channels], role: .hiddenMatrix,
            initialization: uniform(fanIn: channels, 1 / depth),
            multiplierRoom: .matrix(symmetryFree: [.rows, .columns]))
    }

    func callAsFunction(
        _ u: Tensor, _ segments: Segments, _ memory: LayerMemory?, convScale: Tensor,
        on tape: inout Tape
    ) -> Tensor {
        let (channels, rank, n) = (sizes.intermediateSize, sizes.timeStepRank, sizes.stateSize)
        let xz = linear(u, inProjection, on: &tape)
        let (x, z) = (xz.columns(0..<channels), xz.columns(channels..<2 * channels))
        let mixed = causalConv1d(
            x, weight: convWeight, bias: convBias, scale: convScale, segments: segments,
            histories: memory?.convolutionHistories ?? [], on: &tape)
        memory?.extendConvolution(x)
        // The time step is normed over its rank, before it is spread over the channels.
        let parts = rmsNorm(
            linear(mixed, xProjection, on: &tape), widths: [rank, n, n],
            epsilon: Float(sizes.mixerRmsEps), on: &tape)
        let delta = linear(parts.columns(0..<rank), dtProjection, on: &tape)
        let y = selectiveScan(
            x: mixed, delta: delta, b: parts.columns(rank..<rank + n),
            c: parts.columns(rank + n..<rank + 2 * n), deltaBias: dtBias, aLog: aLog, d: d,
            segments: segments, states: memory?.scanStates ?? [], on: &tape)
        let gated = gatedRMSNorm(
            y, gate: z, gain: nil, groups: 1, gateScale: 1,
            epsilon: Float(sizes.layerNormEpsilon), on: &tape)
        return linear(gated, outProjection, on: &tape)
    }
}
