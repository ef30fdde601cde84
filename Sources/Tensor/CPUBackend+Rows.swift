import CKernels

/// Kernels that go row by row: norms, gates, tokens, losses.
extension CPUBackend {
    package func embeddingForward(_ y: Tensor, table: Tensor, tokens: IndexTensor, scale: Float) {
        let (y, table, count, tokens) = (
            y.rowPointer, table.pointer, tokens.count, tokens.pointer
        )
        pool.ranges(count, grain: Self.rowGrain) { _, range in
            fk_embedding_forward(
                y[range.lowerBound], table, tokens + range.lowerBound, range.count, y.columns,
                y.stride, scale)
        }
    }

    package func embeddingBackward(
        _ dTable: Tensor, dy: Tensor, tokens: IndexTensor, scale: Float, padding: Int32?
    ) {
        let (dTable, dy, count, tokens) = (
            dTable.rowPointer, dy.rowPointer, tokens.count, tokens.pointer
        )
        // Every piece owns some columns and goes through the tokens in order: no sum is ever split.
        pool.ranges(dTable.columns, grain: 64) { _, range in
            fk_embedding_backward(
                dTable.first, dy.first, tokens, count, dTable.columns, dy.stride,
                range.lowerBound, range.upperBound, scale, padding ?? -1)
        }
    }

    package func embeddingScaleBackward(
        _ dScale: Tensor, dy: Tensor, table: Tensor, tokens: IndexTensor, scale: Float
    ) {
        let (dScale, table, count, tokens) = (
            dScale.pointer, table.pointer, tokens.count, tokens.pointer
        )
        let dy = dy.rowPointer
        let pieces = (count + Self.rowGrain - 1) / Self.rowGrain
        withScratch(floatCount: 2 * pieces) { scratch in
            scratch.withMemoryRebound(to: Double.self, capacity: pieces) { partial in
                pool.ranges(count, grain: Self.rowGrain) { piece, range in
                    partial[piece] = fk_embedding_scale_backward(
                        dy[range.lowerBound], table, tokens + range.lowerBound, range.count,
                        dy.columns, dy.stride)
                }
                var sum = 0.0
                for piece in 0..<pieces { sum += partial[piece] }
                dScale[0] += Float(Double(scale) * sum)
            }
        }
    }

    package func rotary(
        _ y: Tensor, x: Tensor, positions: IndexTensor, table: RotaryTable, direction: Float,
        accumulate: Bool
    ) {
        let (rows, half, positions) = (x.rowCount, table.half, positions.pointer)
        let (y, x) = (y.rowPointer, x.rowPointer)
        let (cosine, sine) = (table.cosine.pointer, table.sine.pointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_rotary(
                y[row], x[row], positions + row, cosine, sine, range.count,
                x.columns / (2 * half), half, y.stride, x.stride, direction, accumulate ? 1 : 0)
        }
    }

    package func crossEntropy(
        losses: Tensor, best: IndexTensor?, logits: Tensor, targets: IndexTensor, firstRow: Int,
        zLoss: Float, gradientScale: Float
    ) {
        let (rows, logits) = (logits.rowCount, logits.rowPointer)
        let (losses, best) = (losses.pointer + firstRow, best.map { $0.pointer + firstRow })
        let targets = targets.pointer + firstRow
        pool.ranges(rows, grain: 16) { _, range in
            let row = range.lowerBound
            fk_cross_entropy(
                losses + row, best.map { $0 + row }, logits[row], targets + row, range.count,
                logits.columns, logits.stride, zLoss, gradientScale)
        }
    }

    package func rmsNormForward(
        _ y: Tensor, inverseRMS: Tensor, x: Tensor, gain: Tensor, epsilon: Float
    ) {
        let (rows, inverseRMS, gain) = (x.rowCount, inverseRMS.pointer, gain.pointer)
        let (y, x) = (y.rowPointer, x.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_rms_norm_forward(
                y[row], inverseRMS + row, x[row], gain, range.count, x.columns, y.stride,
                x.stride, epsilon)
        }
    }

    package func rmsNormBackward(
        dx: Tensor, dGain: Tensor, dy: Tensor, inverseRMS: Tensor, x: Tensor, gain: Tensor
    ) {
        let (rows, inverseRMS, gain) = (x.rowCount, inverseRMS.pointer, gain.pointer)
        let (dx, dy, x) = (dx.rowPointer, dy.rowPointer, x.rowPointer)
        withPartials(rows: rows, total: dGain) { range, partial in
            let row = range.lowerBound
            fk_rms_norm_backward(
                dx[row], partial, dy[row], inverseRMS + row, x[row], gain, range.count,
                x.columns, dx.stride, dy.stride, x.stride)
        }
    }

    package func rangeNormForward(
        _ y: Tensor, inverseRMS: Tensor, x: Tensor, widths: [Int], epsilon: Float
    ) {
        let (rows, inverseRMS, ranges) = (x.rowCount, inverseRMS.pointer, widths.count)
        let (y, x) = (y.rowPointer, x.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_range_norm_forward(
                y[row], inverseRMS + row * ranges, x[row], widths, ranges, range.count, y.stride,
                x.stride, epsilon)
        }
    }

    package func rangeNormBackward(
        dx: GradientTarget, dy: Tensor, inverseRMS: Tensor, x: Tensor, widths: [Int]
    ) {
        let (rows, inverseRMS, ranges) = (x.rowCount, inverseRMS.pointer, widths.count)
        let accumulate: Int32 = dx.accumulates ? 1 : 0
        let (dx, dy, x) = (dx.tensor.rowPointer, dy.rowPointer, x.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_range_norm_backward(
                dx[row], dy[row], inverseRMS + row * ranges, x[row], widths, ranges, range.count,
                dx.stride, dy.stride, x.stride, accumulate)
        }
    }

    package func gatedNormForward(
        _ y: Tensor, inverseRMS: Tensor?, x: Tensor, z: Tensor, gain: Tensor?, groups: Int,
        gateScale: Float, epsilon: Float
    ) {
        let (rows, inverseRMS, gain) = (x.rowCount, inverseRMS?.pointer, gain?.pointer)
        let (y, x, z) = (y.rowPointer, x.rowPointer, z.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_gated_norm_forward(
                y[row], inverseRMS.map { $0 + row * groups }, x[row], z[row], gain, range.count,
                x.columns, groups, y.stride, x.stride, z.stride, gateScale, epsilon)
        }
    }

    package func gatedNormBackward(
        dx: GradientTarget, dz: GradientTarget, dGain: Tensor?, dy: Tensor, inverseRMS: Tensor?,
        x: Tensor, z: Tensor, gain: Tensor?, groups: Int, gateScale: Float
    ) {
        let accumulate = accumulates(dx, dz)
        let (rows, inverseRMS, gain) = (x.rowCount, inverseRMS?.pointer, gain?.pointer)
        let (dx, dz) = (dx.tensor.rowPointer, dz.tensor.rowPointer)
        let (dy, x, z) = (dy.rowPointer, x.rowPointer, z.rowPointer)
        withPartials(rows: rows, total: dGain) { range, partial in
            let row = range.lowerBound
            withUnsafeTemporaryAllocation(of: Float.self, capacity: x.columns) { scratch in
                fk_gated_norm_backward(
                    dx[row], dz[row], partial, dy[row], inverseRMS.map { $0 + row * groups },
                    x[row], z[row], gain, range.count, x.columns, groups, dx.stride, dz.stride,
                    dy.stride, x.stride, z.stride, gateScale, scratch.baseAddress,
                    accumulate ? 1 : 0)
            }
        }
    }

    package func swiGLUForward(_ y: Tensor, gate: Tensor, up: Tensor) {
        let rows = y.rowCount
        let (y, gate, up) = (y.rowPointer, gate.rowPointer, up.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_swiglu_forward(
                y[row], gate[row], up[row], range.count, y.columns, y.stride, gate.stride,
                up.stride)
        }
    }

    package func swiGLUBackward(
        dGate: GradientTarget, dUp: GradientTarget, dy: Tensor, gate: Tensor, up: Tensor
    ) {
        let accumulate = accumulates(dGate, dUp)
        let rows = dy.rowCount
        let (dGate, dUp) = (dGate.tensor.rowPointer, dUp.tensor.rowPointer)
        let (dy, gate, up) = (dy.rowPointer, gate.rowPointer, up.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_swiglu_backward(
                dGate[row], dUp[row], dy[row], gate[row], up[row], range.count, dy.columns,
                dGate.stride, dUp.stride, dy.stride, gate.stride, up.stride, accumulate ? 1 : 0)
        }
    }
}
