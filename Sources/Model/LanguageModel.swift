import FalconTensor

/// A model that predicts the next token: what training, scoring, generation and files need of it.
///
/// One class an architecture; which one a recipe or a file means is decided by `ModelConfiguration`.
public protocol LanguageModel: AnyObject {
    /// Sizes and fixed multipliers.
    var configuration: ModelConfiguration { get }
    /// The configuration of the model without learnable multipliers.
    var exportedConfiguration: ModelConfiguration { get }
    /// Every parameter, in the order of its declaration.
    var table: ParameterTable { get }

    /// Takes memory for the weights; all zero.
    ///
    /// - Parameters:
    ///   - device: where the model runs.
    ///   - withGradients: whether it will be trained.
    func allocate(on device: Device, withGradients: Bool)

    /// What the model remembers before the first token.
    ///
    /// - Parameter device: where the model runs.
    /// - Returns: the memory of one sequence.
    func makeState(on device: Device) -> GenerationState

    /// The matrix that makes logits, and the fixed multiplier of these.
    var outputHead: (weight: Parameter, scale: Float) { get }

    /// What enters the first block.
    ///
    /// - Parameters:
    ///   - tokens: `[R]`, each in `0..<vocab_size`.
    ///   - tape: where the model runs.
    /// - Returns: `[R, D]`.
    func embed(_ tokens: IndexTensor, on tape: inout Tape) -> Tensor

    /// Prepares what the blocks share in one pass.
    ///
    /// - Parameters:
    ///   - pass: the documents among the rows, and what this pass is for.
    ///   - device: where the model runs.
    /// - Returns: runs one block on the residual stream `[R, D]`.
    func makeBlocks(for pass: ForwardPass, on device: Device) -> BlockFunction

    /// The norm after the last block.
    ///
    /// - Parameters:
    ///   - h: the residual stream, `[R, D]`.
    ///   - tape: where the model runs.
    /// - Returns: `[R, D]`.
    func normalize(_ h: Tensor, on tape: inout Tape) -> Tensor
}

/// Runs the block of a number on the residual stream `[R, D]` and returns the stream after it.
public typealias BlockFunction = (_ index: Int, _ h: Tensor, _ tape: inout Tape) -> Tensor

/// Told an activation and where it stands in the model.
public typealias Observer = (_ place: ActivationPlace, _ activation: Tensor) -> Void

/// What one run of tokens through the blocks of a model is for.
public struct ForwardPass {
    /// Documents among the rows; nothing crosses their borders.
    public var segments: Segments
    /// What came before the rows, for generation: one segment, and a tape that does not record; it is
    /// moved past the rows.
    public var state: GenerationState?
    /// Shown activations, contiguous, on the way: what enters the first block; of each block what its
    /// branches add, and the residual stream after it.
    public var observe: Observer?

    /// A pass.
    ///
    /// - Parameters:
    ///   - segments: documents among the rows.
    ///   - state: what came before the rows; nil for nothing.
    ///   - observe: shown activations on the way.
    public init(segments: Segments, state: GenerationState? = nil, observe: Observer? = nil) {
        self.segments = segments
        self.state = state
        self.observe = observe
    }
}

extension LanguageModel {
    /// The normed output of the last block.
    ///
    /// - Parameters:
    ///   - tokens: `[R]`, each in `0..<vocab_size`.
    ///   - segments: documents among the rows; nothing crosses their borders.
    ///   - state: what came before the rows, for generation; see `ForwardPass`.
    ///   - recompute: what of each block backward computes a second time.
    ///   - observe: shown activations on the way; see `ForwardPass`.
    ///   - tape: where the model runs.
    /// - Returns: `[R, D]`.
    public func hidden(
        _ tokens: IndexTensor, segments: Segments, state: GenerationState? = nil,
        recompute: Recompute = .none, observe: Observer? = nil, on tape: inout Tape
    ) -> Tensor {
        let pass = ForwardPass(segments: segments, state: state, observe: observe)
        let block = makeBlocks(for: pass, on: tape.device)
        var h = embed(tokens, on: &tape)
        observe?(ActivationPlace(.embedding), h)
        for index in 0..<configuration.numHiddenLayers {
            h = tape.block(h, recompute: recompute) { h, tape in block(index, h, &tape) }
            observe?(ActivationPlace(.residual, block: index), h)
        }
        state?.position += tokens.count
        return normalize(h, on: &tape)
    }

    /// The losses of the next tokens; the root of the backward pass.
    ///
    /// - Parameters:
    ///   - hidden: `[R, D]` from `hidden`.
    ///   - targets: `[R]`, −1 where nothing is scored.
    ///   - zLoss: weight of the squared log of the softmax's sum; 0 is off.
    ///   - gradientScale: d loss / d(one token's loss).
    ///   - wantsBest: whether the most probable tokens are returned.
    ///   - tape: where the model runs.
    /// - Returns: losses `[R]` in nats.
    public func losses(
        _ hidden: Tensor, targets: IndexTensor, zLoss: Float = 0, gradientScale: Float = 1,
        wantsBest: Bool = false, on tape: inout Tape
    ) -> TokenLosses {
        headCrossEntropy(
            hidden, outputHead.weight, targets: targets, scale: outputHead.scale, zLoss: zLoss,
            gradientScale: gradientScale, wantsBest: wantsBest, on: &tape)
    }

    /// The logits of some rows.
    ///
    /// - Parameters:
    ///   - hidden: `[R, D]` from `hidden`.
    ///   - tape: one that does not record.
    /// - Returns: `[R, V]`.
    public func logits(_ hidden: Tensor, on tape: inout Tape) -> Tensor {
        precondition(!tape.isRecording, "logits: for evaluation only; train with losses")
        return linear(hidden, outputHead.weight, scale: outputHead.scale, on: &tape)
    }
}
