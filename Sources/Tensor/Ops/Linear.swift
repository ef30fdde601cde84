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
    linear(x, [(weight, scale)], on: &tape)[0]
}

/// Products of one input with several weight matrices: yᵢ = scaleᵢ · x Wᵢᵀ.
///
/// One op, so that the input is prepared once and its gradient is formed in one go:
/// dx = Σ scaleᵢ · dyᵢ Wᵢ, dWᵢ = scaleᵢ · dyᵢᵀ x. Weights that are not trained are kept packed from
/// their first product on, where that pays; the result is the same bits.
///
/// - Parameters:
///   - x: `[R, I]`, rows may be strided.
///   - weights: each `[O, I]` with its own O, and a fixed multiplier.
///   - tape: where the op runs and is recorded.
/// - Returns: for each weight `[R, O]`. **Saved**: `x`.
public func linear(
    _ x: Tensor, _ weights: [(weight: Parameter, scale: Float)], on tape: inout Tape
) -> [Tensor] {
    for (weight, _) in weights {
        precondition(
            weight.shape.count == 2 && weight.shape[1] == x.columnCount,
            "linear: \(weight.name) is \(weight.shape), want [_, \(x.columnCount)] for x \(x.shape)"
        )
    }
    let device = tape.device
    let outputs = weights.map { device.empty([x.rowCount, $0.weight.shape[0]]) }
    let backend = tape.backend
    backend.linearForward(
        outputs, input: x, weights: weights.map { $0.weight.matrix(on: device) },
        scales: weights.map(\.scale))
    tape.record(outputs, reading: [x]) { outputGradients, gradients in
        // An output that nothing depends on has no gradient.
        let reached = zip(outputGradients, weights).compactMap { dy, part in
            dy.map { (dy: $0, part: part) }
        }
        backend.linearBackward(
            dInput: gradients.target(of: x.place), dWeights: reached.map(\.part.weight.gradient),
            dOutputs: reached.map(\.dy), input: x, weights: reached.map(\.part.weight.value),
            scales: reached.map(\.part.scale))
    }
    return outputs
}
