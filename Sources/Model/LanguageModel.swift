import FalconTensor

/// A model that predicts the next token, as training, scoring, generation and files use it.
///
/// There is one class per architecture; `ModelConfiguration` chooses it for a recipe or file.
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
    ///   - device: the device to run on.
    ///   - withGradients: whether it will be trained.
    ///   - share: the elements that are updated here; nil for all; see `ParameterTable.allocate`.
    ///   - summing: whether gradients are added up in a buffer of their own before an update.
    func allocate(
        on device: Device, withGradients: Bool, share: ParameterShare?, summing: Bool)

    /// The memory of the model before the first token.
    ///
    /// - Parameter device: the device to run on.
    /// - Returns: the memory of one sequence.
    func makeState(on device: Device) -> GenerationState

    /// The matrix that makes logits, and their fixed multiplier.
    var outputHead: (weight: Parameter, scale: Float) { get }

    /// The input of the first block.
    ///
    /// - Parameters:
    ///   - tokens: `[R]`, each in `0..<vocab_size`.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    func embed(_ tokens: IndexTensor, on tape: inout Tape) -> Tensor

    /// Prepares the values that the blocks share in one pass.
    ///
    /// - Parameters:
    ///   - pass: the documents among the rows, and the purpose of this pass.
    ///   - device: the device to run on.
    /// - Returns: a function that runs one block on the residual stream `[R, D]`.
    func makeBlocks(for pass: ForwardPass, on device: Device) -> BlockFunction

    /// The norm after the last block.
    ///
    /// - Parameters:
    ///   - h: the residual stream, `[R, D]`.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    func normalize(_ h: Tensor, on tape: inout Tape) -> Tensor
}

/// Runs the block with a number on the residual stream `[R, D]` and returns the stream after it.
public typealias BlockFunction = (_ index: Int, _ h: Tensor, _ tape: inout Tape) -> Tensor

/// Takes an activation and its place in the model.
public typealias Observer = (_ place: ActivationPlace, _ activation: Tensor) -> Void

/// The purpose of one pass of tokens through the blocks of a model.
public struct ForwardPass {
    /// Documents among the rows; nothing crosses their borders.
    public var segments: Segments
    /// For each segment, the memory of the tokens before it, or nil for none; empty for none at all.
    ///
    /// A memory needs a tape that does not record. One that advances belongs to one segment.
    public var memories: [SegmentMemory?]
    /// Takes contiguous activations on the way: the input of the first block; for each block, the
    /// outputs of its branches and the residual stream after it.
    public var observe: Observer?

    /// A pass.
    ///
    /// - Parameters:
    ///   - segments: documents among the rows.
    ///   - memories: for each segment the memory of the tokens before it; empty for none.
    ///   - observe: takes activations on the way.
    public init(
        segments: Segments, memories: [SegmentMemory?] = [], observe: Observer? = nil
    ) {
        precondition(
            memories.isEmpty || memories.count == segments.count,
            "ForwardPass: \(memories.count) memories, \(segments.count) segments")
        self.segments = segments
        self.memories = memories
        self.observe = observe
    }

    /// What the segments continue in a layer; nil for nothing.
    func memory(ofLayer index: Int, on device: Device) -> LayerMemory? {
        memories.isEmpty ? nil : LayerMemory(self, layer: index, on: device)
    }

    /// The position of every row in its document: `[R]`.
    var positions: [Int32] {
        segments.ranges.enumerated().flatMap { index, rows in
            let start = memories.isEmpty ? 0 : memories[index]?.state.position ?? 0
            return (start..<start + rows.count).map(Int32.init)
        }
    }
}

extension LanguageModel {
    /// Takes memory for the weights, all zero; what is trained is updated here.
    ///
    /// - Parameters:
    ///   - device: the device to run on.
    ///   - withGradients: whether it will be trained.
    public func allocate(on device: Device, withGradients: Bool) {
        allocate(on: device, withGradients: withGradients, share: nil, summing: false)
    }

    /// The normed output of the last block.
    ///
    /// - Parameters:
    ///   - tokens: `[R]`, each in `0..<vocab_size`.
    ///   - segments: documents among the rows; nothing crosses their borders.
    ///   - memories: for each segment the memory of the tokens before it; see `ForwardPass`.
    ///   - recompute: the part of each block that backward computes again.
    ///   - observe: takes activations on the way; see `ForwardPass`.
    ///   - onStage: called during the backward pass as stages are over, all but the end.
    ///   - tape: the tape to run on.
    /// - Returns: `[R, D]`.
    public func hidden(
        _ tokens: IndexTensor, segments: Segments, memories: [SegmentMemory?] = [],
        recompute: Recompute = .none, observe: Observer? = nil,
        onStage: ((BackwardStage) -> Void)? = nil, on tape: inout Tape
    ) -> Tensor {
        let pass = ForwardPass(segments: segments, memories: memories, observe: observe)
        let block = makeBlocks(for: pass, on: tape.device)
        var h = embed(tokens, on: &tape)
        observe?(ActivationPlace(.embedding), h)
        for index in 0..<configuration.numHiddenLayers {
            tape.mark(.block(index), onStage)
            h = tape.block(h, recompute: recompute) { h, tape in block(index, h, &tape) }
            observe?(ActivationPlace(.residual, block: index), h)
        }
        tape.mark(.head, onStage)
        for case (let memory?, let rows) in zip(memories, segments.ranges) where memory.advances {
            memory.state.position += rows.count
        }
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
    ///   - tape: the tape to run on.
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
