/// Kernels that go row by row: norms, gates, tokens, losses.
extension ProfilingBackend {
    /// Bytes of the table rows that some tokens need, each counted once.
    private func rowBytes(of table: Tensor, _ tokens: IndexTensor) -> Int {
        min(tokens.count, table.rowCount) * table.rows(0..<1).byteCount
    }

    package func embeddingForward(_ y: Tensor, table: Tensor, tokens: IndexTensor, scale: Float) {
        let other = rowBytes(of: table, tokens) + tokens.byteCount
        timed("embedding forward", KernelCost(writes: [y], otherBytes: other)) {
            $0.embeddingForward(y, table: table, tokens: tokens, scale: scale)
        }
    }

    package func embeddingBackward(
        _ dTable: Tensor, dy: Tensor, tokens: IndexTensor, scale: Float, padding: Int32?
    ) {
        let other = 2 * rowBytes(of: dTable, tokens) + tokens.byteCount
        timed("embedding backward", KernelCost(reads: [dy], otherBytes: other)) {
            $0.embeddingBackward(dTable, dy: dy, tokens: tokens, scale: scale, padding: padding)
        }
    }

    package func embeddingScaleBackward(
        _ dScale: Tensor, dy: Tensor, table: Tensor, tokens: IndexTensor, scale: Float
    ) {
        let other = rowBytes(of: table, tokens) + tokens.byteCount
        timed("embedding multiplier backward", KernelCost(reads: [dy], otherBytes: other)) {
            $0.embeddingScaleBackward(dScale, dy: dy, table: table, tokens: tokens, scale: scale)
        }
    }

    package func rotary(
        _ y: Tensor, x: Tensor, positions: IndexTensor, table: RotaryTable, direction: Float,
        accumulate: Bool
    ) {
        let cost = KernelCost(
            reads: [x], writes: [accumulate ? nil : y], updates: [accumulate ? y : nil],
            otherBytes: positions.byteCount + 2 * rowBytes(of: table.cosine, positions))
        timed(direction > 0 ? "rotary forward" : "rotary backward", cost) {
            $0.rotary(
                y, x: x, positions: positions, table: table, direction: direction,
                accumulate: accumulate)
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
        timed("cross-entropy", cost) {
            $0.crossEntropy(
                losses: losses, best: best, logits: logits, targets: targets, firstRow: firstRow,
                zLoss: zLoss, gradientScale: gradientScale)
        }
    }

    package func rmsNormForward(
        _ y: Tensor, inverseRMS: Tensor, x: Tensor, gain: Tensor, epsilon: Float
    ) {
        timed("norm forward", KernelCost(reads: [x, gain], writes: [y, inverseRMS])) {
            $0.rmsNormForward(y, inverseRMS: inverseRMS, x: x, gain: gain, epsilon: epsilon)
        }
    }

    package func rmsNormBackward(
        dx: Tensor, dGain: Tensor, dy: Tensor, inverseRMS: Tensor, x: Tensor, gain: Tensor
    ) {
        let cost = KernelCost(reads: [dy, inverseRMS, x, gain], updates: [dx, dGain])
        timed("norm backward", cost) {
            $0.rmsNormBackward(
                dx: dx, dGain: dGain, dy: dy, inverseRMS: inverseRMS, x: x, gain: gain)
        }
    }

    package func rangeNormForward(
        _ y: Tensor, inverseRMS: Tensor, x: Tensor, widths: [Int], epsilon: Float
    ) {
        timed("range norm forward", KernelCost(reads: [x], writes: [y, inverseRMS])) {
            $0.rangeNormForward(y, inverseRMS: inverseRMS, x: x, widths: widths, epsilon: epsilon)
        }
    }

    package func rangeNormBackward(
        dx: GradientTarget, dy: Tensor, inverseRMS: Tensor, x: Tensor, widths: [Int]
    ) {
        timed("range norm backward", KernelCost(reads: [dy, inverseRMS, x], targets: [dx])) {
            $0.rangeNormBackward(dx: dx, dy: dy, inverseRMS: inverseRMS, x: x, widths: widths)
        }
    }

    package func gatedNormForward(
        _ y: Tensor, inverseRMS: Tensor?, x: Tensor, z: Tensor, gain: Tensor?, groups: Int,
        gateScale: Float, epsilon: Float
    ) {
        timed("gated norm forward", KernelCost(reads: [x, z, gain], writes: [y, inverseRMS])) {
            $0.gatedNormForward(
                y, inverseRMS: inverseRMS, x: x, z: z, gain: gain, groups: groups,
                gateScale: gateScale, epsilon: epsilon)
        }
    }

    package func gatedNormBackward(
        dx: GradientTarget, dz: GradientTarget, dGain: Tensor?, dy: Tensor, inverseRMS: Tensor?,
        x: Tensor, z: Tensor, gain: Tensor?, groups: Int, gateScale: Float
    ) {
        let cost = KernelCost(
            reads: [dy, inverseRMS, x, z, gain], updates: [dGain], targets: [dx, dz])
        timed("gated norm backward", cost) {
            $0.gatedNormBackward(
                dx: dx, dz: dz, dGain: dGain, dy: dy, inverseRMS: inverseRMS, x: x, z: z,
                gain: gain, groups: groups, gateScale: gateScale)
        }
    }

    package func swiGLUForward(_ y: Tensor, gate: Tensor, up: Tensor) {
        timed("SwiGLU forward", KernelCost(reads: [gate, up], writes: [y])) {
            $0.swiGLUForward(y, gate: gate, up: up)
        }
    }

    package func swiGLUBackward(
        dGate: GradientTarget, dUp: GradientTarget, dy: Tensor, gate: Tensor, up: Tensor
    ) {
        timed("SwiGLU backward", KernelCost(reads: [dy, gate, up], targets: [dGate, dUp])) {
            $0.swiGLUBackward(dGate: dGate, dUp: dUp, dy: dy, gate: gate, up: up)
        }
    }
}
