/// Causal depthwise convolution, bias and SiLU: y[t,c] = silu(b[c] + Σ_k w[c,k] · scale[c] · x[t−(K−1)+k, c]).
///
/// Taps before the start of a segment are zero, or come from its history.
///
/// - Parameters:
///   - x: `[R, C]`; rows may be strided.
///   - weight: `[C, 1, K]`; the last tap meets the current row.
///   - bias: `[C]`.
///   - scale: `[C]`, a fixed multiplier of each channel of x.
///   - segments: documents among the rows.
///   - histories: for each segment, the K−1 rows before it, unscaled, `[K−1, C]`, or nil for zeros; empty for
///     zeros before all of them.
///   - tape: where the op runs and is recorded; not recordable with histories.
/// - Returns: `[R, C]`. **Saved**: `x`.
public func causalConv1d(
    _ x: Tensor, weight: Parameter, bias: Parameter, scale: Tensor, segments: Segments,
    histories: [Tensor?] = [], on tape: inout Tape
) -> Tensor {
    let channels = x.columnCount
    precondition(
        weight.shape.count == 3 && weight.shape[0] == channels && weight.shape[1] == 1
            && bias.shape == [channels] && scale.shape == [channels],
        "causalConv1d: x \(x.shape), weight \(weight.shape), bias \(bias.shape), scale \(scale.shape)"
    )
    precondition(
        segments.rowCount == x.rowCount,
        "causalConv1d: segments of \(segments.rowCount) rows for x \(x.shape)")
    precondition(
        histories.isEmpty || histories.count == segments.count && !tape.isRecording,
        "causalConv1d: \(histories.count) histories for \(segments.count) segments; not recordable")
    for case let history? in histories {
        precondition(
            history.shape == [weight.shape[2] - 1, channels] && history.isContiguous,
            "causalConv1d: history is \(history.shape), want [\(weight.shape[2] - 1), \(channels)]")
    }
    let inputs = ConvolutionInputs(
        x: x, weight: weight.value, bias: bias.value, scale: scale, segments: segments,
        histories: histories)
    let y = tape.device.empty([x.rowCount, channels])
    let backend = tape.backend
    tape.run(writing: [y], reading: [x]) { backend.convolutionForward(y, inputs) }
    tape.record(y, reading: [x]) { dy, gradients in
        backend.convolutionBackward(
            dx: gradients.targets(of: [x.place])[0], dWeight: weight.gradient,
            dBias: bias.gradient, dy: dy, inputs)
    }
    return y
}

/// The arguments of the convolution, shapes checked.
package struct ConvolutionInputs {
    package let x: Tensor
    package let weight: Tensor
    package let bias: Tensor
    package let scale: Tensor
    package let segments: Segments
    /// For each segment the rows before it, nil for zeros; empty for zeros before all of them.
    package let histories: [Tensor?]

    /// K.
    package var tapCount: Int { weight.columnCount }
}
