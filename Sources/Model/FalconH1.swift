import FalconTensor

// R rows (tokens of all documents), D hidden_size, I intermediate_size, C convolution channels,
// H state-space heads, P values a head, G groups, N state size, K convolution taps.

/// Falcon-H1: every block adds attention and Mamba-2 of the same normed input to the residual
/// stream, and then a gated MLP.
///
///     h = E[tokens] · embedding_multiplier
///     each block:  u = norm(h);  h = h + (ssm(u) + attention(u));  h = h + mlp(norm(h))
///     logits = norm(h) W_headᵀ · lm_head_multiplier
///
/// - SeeAlso: arXiv 2507.22448; parameters carry Hugging Face's names.
public final class FalconH1: LanguageModel {
    /// Sizes and multipliers.
    public let sizes: FalconH1Configuration
    /// Every parameter, in the order of its declaration.
    public let table: ParameterTable
    private let embeddingTable: Parameter
    /// The learnable multiplier of an embedding that is also the head and cannot be scaled itself.
    private let embeddingMultiplier: Parameter?
    private let blocks: [FalconH1Block]
    private let finalNorm: Parameter
    private let head: Parameter
    private var constants: FalconH1Constants?

    /// Declares a model; nothing is allocated.
    ///
    /// - Parameters:
    ///   - configuration: without problems.
    ///   - multipliers: the learnable multipliers of matrices; nil for none.
    ///   - initialBase: the shape from which muP scales the deviations of initial matrices; nil
    ///     leaves them at `initializer_range`.
    public init(
        _ configuration: FalconH1Configuration, multipliers: MultiplierPlacement? = nil,
        initialBase: FalconH1Widths? = nil
    ) {
        sizes = configuration
        let builder = ModelBuilder(FalconH1Configuration.parameterNames)
        let (d, v) = (configuration.hiddenSize, configuration.vocabSize)
        let deviation = Float(configuration.initializerRange)
        let deviations = FalconH1Deviations(configuration, base: initialBase)
        let isTied = configuration.tieWordEmbeddings
        embeddingTable = builder.part(.embedding).parameter(
            .matrix, [v, d], role: .embedding,
            initialization: .normal(
                deviation: deviation,
                zeroRow: configuration.initialization == .transformers
                    ? Int(FalconH1Configuration.padTokenID) : nil),
            multiplierRoom: isTied ? .none : .matrix(symmetryFree: [.rows, .columns]))
        embeddingMultiplier =
            isTied && multipliers != nil
            ? builder.part(.embedding).parameter(
                .multiplier, [1], role: .multiplier, initialization: .ones) : nil
        blocks = (0..<configuration.numHiddenLayers).map { index in
            FalconH1Block(configuration, deviations, builder, index)
        }
        finalNorm = builder.part(.finalNorm).gain(d)
        head =
            isTied
            ? embeddingTable
            : builder.part(.head).parameter(
                .matrix, [v, d], role: .outputMatrix,
                initialization: .normal(deviation: deviation), multiplierRoom: .head)
        table = ParameterTable(builder.parameters, multipliers: multipliers)
    }

    /// Sizes and multipliers.
    public var configuration: ModelConfiguration { ModelConfiguration(sizes) }

    /// The configuration without learnable multipliers: that of a tied embedding, which cannot be
    /// scaled itself, goes into `embedding_multiplier`.
    public var exportedConfiguration: ModelConfiguration {
        var result = sizes
        if let embeddingMultiplier {
            result.multipliers.embedding *= Double(embeddingMultiplier.value.toArray()[0])
        }
        return ModelConfiguration(result)
    }

    /// Takes memory for the weights; all zero.
    ///
    /// - Parameters:
    ///   - device: the device to run on.
    ///   - withGradients: whether it will be trained.
    ///   - share: the elements that are updated here; nil for all.
    ///   - summing: whether gradients are added up in a buffer of their own before an update.
    public func allocate(
        on device: Device, withGradients: Bool, share: ParameterShare?, summing: Bool
    ) {
        table.allocate(
            on: device, withGradients: withGradients, share: share, summing: summing)
        constants = FalconH1Constants(sizes, on: device)
    }

    /// The memory of every layer: keys and values, the convolution's last rows, the scan's state.
    ///
    /// - Parameter device: the device to run on.
    /// - Returns: the memory of one sequence.
    public func makeState(on device: Device) -> GenerationState {
        let mixer = sizes.hasSSM ? sizes.mixer : nil
        return GenerationState(
            blocks.map { _ in
                GenerationState.Layer(
                    convolution: mixer?.convolutionState, scan: mixer?.scanState, on: device)
            })
    }

    /// The head, or the embedding if they are tied.
    public var outputHead: (weight: Parameter, scale: Float) {
        (head, Float(sizes.multipliers.lmHead))
    }

    /// The embedding with its multipliers.
    ///
    /// - Parameters:
    ///   - tokens: `[R]`, each in `0..<vocab_size`.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    public func embed(_ tokens: IndexTensor, on tape: inout Tape) -> Tensor {
        embedding(
            tokens, embeddingTable, scale: Float(sizes.multipliers.embedding),
            multiplier: embeddingMultiplier, padding: FalconH1Configuration.padTokenID, on: &tape)
    }

    /// Prepares positions and the rotary table.
    ///
    /// - Parameters:
    ///   - pass: the documents among the rows, and the purpose of this pass.
    ///   - device: the device to run on.
    /// - Returns: a function that runs one block on the residual stream `[R, D]`.
    public func makeBlocks(for pass: ForwardPass, on device: Device) -> BlockFunction {
        guard var constants else { preconditionFailure("FalconH1: used before allocate") }
        let positions = pass.positions
        constants.reserve(positions: Int(positions.max() ?? 0) + 1, sizes, on: device)
        self.constants = constants
        let context = FalconH1Context(
            segments: pass.segments, positions: device.indices(positions), constants: constants,
            observe: pass.observe)
        return { [blocks] index, h, tape in
            blocks[index](
                h, context, pass.memory(ofLayer: index, on: device), index: index, on: &tape)
        }
    }

    /// The norm after the last block.
    ///
    /// - Parameters:
    ///   - h: the residual stream, `[R, D]`.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    public func normalize(_ h: Tensor, on tape: inout Tape) -> Tensor {
        rmsNorm(h, gain: finalNorm, epsilon: Float(sizes.rmsNormEps), on: &tape)
    }
}

/// The values that all blocks share in one forward pass.
struct FalconH1Context {
    let segments: Segments
    let positions: IndexTensor
    let constants: FalconH1Constants
    let observe: Observer?
}

/// Tensors that follow from the configuration alone.
struct FalconH1Constants {
    /// The multipliers of the convolution's channels x, B, C: `[C]`.
    let convScale: Tensor
    private(set) var rotary: RotaryTable?

    init(_ configuration: FalconH1Configuration, on device: Device) {
        convScale = configuration.mixer.convScale(configuration.multipliers.ssm, on: device)
    }

    /// Grows the rotary table to at least `positions`, by doubling.
    mutating func reserve(
        positions: Int, _ configuration: FalconH1Configuration, on device: Device
    ) {
        let have = rotary?.positionCount ?? 0
        guard configuration.hasAttention, have < positions else { return }
        rotary = RotaryTable(
            positionCount: max(positions, 2 * have), headDimension: configuration.headDim,
            theta: configuration.ropeTheta, factor: configuration.ropeScalingFactor ?? 1,
            on: device)
    }
}

/// One block: both mixers on the same input, then the MLP.
struct FalconH1Block {
    private let inputNorm: Parameter
    private let attention: FalconH1Attention?
    private let mamba: Mamba2Mixer?
    private let feedForwardNorm: Parameter
    private let feedForward: FalconH1MLP
    private let epsilon: Float

    init(
        _ configuration: FalconH1Configuration, _ deviations: FalconH1Deviations,
        _ builder: ModelBuilder, _ index: Int
    ) {
        func part(_ part: ModelPart) -> PartBuilder { builder.part(part, block: index) }
        inputNorm = part(.inputNorm).gain(configuration.hiddenSize)
        mamba =
            configuration.hasSSM
            ? Mamba2Mixer(
                configuration.mixer, configuration.start(deviations), part(.mamba), index,
                scales: configuration.multipliers) : nil
        attention =
            configuration.hasAttention
            ? FalconH1Attention(configuration, deviations, part(.attention)) : nil
        feedForward = FalconH1MLP(configuration, deviations, part(.feedForward))
        feedForwardNorm = part(.feedForwardNorm).gain(configuration.hiddenSize)
        epsilon = Float(configuration.rmsNormEps)
    }

    func callAsFunction(
        _ h: Tensor, _ context: FalconH1Context, _ memory: LayerMemory?, index: Int,
        on tape: inout Tape
    ) -> Tensor {
        let u = rmsNorm(h, gain: inputNorm, epsilon: epsilon, on: &tape)
        // One op for all that reads u: u is prepared once, its gradient is formed once.
        let projected = linear(
            u, (mamba?.projections ?? []) + (attention?.projections ?? []), on: &tape)
        let ssm = mamba.map {
            $0(
                projected[0], context.segments, memory, convScale: context.constants.convScale,
                observe: context.observe, on: &tape)
        }
        let attended = attention.map {
            $0(Array(projected.suffix(3)), context, memory, on: &tape)
        }
        guard let first = ssm ?? attended else { preconditionFailure("a block without mixers") }
        let mixed = sum(h, first, ssm == nil ? nil : attended, on: &tape)
        let v = rmsNorm(mixed, gain: feedForwardNorm, epsilon: epsilon, on: &tape)
        let wide = feedForward(v, on: &tape)
        if let observe = context.observe {
            let outputs: [(ActivationPlace.Kind, Tensor?)] = [
                (.ssm, ssm), (.attention, attended), (.feedForward, wide),
            ]
            for (kind, output) in outputs {
                if let output { observe(ActivationPlace(kind, block: index), output) }
            }
        }
        return sum(mixed, wide, on: &tape)
    }
}

/// Grouped-query attention with rotary positions; the scales of products include every multiplier.
struct FalconH1Attention {
    private let query: Parameter
    private let key: Parameter
    private let value: Parameter
    private let output: Parameter
    private let configuration: FalconH1Configuration

    init(
        _ configuration: FalconH1Configuration, _ deviations: FalconH1Deviations,
        _ builder: PartBuilder
    ) {
        self.configuration = configuration
        let d = configuration.hiddenSize
        let queryWidth = configuration.numAttentionHeads * configuration.headDim
        let keyWidth = configuration.numKeyValueHeads * configuration.headDim
        // One of q and k is enough: q has a scale for each query head; v has the scales of o's
        // columns.
        query = builder.hiddenMatrix(
            .query, [queryWidth, d], initialization: .normal(deviation: deviations.fromResidual),
            symmetryFree: .rows,
            stack: "qkv")
        key = builder.hiddenMatrix(
            .key, [keyWidth, d], initialization: .normal(deviation: deviations.fromResidual),
            stack: "qkv")
        value = builder.hiddenMatrix(
            .value, [keyWidth, d], initialization: .normal(deviation: deviations.fromResidual),
            stack: "qkv")
        output = builder.hiddenMatrix(
            .outputProjection, [d, queryWidth],
            initialization: .normal(deviation: deviations.fromHeads),
            symmetryFree: [.rows, .columns])
    }

    /// The matrices that map the block's input to queries, keys and values.
    var projections: [(weight: Parameter, scale: Float)] {
        let input = configuration.multipliers.attentionIn
        return [
            (query, Float(input)), (key, Float(input * configuration.multipliers.key)),
            (value, Float(input)),
        ]
    }

    // `projected`: queries, keys and values.
    func callAsFunction(
        _ projected: [Tensor], _ context: FalconH1Context, _ memory: LayerMemory?,
        on tape: inout Tape
    ) -> Tensor {
        guard let table = context.constants.rotary else { preconditionFailure("no rotary table") }
        let q = rotary(projected[0], positions: context.positions, table: table, on: &tape)
        let k = rotary(projected[1], positions: context.positions, table: table, on: &tape)
        let v = projected[2]
        let mixed = causalAttention(
            query: q,
            keyValues: memory?.keyValues(key: k, value: v) ?? [KeyValues(key: k, value: v)],
            heads: configuration.numAttentionHeads,
            keyValueHeads: configuration.numKeyValueHeads, segments: context.segments,
            scale: 1 / Float(configuration.headDim).squareRoot(), on: &tape)
        return linear(
            mixed, output, scale: Float(configuration.multipliers.attentionOut), on: &tape)
    }
}

/// The gated MLP: down(up(v) ⊙ silu(gate(v) · m₀)) · m₁.
struct FalconH1MLP {
    private let gate: Parameter
    private let up: Parameter
    private let down: Parameter
    private let gateScale: Float
    private let downScale: Float

    init(
        _ configuration: FalconH1Configuration, _ deviations: FalconH1Deviations,
        _ builder: PartBuilder
    ) {
        let (d, width) = (configuration.hiddenSize, configuration.intermediateSize)
        // The rows of up are the columns of down.
        gate = builder.hiddenMatrix(
            .gate, [width, d], initialization: .normal(deviation: deviations.fromResidual),
            symmetryFree: .rows)
        up = builder.hiddenMatrix(
            .up, [width, d], initialization: .normal(deviation: deviations.fromResidual))
        down = builder.hiddenMatrix(
            .down, [d, width], initialization: .normal(deviation: deviations.fromIntermediate),
            symmetryFree: [.rows, .columns])
        gateScale = Float(configuration.multipliers.mlp.gate)
        downScale = Float(configuration.multipliers.mlp.down)
    }

    func callAsFunction(_ v: Tensor, on tape: inout Tape) -> Tensor {
        let wide = linear(v, [(gate, gateScale), (up, 1)], on: &tape)
        let gated = swiGLU(gate: wide[0], up: wide[1], on: &tape)
        return linear(gated, down, scale: downScale, on: &tape)
    }
}

extension FalconH1Configuration {
    /// The sizes of the state-space mixer.
    package var mixer: Mamba2MixerSizes {
        Mamba2MixerSizes(
            hiddenSize: self.hiddenSize, heads: self.mambaNHeads, headDimension: self.mambaDHead,
            groups: self.mambaNGroups, stateSize: self.mambaDState, taps: self.mambaDConv,
            chunkLength: self.mambaChunkSize,
            normGroups: self.mambaRmsNorm ? self.mambaNGroups : nil,
            epsilon: Float(self.rmsNormEps))
    }

    /// The initial values of its parameters.
    func start(_ deviations: FalconH1Deviations) -> Mamba2MixerStart {
        let isMamba2 = self.initialization == .mamba2
        let usual = Mamba2MixerStart.self
        return Mamba2MixerStart(
            inProjection: .normal(deviation: deviations.fromResidual),
            outProjection: .normal(deviation: deviations.fromSSM),
            convolution: isMamba2
                ? usual.convolution(taps: self.mambaDConv)
                : .normal(deviation: Float(initializerRange)),
            stepBias: isMamba2 ? usual.stepBias : .ones,
            decay: isMamba2 ? usual.decay : .logOfIndex)
    }
}
