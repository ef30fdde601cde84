/// A residual sum: y = a + (b + c).
///
/// Backward copies nothing: the three inputs share the gradient of the sum.
///
/// - Parameters:
///   - a: the residual stream, contiguous.
///   - b: a branch of the same shape.
///   - c: another branch, or nil.
///   - tape: where the op runs and is recorded.
/// - Returns: of the shape of `a`. **Saved**: nothing.
public func sum(_ a: Tensor, _ b: Tensor, _ c: Tensor? = nil, on tape: inout Tape) -> Tensor {
    precondition(
        a.shape == b.shape && (c.map { $0.shape == a.shape } ?? true),
        "sum: \(a.shape), \(b.shape), \(c?.shape ?? a.shape)")
    let y = tape.device.empty(a.shape)
    tape.backend.sum(y, a, b, c)
    tape.record { gradients in
        guard let dy = gradients.take(y) else { return }
        gradients.assign(dy, to: a)
        gradients.assign(dy, to: b)
        if let c { gradients.assign(dy, to: c) }
    }
    return y
}
