/// Root-mean-square norm of each row: y = gain ⊙ x / sqrt(mean(x²) + ε).
///
/// - Parameters:
///   - x: `[R, D]`.
///   - gain: `[D]`.
///   - epsilon: added to the mean square.
///   - tape: where the op runs and is recorded.
/// - Returns: `[R, D]`. **Saved**: `x`, the inverse RMS `[R]`.
/// - SeeAlso: Zhang & Sennrich, arXiv 1910.07467.
public func rmsNorm(
    _ x: Tensor, gain: Parameter, epsilon: Float, on tape: inout Tape
) -> Tensor {
    precondition(
        gain.shape == [x.columnCount], "rmsNorm: gain is \(gain.shape), want [\(x.columnCount)]")
    let y = tape.device.empty(x.shape)
    let inverseRMS = tape.device.empty([x.rowCount])
    let backend = tape.backend
    tape.run(writing: [y], reading: [x]) {
        backend.rmsNormForward(
            y, inverseRMS: inverseRMS, x: x, gain: gain.value, epsilon: epsilon)
    }
    tape.record(y, reading: [x]) { dy, gradients in
        backend.rmsNormBackward(
            dx: gradients.accumulator(of: x.place), dGain: gain.gradient, dy: dy,
            inverseRMS: inverseRMS,
            x: x, gain: gain.value)
    }
    return y
}

/// Root-mean-square norms without gain over neighbouring ranges of columns, one after the other:
/// y = x / sqrt(mean_range(x²) + ε).
///
/// One op norms all parts of a fused projection, such as Δ, B and C of Falcon Mamba; a single width is
/// the norm of whole rows.
///
/// - Parameters:
///   - x: `[R, W]`; rows may be strided.
///   - widths: columns of each range, positive, W in all.
///   - epsilon: added to the mean square.
///   - tape: where the op runs and is recorded.
/// - Returns: `[R, W]`. **Saved**: `x`, the inverse RMS `[R, ranges]`.
/// - SeeAlso: Zhang & Sennrich, arXiv 1910.07467; Zuo et al., arXiv 2410.05355.
public func rmsNorm(
    _ x: Tensor, widths: [Int], epsilon: Float, on tape: inout Tape
) -> Tensor {
    precondition(
        widths.allSatisfy { $0 > 0 } && widths.reduce(0, +) == x.columnCount,
        "rmsNorm: widths \(widths), want \(x.columnCount) columns in all")
    let y = tape.device.empty(x.shape)
    let inverseRMS = tape.device.empty([x.rowCount, widths.count])
    let backend = tape.backend
    tape.run(writing: [y], reading: [x]) {
        backend.rangeNormForward(y, inverseRMS: inverseRMS, x: x, widths: widths, epsilon: epsilon)
    }
    tape.record(y, reading: [x]) { dy, gradients in
        backend.rangeNormBackward(
            dx: gradients.targets(of: [x.place])[0], dy: dy, inverseRMS: inverseRMS, x: x,
            widths: widths)
    }
    return y
}

/// A gate, then a norm within groups of channels: v = x ⊙ silu(s·z), y = gain ⊙ v / sqrt(mean_group(v²) + ε).
///
/// Without a gain there is no norm: y = v. Gate first, then norm is Falcon-H1's order
/// (`mamba_norm_before_gate` false).
///
/// - Parameters:
///   - x: `[R, C]`, the mixer's output.
///   - z: `[R, C]`, the gate before its multiplier; rows may be strided.
///   - gain: `[C]`, or nil for the plain gate.
///   - groups: divides C.
///   - gateScale: the multiplier s of z.
///   - epsilon: added to the mean square.
///   - tape: where the op runs and is recorded.
/// - Returns: `[R, C]`. **Saved**: `x`, `z`, the inverse RMS `[R, groups]` if there is a gain.
public func gatedRMSNorm(
    _ x: Tensor, gate z: Tensor, gain: Parameter?, groups: Int, gateScale: Float, epsilon: Float,
    on tape: inout Tape
) -> Tensor {
    precondition(
        x.columnCount == z.columnCount && x.columnCount % groups == 0,
        "gatedRMSNorm: x \(x.shape), gate \(z.shape), \(groups) groups")
    precondition(
        gain.map { $0.shape == [x.columnCount] } ?? true,
        "gatedRMSNorm: gain is \(gain?.shape ?? []), want [\(x.columnCount)]")
    let y = tape.device.empty(x.shape)
    let inverseRMS = gain.map { _ in tape.device.empty([x.rowCount, groups]) }
    let backend = tape.backend
    tape.run(writing: [y], reading: [x, z]) {
        backend.gatedNormForward(
            y, inverseRMS: inverseRMS, x: x, z: z, gain: gain?.value, groups: groups,
            gateScale: gateScale, epsilon: epsilon)
    }
    tape.record(y, reading: [x, z]) { dy, gradients in
        let d = gradients.targets(of: [x.place, z.place])
        backend.gatedNormBackward(
            dx: d[0], dz: d[1], dGain: gain?.gradient, dy: dy, inverseRMS: inverseRMS, x: x, z: z,
            gain: gain?.value, groups: groups, gateScale: gateScale)
    }
    return y
}
