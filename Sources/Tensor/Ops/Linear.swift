/// A product with a weight matrix: y = scale · x Wᵀ.
///
/// dx = scale · dy W, dW = scale · dyᵀ x.
///
/// - Parameters:
///   - x: `[R, I]`, rows may be strided.
///   - weight: `[O, I]`.
///   - scale: a fixed multiplier of input or output.
///   - tape: where the op runs and is recorded.
/// - Returns: `[R, O]`. **Saved**: `x`.
public func linear(
    _ x: Tensor, _ weight: Parameter, scale: Float = 1, on tape: inout Tape
) -> Tensor {
    precondition(
        weight.shape.count == 2 && weight.shape[1] == x.columnCount,
        "linear: \(weight.name) is \(weight.shape), want [_, \(x.columnCount)] for x \(x.shape)")
    let y = tape.device.empty([x.rowCount, weight.shape[0]])
    let backend = tape.backend
    backend.matmul(
        y, x, weight.value, transposeA: false, transposeB: true, alpha: scale, beta: 0)
    tape.record(y, reading: [x]) { dy, gradients in
        backend.matmul(
            weight.gradient, dy, x, transposeA: true, transposeB: false, alpha: scale, beta: 1)
        let (dx, isFresh) = gradients.contribution(to: x.place)
        backend.matmul(
            dx, dy, weight.value, transposeA: false, transposeB: false, alpha: scale,
            beta: isFresh ? 0 : 1)
    }
    return y
}
