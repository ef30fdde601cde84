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
    let inputs = NormInputs(x: x, gain: gain.value, widths: [x.columnCount], epsilon: epsilon)
    tape.run(writing: [y], reading: [x]) {
        backend.normForward(y, inverseRMS: inverseRMS, inputs)
    }
    tape.record(y, reading: [x]) { dy, gradients in
        backend.normBackward(
            NormGradients(x: gradients.target(of: x.place), gain: gain.gradient), dy: dy,
            inverseRMS: inverseRMS, inputs)
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
    let inputs = NormInputs(x: x, widths: widths, epsilon: epsilon)
    tape.run(writing: [y], reading: [x]) {
        backend.normForward(y, inverseRMS: inverseRMS, inputs)
    }
    tape.record(y, reading: [x]) { dy, gradients in
        backend.normBackward(
            NormGradients(x: gradients.target(of: x.place)), dy: dy, inverseRMS: inverseRMS, inputs)
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
    let inputs = NormInputs(
        x: x, gate: z, gateScale: gateScale, gain: gain?.value,
        widths: Array(repeating: x.columnCount / groups, count: groups), epsilon: epsilon)
    tape.run(writing: [y], reading: [x, z]) {
        backend.normForward(y, inverseRMS: inverseRMS, inputs)
    }
    tape.record(y, reading: [x, z]) { dy, gradients in
        let d = gradients.targets(of: [x.place, z.place])
        backend.normBackward(
            NormGradients(x: d[0], gate: d[1], gain: gain?.gradient), dy: dy,
            inverseRMS: inverseRMS, inputs)
    }
    return y
}

/// The arguments of a root-mean-square norm, shapes checked: rows with a gain, ranges of rows without,
/// or groups of gated rows, with a gain if they are normed.
package struct NormInputs {
    /// `[R, D]`; rows may be strided.
    package let x: Tensor
    /// `[R, D]`, rows may be strided; nil for no gate.
    package var gate: Tensor?
    /// The multiplier of the gate.
    package var gateScale: Float = 1
    /// `[D]`; nil for ones.
    package var gain: Tensor?
    /// Columns of each range, D in all; of equal widths where there is a gain.
    package let widths: [Int]
    /// Added to the mean square.
    package let epsilon: Float
}

/// The places for the gradients of a norm's inputs; those of its gain are added.
package struct NormGradients {
    package let x: GradientTarget
    package var gate: GradientTarget?
    package var gain: Tensor?
}
