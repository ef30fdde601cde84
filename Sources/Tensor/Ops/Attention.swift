/// Causal grouped-query attention within segments: softmax(scale · q kᵀ) v for each head.
///
/// Query head h reads key head h div (heads / keyValueHeads). A segment with m key rows and n ≤ m query
/// rows is a continuation: query i sees keys j ≤ i + (m − n). No T×T array is ever stored.
///
/// - Parameters:
///   - query: `[R, heads · headDimension]`.
///   - keyValues: one of R rows for all segments, or one a segment, with at least its rows.
///   - heads: query heads.
///   - keyValueHeads: divides `heads`.
///   - segments: documents among the query rows.
///   - scale: usually headDimension^−0.5.
///   - tape: where the op runs and is recorded.
/// - Returns: of the shape of `query`. **Saved**: `query`, `key`, `value`, the output and the log of the
///   softmax's sum `[heads, R]`.
/// - SeeAlso: Dao, arXiv 2307.08691.
public func causalAttention(
    query: Tensor, keyValues: [KeyValues], heads: Int, keyValueHeads: Int, segments: Segments,
    scale: Float, on tape: inout Tape
) -> Tensor {
    precondition(
        heads % keyValueHeads == 0 && query.columnCount % heads == 0
            && segments.rowCount == query.rowCount,
        "causalAttention: query \(query.shape), \(segments.rowCount) rows, \(heads) heads, \(keyValueHeads) key heads"
    )
    precondition(
        keyValues.count == 1 || keyValues.count == segments.count && !tape.isRecording,
        "causalAttention: \(keyValues.count) keys for \(segments.count) segments; one to be recorded"
    )
    for (index, (key, value)) in keyValues.map({ ($0.key, $0.value) }).enumerated() {
        let isShared = keyValues.count == 1 && segments.count > 1
        precondition(
            key.columnCount * heads == query.columnCount * keyValueHeads
                && value.columnCount == key.columnCount && value.rowCount == key.rowCount
                && (isShared
                    ? key.rowCount == query.rowCount
                    : key.rowCount >= segments[index].count),
            "causalAttention: query \(query.shape), key \(key.shape), value \(value.shape), \(segments.count) segments"
        )
    }
    let inputs = AttentionInputs(
        query: query, keyValues: keyValues, heads: heads, keyValueHeads: keyValueHeads,
        segments: segments, scale: scale)
    let (key, value) = (keyValues[0].key, keyValues[0].value)
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

/// Causal attention of segments whose keys are those of their own rows; with one segment there may be more
/// of them than queries.
///
/// - Parameters:
///   - query: `[R, heads · headDimension]`.
///   - key: `[R, keyValueHeads · headDimension]`.
///   - value: of the shape of `key`.
///   - heads: query heads.
///   - keyValueHeads: divides `heads`.
///   - segments: documents among the query rows.
///   - scale: usually headDimension^−0.5.
///   - tape: where the op runs and is recorded.
/// - Returns: of the shape of `query`.
public func causalAttention(
    query: Tensor, key: Tensor, value: Tensor, heads: Int, keyValueHeads: Int, segments: Segments,
    scale: Float, on tape: inout Tape
) -> Tensor {
    causalAttention(
        query: query, keyValues: [KeyValues(key: key, value: value)], heads: heads,
        keyValueHeads: keyValueHeads, segments: segments, scale: scale, on: &tape)
}

/// Keys and values of rows that queries may see.
public struct KeyValues {
    /// Keys, `[m, keyValueHeads · headDimension]`.
    public let key: Tensor
    /// Values, of the same shape.
    public let value: Tensor

    /// Keys and values.
    ///
    /// - Parameters:
    ///   - key: `[m, keyValueHeads · headDimension]`.
    ///   - value: of the same shape.
    public init(key: Tensor, value: Tensor) {
        self.key = key
        self.value = value
    }
}

/// The arguments of attention, shapes checked.
package struct AttentionInputs {
    package let query: Tensor
    /// One for all segments, with the rows of the queries, or one a segment.
    package let keyValues: [KeyValues]
    package let heads: Int
    package let keyValueHeads: Int
    package let segments: Segments
    package let scale: Float

    /// Channels of a head.
    package var headDimension: Int { query.columnCount / heads }
    /// Query heads that share keys.
    package var groupSize: Int { heads / keyValueHeads }

    /// The keys of a segment.
    ///
    /// - Parameter index: of the segment.
    /// - Returns: the place of its keys in `keyValues`, the first row there, and the number of rows before
    ///   those of the segment itself.
    package func keys(of index: Int) -> (place: Int, firstRow: Int, rowsBefore: Int) {
        guard keyValues.count == segments.count else { return (0, segments[index].lowerBound, 0) }
        return (index, 0, keyValues[index].key.rowCount - segments[index].count)
    }
}
