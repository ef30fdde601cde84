import FalconTensor

// R rows (tokens of all documents), D hidden_size, C channels of the convolution, K its taps.

/// The sizes of a model whose every block is one mixer.
protocol MixerSizes: ArchitectureConfiguration {
    /// Added to the mean square in the norms of the residual stream.
    var layerNormEpsilon: Double { get }
    /// The shape of the rows before a sequence that a mixer's convolution remembers, `[K−1, C]`.
    var convolutionState: [Int] { get }
    /// The shape of the state of a mixer's scan.
    var scanState: [Int] { get }

    /// Declares the parameters of a mixer.
    ///
    /// - Parameters:
    ///   - builder: the builder of the mixer's part in its block.
    ///   - block: the number of the block.
    /// - Returns: the mixer.
    func makeMixer(_ builder: PartBuilder, block: Int) -> any SequenceMixer
}

/// A layer that mixes the rows of a document, with a convolution and a scan.
protocol SequenceMixer {
    /// The mixer's addition to the residual stream.
    ///
    /// - Parameters:
    ///   - u: its normed input, `[R, D]`.
    ///   - segments: documents among the rows.
    ///   - memory: what the segments continue.
    ///   - convScale: the multipliers of the convolution's input, `[C]`.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    func callAsFunction(
        _ u: Tensor, _ segments: Segments, _ memory: LayerMemory?, convScale: Tensor,
        on tape: inout Tape
    ) -> Tensor
}

/// A model whose every block is one mixer, such as Falcon-Mamba and Mamba-2.
///
///     h = E[tokens]
///     each block:  h = h + mixer(norm(h))
///     logits = norm(h) W_headᵀ
final class MixerModel: LanguageModel {
    /// Sizes.
    let sizes: any MixerSizes
    /// Every parameter, in the order of its declaration.
    let table: ParameterTable
    private let embeddingTable: Parameter
    private let blocks: [(norm: Parameter, mixer: any SequenceMixer)]
    private let finalNorm: Parameter
    private let head: Parameter
    /// The multipliers of the convolution's input, all 1, one per channel.
    private var convScale: Tensor?

    /// Declares a model; nothing is allocated.
    ///
    /// - Parameters:
    ///   - sizes: without problems.
    ///   - multipliers: the learnable multipliers of matrices; nil for none. A tied
    ///     embedding has none, as exported files could not hold it.
    init(_ sizes: any MixerSizes, multipliers: MultiplierPlacement? = nil) {
        self.sizes = sizes
        let builder = ModelBuilder(sizes.architecture.parameterNames)
        let shape = [sizes.vocabSize, sizes.hiddenSize]
        let normal = Initialization.normal(deviation: Float(sizes.initializerRange))
        embeddingTable = builder.part(.embedding).parameter(
            .matrix, shape, role: .embedding, initialization: normal,
            multiplierRoom: sizes.tieWordEmbeddings
                ? .none : .matrix(symmetryFree: [.rows, .columns]))
        blocks = (0..<sizes.numHiddenLayers).map { index in
            (
                builder.part(.inputNorm, block: index).gain(sizes.hiddenSize),
                sizes.makeMixer(builder.part(.mamba, block: index), block: index)
            )
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
    var configuration: ModelConfiguration { ModelConfiguration(sizes) }
    /// The sizes: learnable multipliers go into the matrices alone.
    var exportedConfiguration: ModelConfiguration { configuration }
    /// The head, or the embedding if they are tied.
    var outputHead: (weight: Parameter, scale: Float) { (head, 1) }

    /// Takes memory for the weights; all zero.
    ///
    /// - Parameters:
    ///   - device: the device to run on.
    ///   - withGradients: whether it will be trained.
    ///   - share: the elements that are updated here; nil for all.
    ///   - summing: whether gradients are added up in a buffer of their own before an update.
    func allocate(
        on device: Device, withGradients: Bool, share: ParameterShare?, summing: Bool
    ) {
        table.allocate(
            on: device, withGradients: withGradients, share: share, summing: summing)
        let channels = sizes.convolutionState[1]
        convScale = device.tensor(Array(repeating: 1, count: channels), shape: [channels])
    }

    /// The convolution's last rows and the scan's state in every layer: one size for any text.
    ///
    /// - Parameter device: the device to run on.
    /// - Returns: the memory of one sequence.
    func makeState(on device: Device) -> GenerationState {
        GenerationState(
            blocks.map { _ in
                GenerationState.Layer(
                    convolution: sizes.convolutionState, scan: sizes.scanState, on: device)
            })
    }

    /// The embedding.
    ///
    /// - Parameters:
    ///   - tokens: `[R]`, each in `0..<vocab_size`.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    func embed(_ tokens: IndexTensor, on tape: inout Tape) -> Tensor {
        embedding(tokens, embeddingTable, scale: 1, on: &tape)
    }

    /// Prepares a pass.
    ///
    /// - Parameters:
    ///   - pass: the documents among the rows, and the purpose of this pass.
    ///   - device: the device to run on.
    /// - Returns: a function that runs one block on the residual stream `[R, D]`.
    func makeBlocks(for pass: ForwardPass, on device: Device) -> BlockFunction {
        guard let convScale else { preconditionFailure("MixerModel: used before allocate") }
        let epsilon = Float(sizes.layerNormEpsilon)
        return { [blocks] index, h, tape in
            let (norm, mixer) = blocks[index]
            let u = rmsNorm(h, gain: norm, epsilon: epsilon, on: &tape)
            let mixed = mixer(
                u, pass.segments, pass.memory(ofLayer: index, on: device),
                convScale: convScale, on: &tape)
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
    func normalize(_ h: Tensor, on tape: inout Tape) -> Tensor {
        rmsNorm(h, gain: finalNorm, epsilon: Float(sizes.layerNormEpsilon), on: &tape)
    }
}
