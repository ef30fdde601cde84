import FalconTensor

// R rows (tokens of all documents), D hidden_size, C intermediate_size (channels), N state_size, K
// convolution taps, T time_step_rank.

/// Falcon-Mamba: every block is one Mamba-1 mixer, whose time step, B and C are normed without gains.
///
///     h = E[tokens]
///     each block:  h = h + mixer(norm(h))
///     logits = norm(h) W_headᵀ
///
/// - SeeAlso: arXiv 2410.05355; parameters carry Hugging Face's names.
public final class FalconMamba: LanguageModel {
    /// Sizes.
    public let sizes: FalconMambaConfiguration
    /// Every parameter, in the order of its declaration.
    public let table: ParameterTable
    private let embeddingTable: Parameter
    private let blocks: [FalconMambaBlock]
    private let finalNorm: Parameter
    private let head: Parameter
    /// The multipliers of the convolution's input, all 1: `[C]`.
    private var convScale: Tensor?

    /// Declares a model; nothing is allocated.
    ///
    /// - Parameters:
    ///   - sizes: without problems.
    ///   - multipliers: the learnable multipliers of matrices; nil for none. A tied
    ///     embedding has none, as exported files could not hold it.
    public init(_ sizes: FalconMambaConfiguration, multipliers: MultiplierPlacement? = nil) {
        self.sizes = sizes
        let builder = ModelBuilder(FalconMambaConfiguration.parameterNames)
        let shape = [sizes.vocabSize, sizes.hiddenSize]
        let normal = Initialization.normal(deviation: Float(sizes.initializerRange))
        embeddingTable = builder.part(.embedding).parameter(
            .matrix, shape, role: .embedding, initialization: normal,
            multiplierRoom: sizes.tieWordEmbeddings
                ? .none : .matrix(symmetryFree: [.rows, .columns]))
        blocks = (0..<sizes.numHiddenLayers).map {
            FalconMambaBlock(sizes, builder, $0)
        }
        finalNorm = builder.part(.finalNorm).gain(sizes.hiddenSize)
        head =
            sizes.tieWordEmbeddings
            ? embeddingTable
            : builder.part(.head).parameter(
                .matrix, shape, role: .outputMatrix, initialization: normal,
                multiplierRoom: .head)
        table = ParameterTable(builder.parameters, multipliers: multipliers)
    }

    /// Sizes.
    public var configuration: ModelConfiguration { ModelConfiguration(sizes) }
    /// The sizes: learnable multipliers go into the matrices alone.
    public var exportedConfiguration: ModelConfiguration { configuration }
    /// The head, or the embedding if they are tied.
    public var outputHead: (weight: Parameter, scale: Float) { (head, 1) }

    /// Takes memory for the weights; all zero.
    ///
    /// - Parameters:
    ///   - device: the device to run on.
    ///   - withGradients: whether it will be trained.
    public func allocate(on device: Device, withGradients: Bool) {
        table.allocate(on: device, withGradients: withGradients)
        convScale = device.tensor(
            Array(repeating: 1, count: sizes.intermediateSize), shape: [sizes.intermediateSize])
    }

    /// The convolution's last rows and the scan's state in every layer: one size for any text.
    ///
    /// - Parameter device: the device to run on.
    /// - Returns: the memory of one sequence.
    public func makeState(on device: Device) -> GenerationState {
        GenerationState(
            blocks.map { _ in
                GenerationState.Layer(
                    convolution: [sizes.convKernel - 1, sizes.intermediateSize],
                    scan: [sizes.stateSize, sizes.intermediateSize], on: device)
            })
    }

    /// The embedding.
    ///
    /// - Parameters:
    ///   - tokens: `[R]`, each in `0..<vocab_size`.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    public func embed(_ tokens: IndexTensor, on tape: inout Tape) -> Tensor {
        embedding(tokens, embeddingTable, scale: 1, on: &tape)
    }

    /// Prepares a pass.
    ///
    /// - Parameters:
    ///   - pass: the documents among the rows, and the purpose of this pass.
    ///   - device: the device to run on.
    /// - Returns: a function that runs one block on the residual stream `[R, D]`.
    public func makeBlocks(for pass: ForwardPass, on device: Device) -> BlockFunction {
        guard let convScale else { preconditionFailure("FalconMamba: used before allocate") }
        return { [blocks] index, h, tape in
            let mixed = blocks[index](
                h, pass.segments, pass.state?.layers[index], convScale: convScale, on: &tape)
            pass.observe?(ActivationPlace(.ssm, block: index), mixed)
            return sum(h, mixed, on: &tape)
        }
    }

    /// The norm after the last block.
    ///
    /// - Parameters:
    ///   - h: the residual stream, `[R, D]`.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    public func normalize(_ h: Tensor, on tape: inout Tape) -> Tensor {
        rmsNorm(h, gain: finalNorm, epsilon: Float(sizes.layerNormEpsilon), on: &tape)
    }
}

/// One block: norm, projection to x and z, convolution, scan, gate, projection back; the output is
/// added to the residual stream.
struct FalconMambaBlock {
    private let norm: Parameter
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

    init(_ sizes: FalconMambaConfiguration, _ builder: ModelBuilder, _ index: Int) {
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
        norm = builder.part(.inputNorm, block: index).gain(width)
        let mixer = builder.part(.mamba, block: index)
        aLog = mixer.parameter(
            .decay, [channels, sizes.stateSize], role: .stateSpace, initialization: .logOfIndex)
        d = mixer.parameter(.skip, [channels], role: .stateSpace, initialization: .ones)
        convWeight = mixer.parameter(
            .convolution, [channels, 1, sizes.convKernel], role: .vector,
            initialization: uniform(fanIn: sizes.convKernel))
        convBias = mixer.parameter(
            .convolutionBias, [channels], role: .vector, initialization: .zeros)
        // The filters of the convolution already scale x.
        inProjection = mixer.parameter(
            .inputProjection, [2 * channels, width], role: .hiddenMatrix,
            initialization: matrix(fanIn: width),
            rowParts: [
                RowPart("x", rowCount: channels, hasFreeRows: false),
                RowPart("z", rowCount: channels),
            ], multiplierRoom: .matrix(symmetryFree: .rows))
        // The norms after it remove a common scale of each part, but not those of single rows.
        xProjection = mixer.parameter(
            .selectionProjection, [sizes.xProjRows, channels], role: .hiddenMatrix,
            initialization: matrix(fanIn: channels),
            rowParts: [
                RowPart("dt", rowCount: rank), RowPart("B", rowCount: sizes.stateSize),
                RowPart("C", rowCount: sizes.stateSize),
            ], multiplierRoom: .matrix(symmetryFree: [.rows, .columns]))
        dtProjection = mixer.parameter(
            .stepProjection, [channels, rank], role: .hiddenMatrix,
            initialization: uniform(fanIn: rank),
            multiplierRoom: .matrix(symmetryFree: [.rows, .columns]))
        dtBias = mixer.parameter(
            .stepBias, [channels], role: .stateSpace,
            initialization: .inverseSoftplusLogUniform(low: 1e-3, high: 0.1, floor: 1e-4))
        let depth = sizes.initialization == .mamba ? Float(sizes.numHiddenLayers).squareRoot() : 1
        outProjection = mixer.parameter(
            .outputProjection, [width, channels], role: .hiddenMatrix,
            initialization: uniform(fanIn: channels, 1 / depth),
            multiplierRoom: .matrix(symmetryFree: [.rows, .columns]))
    }

    func callAsFunction(
        _ h: Tensor, _ segments: Segments, _ state: GenerationState.Layer?, convScale: Tensor,
        on tape: inout Tape
    ) -> Tensor {
        let (channels, rank, n) = (sizes.intermediateSize, sizes.timeStepRank, sizes.stateSize)
        let u = rmsNorm(h, gain: norm, epsilon: Float(sizes.layerNormEpsilon), on: &tape)
        let xz = linear(u, inProjection, on: &tape)
        let (x, z) = (xz.columns(0..<channels), xz.columns(channels..<2 * channels))
        let mixed = causalConv1d(
            x, weight: convWeight, bias: convBias, scale: convScale, segments: segments,
            history: state?.convHistory, on: &tape)
        state?.extendConvolution(x, on: tape.device)
        // The time step is normed over its rank, before it is spread over the channels.
        let parts = rmsNorm(
            linear(mixed, xProjection, on: &tape), widths: [rank, n, n],
            epsilon: Float(sizes.mixerRmsEps), on: &tape)
        let delta = linear(parts.columns(0..<rank), dtProjection, on: &tape)
        let y = selectiveScan(
            x: mixed, delta: delta, b: parts.columns(rank..<rank + n),
            c: parts.columns(rank + n..<rank + 2 * n), deltaBias: dtBias, aLog: aLog, d: d,
            segments: segments, initialState: state?.ssmState, finalState: state?.ssmState,
            on: &tape)
        let gated = gatedRMSNorm(
            y, gate: z, gain: nil, groups: 1, gateScale: 1,
            epsilon: Float(sizes.layerNormEpsilon), on: &tape)
        return linear(gated, outProjection, on: &tape)
    }
}
