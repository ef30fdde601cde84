import CKernels

/// Kernels that go row by row: norms, gates, tokens, losses.
extension CPUBackend {
    package func embeddingForward(_ y: Tensor, table: Tensor, tokens: IndexTensor, scale: Float) {
        pool.ranges(tokens.count, grain: Self.rowGrain) { _, range in
            fk_embedding_forward(
                y.rows(range).pointer, table.pointer, tokens.pointer + range.lowerBound,
                range.count,
                y.columnCount, y.rowStride, scale)
        }
    }

    package func embeddingBackward(
        _ dTable: Tensor, dy: Tensor, tokens: IndexTensor, scale: Float, padding: Int32?
    ) {
        // Every piece owns some columns and goes through the tokens in order: no sum is ever split.
        pool.ranges(dTable.columnCount, grain: 64) { _, range in
            fk_embedding_backward(
                dTable.pointer, dy.pointer, tokens.pointer, tokens.count, dTable.columnCount,
                dy.rowStride, range.lowerBound, range.upperBound, scale, padding ?? -1)
        }
    }

    package func rotary(
        _ y: Tensor, x: Tensor, positions: IndexTensor, table: RotaryTable, direction: Float,
        accumulate: Bool
    ) {
        pool.ranges(x.rowCount, grain: Self.rowGrain) { _, range in
            fk_rotary(
                y.rows(range).pointer, x.rows(range).pointer, positions.pointer + range.lowerBound,
                table.cosine.pointer, table.sine.pointer, range.count,
                x.columnCount / (2 * table.half), table.half, y.rowStride, x.rowStride, direction,
                accumulate ? 1 : 0)
        }
    }

    package func crossEntropy(
        losses: Tensor, best: IndexTensor?, logits: Tensor, targets: IndexTensor, firstRow: Int,
        zLoss: Float, gradientScale: Float
    ) {
        pool.ranges(logits.rowCount, grain: 16) { _, range in
            let row = firstRow + range.lowerBound
            fk_cross_entropy(
                losses.pointer + row, best.map { $0.pointer + row }, logits.rows(range).pointer,
                targets.pointer + row, range.count, logits.columnCount, logits.rowStride, zLoss,
                gradientScale)
        }
    }

    package func rmsNormForward(
        _ y: Tensor, inverseRMS: Tensor, x: Tensor, gain: Tensor, epsilon: Float
    ) {
        pool.ranges(x.rowCount, grain: Self.rowGrain) { _, range in
            fk_rms_norm_forward(
                y.rows(range).pointer, inverseRMS.pointer + range.lowerBound, x.rows(range).pointer,
                gain.pointer, range.count, x.columnCount, y.rowStride, x.rowStride, epsilon)
        }
    }

    package func rmsNormBackward(
        dx: Tensor, dGain: Tensor, dy: Tensor, inverseRMS: Tensor, x: Tensor, gain: Tensor
    ) {
        withPartials(rows: x.rowCount, total: dGain) { range, partial in
            fk_rms_norm_backward(
                dx.rows(range).pointer, partial, dy.rows(range).pointer,
                inverseRMS.pointer + range.lowerBound, x.rows(range).pointer, gain.pointer,
                range.count, x.columnCount, dx.rowStride, dy.rowStride, x.rowStride)
        }
    }

    package func gatedNormForward(
        _ y: Tensor, inverseRMS: Tensor?, x: Tensor, z: Tensor, gain: Tensor?, groups: Int,
        gateScale: Float, epsilon: Float
    ) {
        pool.ranges(x.rowCount, grain: Self.rowGrain) { _, range in
            fk_gated_norm_forward(
                y.rows(range).pointer, inverseRMS.map { $0.pointer + range.lowerBound * groups },
                x.rows(range).pointer, z.rows(range).pointer, gain?.pointer, range.count,
                x.columnCount, groups, y.rowStride, x.rowStride, z.rowStride, gateScale, epsilon)
        }
    }

    package func gatedNormBackward(
        dx: GradientTarget, dz: GradientTarget, dGain: Tensor?, dy: Tensor, inverseRMS: Tensor?,
        x: Tensor,
        z: Tensor,
        gain: Tensor?, groups: Int, gateScale: Float
    ) {
        let (width, accumulate) = (x.columnCount, accumulates(dx, dz))
        let (dx, dz) = (dx.tensor, dz.tensor)
        withPartials(rows: x.rowCount, total: dGain) { range, partial in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { row in
                fk_gated_norm_backward(
                    dx.rows(range).pointer, dz.rows(range).pointer, partial, dy.rows(range).pointer,
                    inverseRMS.map { $0.pointer + range.lowerBound * groups },
                    x.rows(range).pointer,
                    z.rows(range).pointer, gain?.pointer, range.count, width, groups, dx.rowStride,
                    dz.rowStride, dy.rowStride, x.rowStride, z.rowStride, gateScale,
                    row.baseAddress, accumulate ? 1 : 0)
            }
        }
    }

    package func swiGLUForward(_ y: Tensor, gate: Tensor, up: Tensor) {
        pool.ranges(y.rowCount, grain: Self.rowGrain) { _, range in
            fk_swiglu_forward(
                y.rows(range).pointer, gate.rows(range).pointer, up.rows(range).pointer,
                range.count,
                y.columnCount, y.rowStride, gate.rowStride, up.rowStride)
        }
    }

    package func swiGLUBackward(
        dGate: GradientTarget, dUp: GradientTarget, dy: Tensor, gate: Tensor, up: Tensor
    ) {
        let accumulate = accumulates(dGate, dUp)
        let (dGate, dUp) = (dGate.tensor, dUp.tensor)
        pool.ranges(dy.rowCount, grain: Self.rowGrain) { _, range in
            fk_swiglu_backward(
                dGate.rows(range).pointer, dUp.rows(range).pointer, dy.rows(range).pointer,
                gate.rows(range).pointer, up.rows(range).pointer, range.count, dy.columnCount,
                dGate.rowStride, dUp.rowStride, dy.rowStride, gate.rowStride, up.rowStride,
                accumulate ? 1 : 0)
        }
    }
}
