import FalconConcurrency

/// Gives batches of training samples in the order of `SampleOrder`, read ahead by a thread if the
/// system gives one.
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
    /// Samples consumed so far by the whole run; checkpoints store it.
    public private(set) var position: Int
    private let queue: BoundedQueue<Result<Batch, any Error>>
    private let thread: WorkerThread?
    /// The reader of the batches if there is no thread.
    private let source: BatchSource?
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
    ///   - rank: the part of the run, 0 to `rankCount - 1`.
    ///   - rankCount: parts of the run; each step consumes B · `rankCount` samples, rank r takes
    ///     those from B·r.
    /// - Throws: `DataError.splitTooShort` if the split has no whole sample.
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
        let makeSource = { @Sendable in
            BatchSource(
                samples: SampleSource(dataset, split, sequenceLength), order: order,
                endOfDocumentID: dataset.index.endOfDocumentID,
                sequencesPerBatch: sequencesPerBatch, rank: rank, rankCount: rankCount,
                position: position)
        }
        thread = try? WorkerThread {
            let source = makeSource()
            while true {
                let batch = source.next()
                guard queue.push(batch), case .success = batch else { return }
            }
        }
        source = thread == nil ? makeSource() : nil
    }

    deinit {
        queue.cancel()
        thread?.join()
    }

    /// The next batch; waits only if reading is behind.
    ///
    /// - Returns: a batch of B sequences of T tokens.
    /// - Throws: `DataError.damagedShard` or `FileError` if the shards cannot be read, now and at
    ///   every later call.
    public func next() throws -> Batch {
        if let failure { throw failure }
        guard let result = source?.next() ?? queue.pop() else {
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

/// Puts batches together, one after the other.
private final class BatchSource {
    private let samples: SampleSource
    private let order: SampleOrder
    private let endOfDocumentID: Int32
    private let sequencesPerBatch: Int
    private let rank: Int
    private let rankCount: Int
    private var position: Int

    init(
        samples: SampleSource, order: SampleOrder, endOfDocumentID: Int32, sequencesPerBatch: Int,
        rank: Int, rankCount: Int, position: Int
    ) {
        self.samples = samples
        self.order = order
        self.endOfDocumentID = endOfDocumentID
        self.sequencesPerBatch = sequencesPerBatch
        self.rank = rank
        self.rankCount = rankCount
        self.position = position
    }

    func next() -> Result<Batch, any Error> {
        let first = position + rank * sequencesPerBatch
        position += rankCount * sequencesPerBatch
        return Result {
            Batch(
                sequences: try (first..<first + sequencesPerBatch).map {
                    try samples.sample(order.sample(at: $0))
                },
                endOfDocumentID: endOfDocumentID, position: position)
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
