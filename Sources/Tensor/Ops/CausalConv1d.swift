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
    preconditionFailure("causalConv1d")
}
