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
                    y.from(row), inverseRMS,
                    fk_gated_norm_inputs(
                        x: x.from(row), z: z.from(row), gain: gain, gateScale: gateScale),
                    fk_gated_norm_sizes(rows: count, columns: x.columns, groups: ranges), epsilon)
            } else if let gain {
                fk_rms_norm_forward(
                    y.from(row), inverseRMS, x.from(row), gain, count, x.columns, epsilon)
            } else {
                fk_range_norm_forward(
                    y.from(row), inverseRMS, x.from(row), widths, ranges, count, epsilon)
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
                dx.from(row), partial, dy.from(row), inverseRMS.map { $0 + row }, x.from(row), gain,
                range.count, x.columns)
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
                dx.from(row), dy.from(row), inverseRMS.map { $0 + row * widths.count },
                x.from(row), widths, widths.count, range.count, accumulate)
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
                    fk_gated_norm_gradients(
                        x: dx.from(row), z: dz.from(row), gain: partial, accumulate: accumulate),
                    dy.from(row), inverseRMS.map { $0 + row * groups },
                    fk_gated_norm_inputs(
                        x: x.from(row), z: z.from(row), gain: gain, gateScale: gateScale),
                    fk_gated_norm_sizes(rows: range.count, columns: x.columns, groups: groups),
                    scratch.baseAddress)
            }
        }
    }
}
