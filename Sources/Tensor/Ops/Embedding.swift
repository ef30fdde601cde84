/// Rows of a table, one per token: y[r] = scale · table[tokens[r]].
///
/// - Parameters:
///   - tokens: `[R]`, each in `0..<V`.
///   - table: `[V, D]`.
///   - scale: a fixed multiplier of the output.
///   - padding: a token whose row gets no gradient from here (transformers' `padding_idx`), or nil.
///   - tape: where the op runs and is recorded.
/// - Returns: `[R, D]`. **Saved**: `tokens`.
public func embedding(
    _ tokens: IndexTensor, _ table: Parameter, scale: Float, padding: Int32? = nil,
    on tape: inout Tape
) -> Tensor {
    precondition(table.shape.count == 2, "embedding: table is \(table.shape), want [V, D]")
    let y = tape.device.empty([tokens.count, table.shape[1]])
    let backend = tape.backend
    backend.embeddingForward(y, table: table.value, tokens: tokens, scale: scale)
    tape.record(y, reading: []) { dy, _ in
        backend.embeddingBackward(
            table.gradient, dy: dy, tokens: tokens, scale: scale, padding: padding)
    }
    return y
}
