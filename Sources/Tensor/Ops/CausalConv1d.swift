/// Causal depthwise convolution, bias and SiLU: y[t,c] = silu(b[c] + Σ_k w[c,k] · scale[c] · x[t−(K−1)+k, c]).
///
/// Taps before the start of a segment are zero, or come from `history`.
///
/// - Parameters:
///   - x: `[R, C]`; rows may be strided.
///   - weight: `[C, 1, K]`; the last tap meets the current row.
///   - bias: `[C]`.
///   - scale: `[C]`, a fixed multiplier of each channel of x.
///   - segments: documents among the rows.
///   - history: the K−1 rows before x, unscaled, `[K−1, C]`, with one segment only; nil for zeros.
///   - tape: where the op runs and is recorded; not recordable with a history.
/// - Returns: `[R, C]`. **Saved**: `x`.
public func causalConv1d(
    _ x: Tensor, weight: Parameter, bias: Parameter, scale: Tensor, segments: Segments,
    history: Tensor? = nil, on tape: inout Tape
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
    if let history {
        precondition(
            history.shape == [weight.shape[2] - 1, channels] && history.isContiguous,
            "causalConv1d: history is \(history.shape), want [\(weight.shape[2] - 1), \(channels)]")
        precondition(
            segments.count == 1 && !tape.isRecording,
            "causalConv1d: a history goes with one segment and no recording")
    }
    let inputs = ConvolutionInputs(
        x: x, weight: weight.value, bias: bias.value, scale: scale, segments: segments,
        history: history)
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
    package let history: Tensor?

    /// K.
    package var tapCount: Int { weight.columnCount }
}
