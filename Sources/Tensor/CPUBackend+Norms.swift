import CKernels

/// Norms: a kernel for plain rows, one for ranges and one for gated rows.
extension CPUBackend {
    package func normForward(_ y: Tensor, inverseRMS: Tensor?, _ inputs: NormInputs) {
        let (rows, widths, epsilon) = (inputs.x.rowCount, inputs.widths, inputs.epsilon)
        let (ranges, gateScale) = (widths.count, inputs.gateScale)
        let (inverseRMS, gain) = (inverseRMS?.pointer, inputs.gain?.pointer)
        let (y, x, z) = (y.rowPointer, inputs.x.rowPointer, inputs.gate?.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let (row, count) = (range.lowerBound, range.count)
            let inverseRMS = inverseRMS.map { $0 + row * ranges }
            if let z {
                fk_gated_norm_forward(
                    y[row], inverseRMS, x[row], z[row], gain, count, x.columns, ranges, y.stride,
                    x.stride, z.stride, gateScale, epsilon)
            } else if let gain {
                fk_rms_norm_forward(
                    y[row], inverseRMS, x[row], gain, count, x.columns, y.stride, x.stride, epsilon)
            } else {
                fk_range_norm_forward(
                    y[row], inverseRMS, x[row], widths, ranges, count, y.stride, x.stride, epsilon)
            }
        }
    }

    package func normBackward(
        _ gradients: NormGradients, dy: Tensor, inverseRMS: Tensor?, _ inputs: NormInputs
    ) {
        if let gate = inputs.gate, let dGate = gradients.gate {
            gatedNormBackward(gradients, dGate, dy: dy, inverseRMS: inverseRMS, gate, inputs)
        } else if let gain = inputs.gain, let dGain = gradients.gain {
            rowNormBackward(gradients.x, dGain, dy: dy, inverseRMS: inverseRMS, gain, inputs)
        } else {
            rangeNormBackward(gradients.x, dy: dy, inverseRMS: inverseRMS, inputs)
        }
    }

    private func rowNormBackward(
        _ dx: GradientTarget, _ dGain: Tensor, dy: Tensor, inverseRMS: Tensor?, _ gain: Tensor,
        _ inputs: NormInputs
    ) {
        // The kernel adds.
        if !dx.accumulates { fill(dx.tensor, with: 0) }
        let (inverseRMS, gain) = (inverseRMS?.pointer, gain.pointer)
        let (dx, dy, x) = (dx.tensor.rowPointer, dy.rowPointer, inputs.x.rowPointer)
        withPartials(rows: inputs.x.rowCount, total: dGain) { range, partial in
            let row = range.lowerBound
            fk_rms_norm_backward(
                dx[row], partial, dy[row], inverseRMS.map { $0 + row }, x[row], gain, range.count,
                x.columns, dx.stride, dy.stride, x.stride)
        }
    }

    private func rangeNormBackward(
        _ dx: GradientTarget, dy: Tensor, inverseRMS: Tensor?, _ inputs: NormInputs
    ) {
        let (inverseRMS, widths) = (inverseRMS?.pointer, inputs.widths)
        let accumulate: Int32 = dx.accumulates ? 1 : 0
        let (dx, dy, x) = (dx.tensor.rowPointer, dy.rowPointer, inputs.x.rowPointer)
        pool.ranges(inputs.x.rowCount, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_range_norm_backward(
                dx[row], dy[row], inverseRMS.map { $0 + row * widths.count }, x[row], widths,
                widths.count, range.count, dx.stride, dy.stride, x.stride, accumulate)
        }
    }

    private func gatedNormBackward(
        _ gradients: NormGradients, _ dGate: GradientTarget, dy: Tensor, inverseRMS: Tensor?,
        _ gate: Tensor, _ inputs: NormInputs
    ) {
        let accumulate: Int32 = accumulates(gradients.x, dGate) ? 1 : 0
        let (inverseRMS, gain) = (inverseRMS?.pointer, inputs.gain?.pointer)
        let (groups, gateScale) = (inputs.widths.count, inputs.gateScale)
        let (dx, dz) = (gradients.x.tensor.rowPointer, dGate.tensor.rowPointer)
        let (dy, x, z) = (dy.rowPointer, inputs.x.rowPointer, gate.rowPointer)
        withPartials(rows: inputs.x.rowCount, total: gradients.gain) { range, partial in
            let row = range.lowerBound
            withUnsafeTemporaryAllocation(of: Float.self, capacity: x.columns) { scratch in
                fk_gated_norm_backward(
                    dx[row], dz[row], partial, dy[row], inverseRMS.map { $0 + row * groups },
                    x[row], z[row], gain, range.count, x.columns, groups, dx.stride, dz.stride,
                    dy.stride, x.stride, z.stride, gateScale, scratch.baseAddress, accumulate)
            }
        }
    }
}
