/// Rows of a table, one per token: y[r] = scale · table[tokens[r]].
///
/// - Parameters:
///   - tokens: `[R]`, each in `0..<V`.
///   - table: `[V, D]`.
///   - scale: a fixed multiplier of the output.
///   - multiplier: `[1]`, a learnable multiplier of the output besides; nil for none.
///   - padding: a token whose row gets no gradient from here (transformers' `padding_idx`), or nil.
///   - tape: where the op runs and is recorded.
/// - Returns: `[R, D]`. **Saved**: `tokens`.
public func embedding(
    _ tokens: IndexTensor, _ table: Parameter, scale: Float, multiplier: Parameter? = nil,
    padding: Int32? = nil, on tape: inout Tape
) -> Tensor {
    precondition(table.shape.count == 2, "embedding: table is \(table.shape), want [V, D]")
    let y = tape.device.empty([tokens.count, table.shape[1]])
    let backend = tape.backend
    let inputs = EmbeddingInputs(
        table: table.value, tokens: tokens, scale: scale, multiplier: multiplier?.value)
    backend.embeddingForward(y, inputs)
    tape.record(y, reading: []) { dy, _ in
        backend.embeddingBackward(
            dTable: table.gradient, dMultiplier: multiplier?.gradient, dy: dy, padding: padding,
            inputs)
    }
    return y
}

/// The arguments of a look-up, shapes checked.
package struct EmbeddingInputs {
    /// `[V, D]`.
    package let table: Tensor
    /// `[R]`.
    package let tokens: IndexTensor
    package let scale: Float
    /// `[1]`; nil is 1.
    package let multiplier: Tensor?
}

/// Some rows of a tensor, in any order: y[i] = x[rows[i]].
///
/// - Parameters:
///   - x: `[R, D]`.
///   - rows: `[n]`, each in `0..<R`.
///   - tape: where the op runs; it is not recorded.
/// - Returns: `[n, D]`.
public func gather(_ x: Tensor, rows: IndexTensor, on tape: borrowing Tape) -> Tensor {
    precondition(!tape.isRecording, "gather: for evaluation only")
    let y = tape.device.empty([rows.count, x.columnCount])
    tape.backend.embeddingForward(
        y, EmbeddingInputs(table: x, tokens: rows, scale: 1, multiplier: nil))
    return y
}
