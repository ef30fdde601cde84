/// What a loader reads of batches that several share in turn.
///
/// - Parameters:
///   - count: the number of those that share.
///   - first: the number of the first batch.
///   - tokens: of a batch.
/// - Returns: whether to read the batch at a position.
func every(_ count: Int, from first: Int, tokens: Int) -> @Sendable (Int) -> Bool {
    { $0 / tokens % count == first }
}
