/// A residual sum: y = a + (b + c).
///
/// Backward copies nothing: the three inputs share the gradient of the sum.
///
/// - Parameters:
///   - a: the residual stream, contiguous.
///   - b: a branch of the same shape, contiguous.
///   - c: another branch, contiguous, or nil.
///   - tape: where the op runs and is recorded.
/// - Returns: of the shape of `a`. **Saved**: nothing.
public func sum(_ a: Tensor, _ b: Tensor, _ c: Tensor? = nil, on tape: inout Tape) -> Tensor {
    precondition(
        a.shape == b.shape && (c.map { $0.shape == a.shape } ?? true),
        "sum: \(a.shape), \(b.shape), \(c?.shape ?? a.shape)")
    precondition(
        [a, b, c].allSatisfy { $0?.isContiguous ?? true }, "sum: \(a.shape): a summand has gaps")
    let y = tape.device.empty(a.shape)
    tape.backend.sum(y, a, b, c)
    let places = [a.place, b.place] + (c.map { [$0.place] } ?? [])
    tape.record(y, reading: []) { dy, gradients in
        for place in places { gradients.assign(dy, to: place) }
    }
    return y
}
