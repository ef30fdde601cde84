/// The operations of a device: memory, and one requirement per kernel.
///
/// Ops check shapes and call these; nothing above knows which device runs. Arguments come outputs
/// first; tensors may be row-strided views. Gradients of activations go where a target says, those of
/// parameters are added into.
package protocol Backend: AnyObject {
    /// The division over threads of the calls so far.
    var parallelWork: ParallelWork { get }

    // Memory.

    /// The least that the arena asks for at a time, in bytes; it asks for less if that is refused.
    var slabByteCount: Int { get }
    /// A block of device memory, 64-byte aligned; nil if there is none of that size.
    func allocate(byteCount: Int) -> UnsafeMutableRawPointer?
    /// Gives a block back.
    func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int)
    /// The contents of a part of a block are no longer needed; its memory may serve others.
    func discard(_ pointer: UnsafeMutableRawPointer, byteCount: Int)
    /// Kernels take their scratch from this arena, which outlives every call but not the backend.
    func useScratch(of arena: Arena)
    /// Copies from the host to the device.
    func write(_ source: UnsafeRawBufferPointer, to destination: UnsafeMutableRawPointer)
    /// Copies from the device to the host.
    func read(_ source: UnsafeRawPointer, into destination: UnsafeMutableRawBufferPointer)
    /// y = value.
    func fill(_ y: Tensor, with value: Float)
    /// Fills a contiguous tensor with new weights; every number is a function of the key of its
    /// `RandomStream` and of its place, the same bits on every device.
    func initialize(_ y: Tensor, _ initialization: Initialization, key: UInt64)
    /// y = scale · x.
    func copy(from x: Tensor, to y: Tensor, scale: Float)
    /// y += scale · x.
    func add(_ x: Tensor, to y: Tensor, scale: Float)

    // Products and sums.

    /// c = alpha · op(a) op(b) + beta · c, with op a transposition or nothing; c is only written when
    /// beta is 0.
    func matmul(
        _ c: Tensor, _ a: Tensor, _ b: Tensor, transposeA: Bool, transposeB: Bool, alpha: Float,
        beta: Float)
    /// outputs[i] = scales[i] · input weights[i]ᵀ.
    func linearForward(
        _ outputs: [Tensor], input: Tensor, weights: [WeightMatrix], scales: [Float])
    /// Elements of a weight matrix as products read it, in the backend's own layout; nil where keeping it
    /// so does not pay.
    func packedElements(rows: Int, columns: Int) -> (kind: ElementKind, count: Int)?
    /// Writes a weight matrix as products read it.
    func packWeights(_ packed: Tensor, _ weight: Tensor)
    /// dWeights[i] += scales[i] · dOutputs[i]ᵀ input and
    /// dInput = Σ scales[i] · dOutputs[i] weights[i].
    func linearBackward(
        dInput: GradientTarget, dWeights: [Tensor], dOutputs: [Tensor], input: Tensor,
        weights: [Tensor], scales: [Float])
    /// y = a + (b + c).
    func sum(_ y: Tensor, _ a: Tensor, _ b: Tensor, _ c: Tensor?)
    /// Σ x, in double, in the order of the elements of a contiguous tensor.
    func total(_ x: Tensor) -> DeviceNumber
    /// Σ x², in double.
    func sumOfSquares(_ x: Tensor) -> DeviceNumber
    /// y = x / max(√Σ x², floor), contiguous both.
    func normalize(_ x: Tensor, to y: Tensor, floor: Double)

    // Tokens.

    /// y[r] = scale · multiplier · table[tokens[r]].
    func embeddingForward(_ y: Tensor, _ inputs: EmbeddingInputs)
    /// dTable[tokens[r]] += scale · multiplier · dy[r], but not for the padding token;
    /// dMultiplier [1] += scale · Σ dy · table[token].
    func embeddingBackward(
        dTable: Tensor, dMultiplier: Tensor?, dy: Tensor, padding: Int32?, _ inputs: EmbeddingInputs
    )
    /// y = x rotated by positions (direction +1), or the gradient of x rotated back (−1).
    func rotary(
        _ y: GradientTarget, x: Tensor, positions: IndexTensor, table: RotaryTable,
        direction: Float)
    /// Losses of rows of logits, which become gradients when `gradientScale` is not 0.
    func crossEntropy(
        losses: Tensor, best: IndexTensor?, logits: Tensor, targets: IndexTensor, firstRow: Int,
        zLoss: Float, gradientScale: Float)

    // Norms and gates.

    /// y = gain ⊙ v ⊙ r, v = x ⊙ silu(gateScale · gate), r = the inverse RMS of each row's ranges, which
    /// is saved `[R, ranges]`. Without room for r there is no norm, and without gate or gain nothing in
    /// their place.
    func normForward(_ y: Tensor, inverseRMS: Tensor?, _ inputs: NormInputs)
    func normBackward(
        _ gradients: NormGradients, dy: Tensor, inverseRMS: Tensor?, _ inputs: NormInputs)
    /// y = up ⊙ silu(gate).
    func swiGLUForward(_ y: Tensor, gate: Tensor, up: Tensor)
    func swiGLUBackward(
        dGate: GradientTarget, dUp: GradientTarget, dy: Tensor, gate: Tensor, up: Tensor)

    // Sequences: nothing crosses a segment border.

    /// Causal attention; the log of each softmax's sum is saved `[heads, R]`.
    func attentionForward(_ y: Tensor, logSumExp: Tensor, _ inputs: AttentionInputs)
    func attentionBackward(
        dQuery: GradientTarget, dKey: GradientTarget, dValue: GradientTarget, dy: Tensor, y: Tensor,
        logSumExp: Tensor,
        _ inputs: AttentionInputs)
    /// Causal depthwise convolution, bias and SiLU.
    func convolutionForward(_ y: Tensor, _ inputs: ConvolutionInputs)
    func convolutionBackward(
        dx: GradientTarget, dWeight: Tensor, dBias: Tensor, dy: Tensor, _ inputs: ConvolutionInputs)
    /// The shapes of the tensors that a Mamba-2 scan needs room for, in the backend's own layout:
    /// its saved tensors if it is run for backward, otherwise its working memory.
    func ssdRoom(_ inputs: SSDInputs, forBackward: Bool) -> [[Int]]
    /// The Mamba-2 scan; writes the final state and everything in `room`.
    func ssdForward(_ y: Tensor, room: [Tensor], _ inputs: SSDInputs)
    func ssdBackward(_ gradients: SSDGradients, dy: Tensor, room: [Tensor], _ inputs: SSDInputs)
    /// The same for the Mamba-1 scan.
    func selectiveScanRoom(_ inputs: SelectiveScanInputs, forBackward: Bool) -> [[Int]]
    func selectiveScanForward(_ y: Tensor, room: [Tensor], _ inputs: SelectiveScanInputs)
    func selectiveScanBackward(
        _ gradients: SelectiveScanGradients, dy: Tensor, room: [Tensor],
        _ inputs: SelectiveScanInputs)

    // Updates.

    /// The sum of squares of the last AdamW update, decay left out, from the moments after it.
    func adamWUpdateSquares(
        firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep
    ) -> Double
    /// Muon's momentum and the update before it is made orthogonal; the gradient is zero afterwards.
    func muonMomentum(
        _ buffer: Tensor, update: Tensor, gradient: Tensor, momentum: Float, nesterov: Bool,
        clip: Float)
    /// weights = keep · weights − rate · update.
    func decayedStep(_ weights: Tensor, update: Tensor, keep: Float, rate: Float)
    /// values = diag(r) masters diag(c); r is one number per row or one for all, nil is 1.
    func scaleRowsColumns(_ values: Tensor, of masters: Tensor, rows: Tensor?, columns: Tensor?)
    /// The gradient of diag(r) masters diag(c) becomes that of the masters, in place, and the
    /// gradients of r and c are added to `dRows` and `dColumns`.
    func splitScaledGradient(
        _ gradient: Tensor, dRows: Tensor?, dColumns: Tensor?, masters: Tensor, rows: Tensor?,
        columns: Tensor?)
    /// One AdamW step on flat, contiguous buffers; the gradient is zero afterwards.
    func adamW(
        weights: Tensor, firstMoment: Tensor, secondMoment: Tensor, gradient: Tensor,
        step: AdamWStep)
}

/// The weights of a product, `[O, I]`.
package struct WeightMatrix {
    /// The weights themselves.
    package let value: Tensor
    /// The same in the backend's own layout and precision, from `packWeights`; nil if there is none.
    package let packed: Tensor?

    package init(_ value: Tensor, packed: Tensor? = nil) {
        (self.value, self.packed) = (value, packed)
    }
}

/// The numbers of one AdamW step.
package struct AdamWStep: Sendable, Equatable {
    package var clip: Float
    package var learningRate: Float
    package var weightDecay: Float
    package var beta1: Float
    package var beta2: Float
    package var epsilon: Float
    /// 1 − beta1ᵗ.
    package var correction1: Float
    /// 1 − beta2ᵗ.
    package var correction2: Float

    package init(
        clip: Float, learningRate: Float, weightDecay: Float, beta1: Float, beta2: Float,
        epsilon: Float, correction1: Float, correction2: Float
    ) {
        self.clip = clip
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.correction1 = correction1
        self.correction2 = correction2
    }
}
