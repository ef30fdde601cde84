import FalconTensor

/// Kernels that work row by row: norms, gates, tokens, losses.
extension ProfiledBackend {
    /// Bytes of the table rows that some tokens need, each counted once.
    private func rowBytes(of table: Tensor, _ tokens: IndexTensor) -> Int {
        min(tokens.count, table.rowCount) * table.rows(0..<1).byteCount
    }

    package func embeddingForward(_ y: Tensor, _ inputs: EmbeddingInputs) {
        let other = rowBytes(of: inputs.table, inputs.tokens) + inputs.tokens.byteCount
        call("embedding forward", KernelCost(writes: [y], otherBytes: other)) {
            $0.embeddingForward(y, inputs)
        }
    }

    package func embeddingBackward(
        dTable: Tensor, dMultiplier: Tensor?, dy: Tensor, padding: Int32?, _ inputs: EmbeddingInputs
    ) {
        // Rows of the gradient are read and written, those of the table read for the multiplier.
        let passes = dMultiplier == nil ? 2 : 3
        let other = passes * rowBytes(of: dTable, inputs.tokens) + inputs.tokens.byteCount
        call("embedding backward", KernelCost(reads: [dy], otherBytes: other)) {
            $0.embeddingBackward(
                dTable: dTable, dMultiplier: dMultiplier, dy: dy, padding: padding, inputs)
        }
    }

    package func rotary(
        _ y: GradientTarget, x: Tensor, positions: IndexTensor, table: RotaryTable,
        direction: Float
    ) {
        let cost = KernelCost(
            reads: [x], targets: [y],
            otherBytes: positions.byteCount + 2 * rowBytes(of: table.cosine, positions))
        call(direction > 0 ? "rotary forward" : "rotary backward", cost) {
            $0.rotary(y, x: x, positions: positions, table: table, direction: direction)
        }
    }

    package func crossEntropy(
        losses: Tensor, best: IndexTensor?, logits: Tensor, targets: IndexTensor, firstRow: Int,
        zLoss: Float, gradientScale: Float
    ) {
        let writesGradient = gradientScale != 0
        // A loss, a target and perhaps the best token, of 4 bytes each, for each row.
        let other = logits.rowCount * (best == nil ? 8 : 12)
        let cost = KernelCost(
            reads: [writesGradient ? nil : logits], updates: [writesGradient ? logits : nil],
            otherBytes: other)
        call("cross-entropy", cost) {
            $0.crossEntropy(
                losses: losses, best: best, logits: logits, targets: targets, firstRow: firstRow,
                zLoss: zLoss, gradientScale: gradientScale)
        }
    }

    package func normForward(_ y: Tensor, inverseRMS: Tensor?, _ inputs: NormInputs) {
        let cost = KernelCost(
            reads: [inputs.x, inputs.gate, inputs.gain], writes: [y, inverseRMS])
        call(inputs.name + " forward", cost) {
            $0.normForward(y, inverseRMS: inverseRMS, inputs)
        }
    }

    package func normBackward(
        _ gradients: NormGradients, dy: Tensor, inverseRMS: Tensor?, _ inputs: NormInputs
    ) {
        let cost = KernelCost(
            reads: [dy, inverseRMS, inputs.x, inputs.gate, inputs.gain],
            updates: [gradients.gain], targets: [gradients.x] + (gradients.gate.map { [$0] } ?? []))
        call(inputs.name + " backward", cost) {
            $0.normBackward(gradients, dy: dy, inverseRMS: inverseRMS, inputs)
        }
    }

    package func swiGLUForward(_ y: Tensor, gate: Tensor, up: Tensor) {
        call("SwiGLU forward", KernelCost(reads: [gate, up], writes: [y])) {
            $0.swiGLUForward(y, gate: gate, up: up)
        }
    }

    package func swiGLUBackward(
        dGate: GradientTarget, dUp: GradientTarget, dy: Tensor, gate: Tensor, up: Tensor
    ) {
        call("SwiGLU backward", KernelCost(reads: [dy, gate, up], targets: [dGate, dUp])) {
            $0.swiGLUBackward(dGate: dGate, dUp: dUp, dy: dy, gate: gate, up: up)
        }
    }
}

extension NormInputs {
    /// Its name in a profile.
    fileprivate var name: String {
        gate != nil ? "gated norm" : gain != nil ? "norm" : "range norm"
    }
}
