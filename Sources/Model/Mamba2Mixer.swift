import FalconTensor

/// The sizes of a Mamba-2 mixer.
package struct Mamba2MixerSizes {
    /// D, the width of input and output.
    package var hiddenSize: Int
    /// H, state-space heads.
    package var heads: Int
    /// P, values per head.
    package var headDimension: Int
    /// G, groups of heads that share B and C.
    package var groups: Int
    /// N, state size.
    package var stateSize: Int
    /// K, taps of the causal convolution.
    package var taps: Int
    /// Rows of a chunk of the scan; changes rounding only.
    package var chunkLength: Int
    /// Parts of the width that the gated norm after the scan norms apart; nil for a plain gate.
    package var normGroups: Int?
    /// Added to the mean square in that norm.
    package var epsilon: Float

    /// H · P, the width of z, x and the output of the scan.
    package var width: Int { heads * headDimension }
    /// G · N, the width of B and of C.
    package var stateWidth: Int { groups * stateSize }
    /// Channels of the convolution: x, B, C.
    package var channels: Int { width + 2 * stateWidth }
    /// Rows of the input projection: z, x, B, C, dt.
    package var inProjectionRows: Int { width + channels + heads }
    /// The shape of the last rows kept for the convolution.
    package var convolutionState: [Int] { [taps - 1, channels] }
    /// The shape of the scan's state.
    package var scanState: [Int] { [heads, headDimension, stateSize] }

    /// The multipliers of the convolution's channels x, B, C: `[C]`.
    func convScale(_ scales: FalconH1Multipliers.SSM, on device: Device) -> Tensor {
        let parts = [(scales.x, width), (scales.b, stateWidth), (scales.c, stateWidth)]
        return device.tensor(
            parts.flatMap { Array(repeating: Float($0.0), count: $0.1) }, shape: [channels])
    }
}

/// The initial values of the parameters of a Mamba-2 mixer.
struct Mamba2MixerStart {
    var inProjection: Initialization
    var outProjection: Initialization
    var convolution: Initialization
    var stepBias: Initialization
    var decay: Initialization

    /// Time steps log-uniform in [1e-3, 0.1], as the authors of Mamba-2 draw them.
    static let stepBias = Initialization.inverseSoftplusLogUniform(
        low: 1e-3, high: 0.1, floor: 1e-4)
    /// A uniform in [1, 16] on a logarithmic scale.
    static let decay = Initialization.logUniform(low: 1, high: 16)

    /// PyTorch's default for a convolution of fan-in K: uniform within 1/sqrt(K).
    static func convolution(taps: Int) -> Initialization {
        let bound = 1 / Float(taps).squareRoot()
        return .uniform(low: -bound, high: bound)
    }
}

/// The Mamba-2 mixer: one projection to z, x, B, C, dt; convolution; scan; gate; projection back.
///
///     z, x, B, C, dt = W_in u
///     x, B, C = silu(conv(x, B, C))
///     y = scan(x, B, C, softplus(dt + b_dt), -exp(A_log)) + D ⊙ x
///     out = W_out norm(y ⊙ silu(z))
///
/// - SeeAlso: arXiv 2405.21060, section 7.
struct Mamba2Mixer {
    private let inProjection: Parameter
    private let convWeight: Parameter
    private let convBias: Parameter
    private let dtBias: Parameter
    private let aLog: Parameter
    private let d: Parameter
    private let norm: Parameter?
    private let outProjection: Parameter
    private let sizes: Mamba2MixerSizes
    private let scales: FalconH1Multipliers
    private let block: Int

    /// Declares the parameters of a mixer.
    ///
    /// - Parameters:
    ///   - sizes: the sizes.
    ///   - start: the initial values of the parameters.
    ///   - builder: of the mixer's part in its block.
    ///   - block: the number of the block.
    ///   - scales: fixed multipliers; only those of the mixer are used.
    init(
        _ sizes: Mamba2MixerSizes, _ start: Mamba2MixerStart, _ builder: PartBuilder, _ block: Int,
        scales: FalconH1Multipliers = .unit
    ) {
        (self.sizes, self.scales, self.block) = (sizes, scales, block)
        func heads(_ kind: ParameterPlace.Kind, _ initialization: Initialization) -> Parameter {
            builder.parameter(
                kind, [sizes.heads], role: .stateSpace, initialization: initialization)
        }
        dtBias = heads(.stepBias, start.stepBias)
        aLog = heads(.decay, start.decay)
        d = heads(.skip, .ones)
        // The filters of the convolution already scale x, B and C.
        inProjection = builder.hiddenMatrix(
            .inputProjection, [sizes.inProjectionRows, sizes.hiddenSize],
            initialization: start.inProjection, symmetryFree: .rows,
            rowParts: [
                RowPart("z", rowCount: sizes.width),
                RowPart("x", rowCount: sizes.width, hasFreeRows: false),
                RowPart("B", rowCount: sizes.stateWidth, hasFreeRows: false),
                RowPart("C", rowCount: sizes.stateWidth, hasFreeRows: false),
                RowPart("dt", rowCount: sizes.heads),
            ])
        convWeight = builder.parameter(
            .convolution, [sizes.channels, 1, sizes.taps], role: .vector,
            initialization: start.convolution)
        convBias = builder.parameter(
            .convolutionBias, [sizes.channels], role: .vector, initialization: .zeros)
        norm = sizes.normGroups == nil ? nil : builder.gain(sizes.width)
        outProjection = builder.hiddenMatrix(
            .outputProjection, [sizes.hiddenSize, sizes.width],
            initialization: start.outProjection,
            symmetryFree: norm == nil ? [.rows, .columns] : .rows)
    }

    /// The matrix that maps the mixer's input to z, x, B, C and dt.
    var projections: [(weight: Parameter, scale: Float)] { [(inProjection, Float(scales.ssmIn))] }

    /// The output of the mixer, to be added to the residual stream.
    ///
    /// - Parameters:
    ///   - p: z, x, B, C and dt next to each other, `[R, rows of in_proj]`.
    ///   - segments: documents among the rows.
    ///   - memory: what the segments continue.
    ///   - convScale: of `Mamba2MixerSizes`.
    ///   - observe: takes the input of the output projection.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    func callAsFunction(
        _ p: Tensor, _ segments: Segments, _ memory: LayerMemory?, convScale: Tensor,
        observe: Observer?, on tape: inout Tape
    ) -> Tensor {
        let (width, channels, stateWidth) = (sizes.width, sizes.channels, sizes.stateWidth)
        let z = p.columns(0..<width)
        let xBC = p.columns(width..<width + channels)
        let dt = p.columns(width + channels..<sizes.inProjectionRows)
        let mixed = causalConv1d(
            xBC, weight: convWeight, bias: convBias, scale: convScale, segments: segments,
            histories: memory?.convolutionHistories ?? [], on: &tape)
        memory?.extendConvolution(xBC)
        let y = ssdScan(
            x: mixed.columns(0..<width), b: mixed.columns(width..<width + stateWidth),
            c: mixed.columns(width + stateWidth..<channels), dt: dt, dtBias: dtBias, aLog: aLog,
            d: d, stepScale: Float(scales.ssm.dt),
            shape: SSDShape(
                heads: sizes.heads, headDimension: sizes.headDimension, groups: sizes.groups,
                stateSize: sizes.stateSize, chunkLength: sizes.chunkLength),
            segments: segments, states: memory?.scanStates ?? [], on: &tape)
        let gated = gatedRMSNorm(
            y, gate: z, gain: norm, groups: sizes.normGroups ?? 1, gateScale: Float(scales.ssm.z),
            epsilon: sizes.epsilon, on: &tape)
        observe?(ActivationPlace(.scanOutput, block: block), gated)
        return linear(gated, outProjection, scale: Float(scales.ssmOut), on: &tape)
    }
}

// Alone in its block, it maps its input itself.
extension Mamba2Mixer: SequenceMixer {
    func callAsFunction(
        _ u: Tensor, _ segments: Segments, _ memory: LayerMemory?, convScale: Tensor,
        on tape: inout Tape
    ) -> Tensor {
        let projected = linear(u, projections, on: &tape)[0]
        return self(projected, segments, memory, convScale: convScale, observe: nil, on: &tape)
    }
}
