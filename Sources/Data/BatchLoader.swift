import FalconSystem

/// Gives batches of training samples in the order of `SampleOrder`, read ahead by a thread.
///
/// The token stream of the split is cut into samples: sample i covers tokens i·T to (i+1)·T, both
/// included: T inputs and, one later, T targets. Its last tokens, too few for a sample, are left
/// out. Samples of later epochs follow without a gap; a batch may hold the end of one epoch and the
/// start of the next.
///
/// For one thread; the loader stops its own thread when it goes away.
public final class BatchLoader {
    // Two batches ahead hide the reading; more only cost memory.
    private static let queuedBatchCount = 2

    /// Samples in an epoch.
    public let sampleCount: Int
    /// Samples consumed so far by the whole run: what a checkpoint stores.
    public private(set) var position: Int
    private let queue: BoundedQueue<Result<Batch, any Error>>
    private let thread: WorkerThread
    private var failure: (any Error)?

    /// Starts reading ahead.
    ///
    /// - Parameters:
    ///   - dataset: the shards.
    ///   - split: which split, usually `train`.
    ///   - sequenceLength: T, at least 1.
    ///   - sequencesPerBatch: B, at least 1.
    ///   - seed: the run's seed.
    ///   - position: samples consumed before, from 0.
    ///   - rank: which part of the run this is, 0 to `rankCount - 1`.
    ///   - rankCount: parts of the run; each step consumes B · `rankCount` samples, rank r takes
    ///     those from B·r.
    /// - Throws: `DataError.splitTooShort` if the split has no whole sample; `FileError` without a
    ///   thread.
    public init(
        dataset: TokenDataset, split: Split = .train, sequenceLength: Int, sequencesPerBatch: Int,
        seed: UInt64, position: Int = 0, rank: Int = 0, rankCount: Int = 1
    ) throws {
        precondition(
            sequenceLength >= 1 && sequencesPerBatch >= 1 && position >= 0 && rankCount >= 1
                && (0..<rankCount).contains(rank),
            "BatchLoader: \(sequencesPerBatch) x \(sequenceLength), position \(position), "
                + "rank \(rank) of \(rankCount)")
        let tokenCount = dataset.index[split].tokens
        sampleCount = (tokenCount - 1) / sequenceLength
        guard tokenCount > sequenceLength else {
            throw DataError.splitTooShort(
                path: dataset.path, split: split, tokenCount: tokenCount,
                wanted: sequenceLength + 1)
        }
        self.position = position
        let order = SampleOrder(
            datasetDigest: dataset.index.datasetDigest, seed: seed, sampleCount: sampleCount)
        let queue = BoundedQueue<Result<Batch, any Error>>(capacity: Self.queuedBatchCount)
        self.queue = queue
        thread = try WorkerThread {
            let source = SampleSource(dataset, split, sequenceLength)
            var next = position
            while true {
                let first = next + rank * sequencesPerBatch
                next += rankCount * sequencesPerBatch
                let batch = Result {
                    Batch(
                        sequences: try (first..<first + sequencesPerBatch).map {
                            try source.sample(order.sample(at: $0))
                        },
                        endOfDocumentID: dataset.index.endOfDocumentID, position: next)
                }
                guard queue.push(batch), case .success = batch else { return }
            }
        }
    }

    deinit {
        queue.cancel()
        thread.join()
    }

    /// The next batch; waits only if reading is behind.
    ///
    /// - Returns: a batch of B sequences of T tokens.
    /// - Throws: `DataError.damagedShard` or `FileError` if the shards cannot be read, now and at
    ///   every later call.
    public func next() throws -> Batch {
        if let failure { throw failure }
        guard let result = queue.pop() else {
            preconditionFailure("BatchLoader: the thread stopped without an error")
        }
        do {
            let batch = try result.get()
            position = batch.position
            return batch
        } catch {
            failure = error
            throw error
        }
    }
}

/// Cuts samples out of a split.
private struct SampleSource {
    private let reader: TokenReader
    private let sequenceLength: Int

    init(_ dataset: TokenDataset, _ split: Split, _ sequenceLength: Int) {
        reader = dataset.reader(of: split)
        self.sequenceLength = sequenceLength
    }

    func sample(_ number: Int) throws -> [Int32] {
        let first = number * sequenceLength
        return try reader.tokens(in: first..<first + sequenceLength + 1)
    }
}
