/// Causal grouped-query attention within segments: softmax(scale · q kᵀ) v for each head.
///
/// Query head h reads key head h div (heads / keyValueHeads). A segment with m key rows and n ≤ m query
/// rows is a continuation: query i sees keys j ≤ i + (m − n). No T×T array is ever stored.
///
/// - Parameters:
///   - query: `[R, heads · headDimension]`.
///   - key: `[R, keyValueHeads · headDimension]`; with one segment there may be more rows than queries.
///   - value: of the shape of `key`.
///   - heads: query heads.
///   - keyValueHeads: divides `heads`.
///   - segments: documents among the query rows.
///   - scale: usually headDimension^−0.5.
///   - tape: where the op runs and is recorded.
/// - Returns: of the shape of `query`. **Saved**: `query`, `key`, `value`, the output and the log of the
///   softmax's sum `[heads, R]`.
/// - SeeAlso: Dao, arXiv 2307.08691.
public func causalAttention(
    query: Tensor, key: Tensor, value: Tensor, heads: Int, keyValueHeads: Int, segments: Segments,
    scale: Float, on tape: inout Tape
) -> Tensor {
    precondition(
        heads % keyValueHeads == 0 && query.columnCount % heads == 0
            && key.columnCount * heads == query.columnCount * keyValueHeads
            && value.columnCount == key.columnCount && value.rowCount == key.rowCount,
        "causalAttention: query \(query.shape), key \(key.shape), value \(value.shape), \(heads) heads, \(keyValueHeads) key heads"
    )
    precondition(
        segments.rowCount == query.rowCount
            && (key.rowCount == query.rowCount
                || segments.count == 1 && key.rowCount > query.rowCount),
        "causalAttention: \(segments.count) segments of \(segments.rowCount) rows, \(query.rowCount) queries, \(key.rowCount) keys"
    )
    let inputs = AttentionInputs(
        query: query, key: key, value: value, heads: heads, keyValueHeads: keyValueHeads,
        segments: segments, scale: scale)
    let y = tape.device.empty(query.shape)
    let logSumExp = tape.device.empty([heads, query.rowCount])
    let backend = tape.backend
    backend.attentionForward(y, logSumExp: logSumExp, inputs)
    tape.record(y, reading: [query, key, value, y, logSumExp]) { dy, gradients in
        let d = gradients.targets(of: [query.place, key.place, value.place])
        backend.attentionBackward(
            dQuery: d[0], dKey: d[1], dValue: d[2], dy: dy, y: y, logSumExp: logSumExp, inputs)
    }
    return y
}

/// The arguments of attention, shapes checked.
package struct AttentionInputs {
    package let query: Tensor
    package let key: Tensor
    package let value: Tensor
    package let heads: Int
    package let keyValueHeads: Int
    package let segments: Segments
    package let scale: Float

    /// Channels of a head.
    package var headDimension: Int { query.columnCount / heads }
    /// Query heads that share keys.
    package var groupSize: Int { heads / keyValueHeads }
}
