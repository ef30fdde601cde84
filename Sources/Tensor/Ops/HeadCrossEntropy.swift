/// The results of scoring the next tokens, row by row.
public struct TokenLosses {
    /// −log p(target) + zLoss · lse², in nats, 0 where the target is −1: `[R]`.
    public let losses: Tensor
    /// The most probable token of each row, if asked for.
    public let best: IndexTensor?

    /// The sum of the losses, added in double in row order.
    public func total() -> Double { losses.toArray().reduce(0) { $0 + Double($1) } }
}

/// The output head and cross-entropy in one: logits = scale · x Wᵀ, never stored as a whole.
///
/// Rows are scored in chunks. When the tape records, the gradient of `gradientScale · Σ losses` is
/// formed in place of the logits at once, so this op must be the root of the backward pass.
///
/// - Parameters:
///   - x: `[R, D]`, contiguous.
///   - weight: `[V, D]`.
///   - targets: `[R]`, the next token of each row, −1 where nothing is scored.
///   - scale: the head's multiplier of the logits.
///   - zLoss: weight of the squared log of the softmax's sum (PaLM, arXiv 2204.02311, section 5); 0 is off.
///   - gradientScale: d loss / d(one token's loss); 1 for the gradient of the sum.
///   - wantsBest: whether the most probable tokens are returned.
///   - tape: where the op runs and is recorded.
/// - Returns: losses `[R]`. **Saved**: dx `[R, D]`; the gradient of `weight` is added during forward.
public func headCrossEntropy(
    _ x: Tensor, _ weight: Parameter, targets: IndexTensor, scale: Float, zLoss: Float = 0,
    gradientScale: Float = 1, wantsBest: Bool = false, on tape: inout Tape
) -> TokenLosses {
    let (rowCount, vocabularyCount) = (x.rowCount, weight.shape[0])
    precondition(
        weight.shape == [vocabularyCount, x.columnCount] && targets.count == rowCount,
        "headCrossEntropy: x \(x.shape), \(weight.name) \(weight.shape), \(targets.count) targets")
    let (device, backend) = (tape.device, tape.backend)
    let losses = device.empty([rowCount])
    let best = wantsBest ? device.indices([Int32](repeating: 0, count: rowCount)) : nil
    let dx = tape.isRecording ? device.empty(x.shape) : nil
    let chunk = min(rowCount, headChunkRows(vocabularyCount: vocabularyCount))
    let logits = device.empty([chunk, vocabularyCount])
    for start in stride(from: 0, to: rowCount, by: chunk) {
        let rows = start..<min(rowCount, start + chunk)
        let part = logits.rows(0..<rows.count)
        backend.matmul(
            part, x.rows(rows), weight.value, transposeA: false, transposeB: true, alpha: scale,
            beta: 0)
        backend.crossEntropy(
            losses: losses, best: best, logits: part, targets: targets, firstRow: start,
            zLoss: zLoss, gradientScale: dx == nil ? 0 : gradientScale)
        guard let dx else { continue }
        backend.matmul(
            dx.rows(rows), part, weight.value, transposeA: false, transposeB: false, alpha: scale,
            beta: 0)
        backend.matmul(
            weight.gradient, part, x.rows(rows), transposeA: true, transposeB: false, alpha: scale,
            beta: 1)
    }
    if let dx {
        let place = x.place
        tape.recordRoot { gradients in gradients.assign(dx, to: place) }
    }
    return TokenLosses(losses: losses, best: best)
}

/// Rows of logits in memory at a time: at most 16 million logits, and few enough rows that those of a
/// small vocabulary stay in the last cache while loss and products read them.
private func headChunkRows(vocabularyCount: Int) -> Int {
    max(128, min(512, (1 << 24) / vocabularyCount / 64 * 64))
}
