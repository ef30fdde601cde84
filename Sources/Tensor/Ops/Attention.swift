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
    preconditionFailure("causalAttention")
}
