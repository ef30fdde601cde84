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
    /// Every sequence starts a segment, and so do every document and padding within one: rows of different
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
        self.init(
            samples: sequences.map { [$0] }, sequenceLength: (sequences.first?.count ?? 1) - 1,
            endOfDocumentID: endOfDocumentID, scoredRows: scoredRows)
    }

    /// Builds a batch from pieces of the token stream.
    ///
    /// - Parameters:
    ///   - samples: B lists of pieces of the stream: n inputs and the token after them, T inputs together at most;
    ///     what is missing is padded.
    ///   - sequenceLength: T, at least 1.
    ///   - endOfDocumentID: the token that ends a document; nothing is predicted from it.
    ///   - scoredRows: rows from the start that may be scored; nil for all.
    package init(
        samples: [[[Int32]]], sequenceLength: Int, endOfDocumentID: Int32, scoredRows: Int? = nil
    ) {
        sequenceCount = samples.count
        self.sequenceLength = sequenceLength
        let rowCount = sequenceCount * sequenceLength
        var tokens: [Int32] = []
        var targets: [Int32] = []
        var offsets: [Int32] = []
        tokens.reserveCapacity(rowCount)
        targets.reserveCapacity(rowCount)
        for (number, pieces) in samples.enumerated() {
            for piece in pieces {
                let (first, count) = (tokens.count, piece.count - 1)
                offsets.append(Int32(first))
                tokens += piece[..<count]
                targets += piece[1...]
                for place in 0..<count where piece[place] == endOfDocumentID {
                    targets[first + place] = Self.notScored
                    if place + 1 < count { offsets.append(Int32(first + place + 1)) }
                }
            }
            let missing = (number + 1) * sequenceLength - tokens.count
            precondition(
                sequenceLength >= 1 && (0..<sequenceLength).contains(missing),
                "Batch: \(sequenceLength - missing) inputs, want 1 to \(sequenceLength)")
            if missing > 0 {
                offsets.append(Int32(tokens.count))
                tokens += repeatElement(max(0, endOfDocumentID), count: missing)
                targets += repeatElement(Self.notScored, count: missing)
            }
        }
        offsets.append(Int32(rowCount))
        for row in min(rowCount, scoredRows ?? rowCount)..<rowCount {
            targets[row] = Self.notScored
        }
        self.tokens = tokens
        self.targets = targets
        self.documentOffsets = offsets
        targetCount = targets.count { $0 != Self.notScored }
    }
}
