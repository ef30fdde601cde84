/// The batches of a split, in order, so that a pass scores every token at most once.
///
/// The stream is cut into sequences of T tokens; each token but the first of a document is the
/// target of exactly one row. The last sequence is filled with end-of-document tokens that are not
/// scored, and the last batch has fewer sequences: sequences are the same for every batch size.
/// Each pass starts again with `makeIterator()`.
public struct ValidationBatches: Sendable {
    private let dataset: TokenDataset
    private let split: Split
    private let sequenceLength: Int
    private let sequencesPerBatch: Int
    /// Rows that may be scored: the tokens of the split up to the limit.
    public let rowCount: Int
    /// Batches in a pass.
    public var batchCount: Int {
        let rowsPerBatch = sequenceLength * sequencesPerBatch
        return (rowCount + rowsPerBatch - 1) / rowsPerBatch
    }

    /// The batches of a split.
    ///
    /// - Parameters:
    ///   - dataset: the shards.
    ///   - split: which split.
    ///   - sequenceLength: T, at least 1.
    ///   - sequencesPerBatch: B of all batches but the last, at least 1.
    ///   - tokenLimit: use only the first tokens of the split; nil uses all.
    /// - Throws: `DataError.splitTooShort` if the split has fewer than two tokens.
    public init(
        dataset: TokenDataset, split: Split = .validation, sequenceLength: Int,
        sequencesPerBatch: Int, tokenLimit: Int? = nil
    ) throws {
        precondition(
            sequenceLength >= 1 && sequencesPerBatch >= 1 && tokenLimit ?? 1 >= 1,
            "ValidationBatches: \(sequencesPerBatch) x \(sequenceLength), limit \(tokenLimit ?? 1)")
        let tokenCount = dataset.index[split].tokens
        guard tokenCount >= 2 else {
            throw DataError.splitTooShort(
                path: dataset.path, split: split, tokenCount: tokenCount, wanted: 2)
        }
        self.dataset = dataset
        self.split = split
        self.sequenceLength = sequenceLength
        self.sequencesPerBatch = sequencesPerBatch
        rowCount = min(tokenCount, tokenLimit ?? tokenCount)
    }

    /// Starts a pass.
    ///
    /// - Returns: an iterator for one thread.
    public func makeIterator() -> Iterator { Iterator(self) }

    /// One pass over the split.
    public final class Iterator {
        private let batches: ValidationBatches
        private let reader: TokenReader
        private var nextSequence = 0

        init(_ batches: ValidationBatches) {
            self.batches = batches
            reader = batches.dataset.reader(of: batches.split)
        }

        /// The next batch.
        ///
        /// - Returns: nil after the last one.
        /// - Throws: `DataError.damagedShard` or `FileError` if the shards cannot be read.
        public func next() throws -> Batch? {
            let length = batches.sequenceLength
            let firstRow = nextSequence * length
            if firstRow >= batches.rowCount { return nil }
            let rowsLeft = batches.rowCount - firstRow
            let count = min(batches.sequencesPerBatch, (rowsLeft + length - 1) / length)
            let endOfDocumentID = batches.dataset.index.endOfDocumentID
            let sequences = try (0..<count).map { number in
                let first = firstRow + number * length
                let last = min(first + length + 1, reader.tokenCount)
                var tokens = try reader.tokens(in: first..<last)
                while tokens.count < length + 1 { tokens.append(endOfDocumentID) }
                return tokens
            }
            nextSequence += count
            return Batch(
                sequences: sequences, endOfDocumentID: endOfDocumentID, scoredRows: rowsLeft)
        }
    }
}
