/// Sequences of tokens to learn from or to score, as plain integers.
///
/// Rows are flat: row b·T + t is token t of sequence b. B sequences, T tokens each.
public struct Batch: Sendable, Equatable {
    /// The target of a row that is not scored.
    public static let notScored: Int32 = -1

    /// B, at least 1.
    public let sequenceCount: Int
    /// T, at least 1.
    public let sequenceLength: Int
    /// The inputs, [B·T].
    public let tokens: [Int32]
    /// The token that follows each input, [B·T]; `notScored` for the last token of a document.
    public let targets: [Int32]
    /// The starts of documents: row numbers that rise, first 0, last B·T.
    ///
    /// Every sequence starts a segment, and so does every document within one: rows of different
    /// segments must not see each other.
    public let documentOffsets: [Int32]
    /// Rows that are scored.
    public let targetCount: Int

    /// Builds a batch from the token stream.
    ///
    /// - Parameters:
    ///   - sequences: B pieces of the stream of T + 1 tokens each: inputs and the token after them.
    ///   - endOfDocumentID: the token that ends a document; nothing is predicted from it.
    ///   - scoredRows: rows from the start that may be scored; nil for all.
    package init(
        sequences: [[Int32]], endOfDocumentID: Int32, scoredRows: Int? = nil
    ) {
        sequenceCount = sequences.count
        sequenceLength = (sequences.first?.count ?? 1) - 1
        let rowCount = sequenceCount * sequenceLength
        var tokens: [Int32] = []
        var targets: [Int32] = []
        var offsets: [Int32] = []
        var targetCount = 0
        tokens.reserveCapacity(rowCount)
        targets.reserveCapacity(rowCount)
        for sequence in sequences {
            precondition(
                sequence.count == sequenceLength + 1 && sequenceLength >= 1,
                "Batch: a sequence of \(sequence.count) tokens, want \(sequenceLength + 1)")
            var startsSegment = true
            for place in 0..<sequenceLength {
                if startsSegment { offsets.append(Int32(tokens.count)) }
                let token = sequence[place]
                startsSegment = token == endOfDocumentID
                let isScored = !startsSegment && tokens.count < scoredRows ?? rowCount
                targets.append(isScored ? sequence[place + 1] : Self.notScored)
                if isScored { targetCount += 1 }
                tokens.append(token)
            }
        }
        offsets.append(Int32(rowCount))
        self.tokens = tokens
        self.targets = targets
        self.documentOffsets = offsets
        self.targetCount = targetCount
    }
}
