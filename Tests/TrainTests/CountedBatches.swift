import FalconData

/// Gives micro-batches one by one and counts how far it was read.
final class CountedBatches {
    /// There are no more.
    struct End: Error {}

    private let batches: [Batch]
    private(set) var readCount = 0

    init(_ batches: some Sequence<Batch>) { self.batches = Array(batches) }

    func next() throws -> Batch {
        guard readCount < batches.count else { throw End() }
        readCount += 1
        return batches[readCount - 1]
    }
}
