import FalconConcurrency

/// Gives batches of training samples in the order of a `SampleStream`, read ahead by a thread if the
/// system gives one.
///
/// A sample has T inputs and, one later, T targets. With `Packing.split` sample i covers tokens i·T to (i+1)·T of
/// the split, both included; its last tokens, too few for a sample, are left out. Samples of later epochs follow
/// without a gap; a batch may hold the end of one epoch and the start of the next.
///
/// For one thread; the loader stops its own thread when it goes away.
public final class BatchLoader {
    // Two batches ahead hide the reading; more only cost memory.
    private static let queuedBatchCount = 2

    /// Tokens of the whole run up to the end of the last batch given.
    public var position: Int { cursor.position }
    /// The place behind the batches given so far: what each source of the stream has given.
    public private(set) var cursor: SampleCursor
    private let queue: BoundedQueue<Result<LoadedBatch, any Error>>
    private let thread: WorkerThread?
    /// The reader of the batches if there is no thread.
    private let source: BatchSource?
    private var failure: (any Error)?

    /// Starts reading ahead.
    ///
    /// - Parameters:
    ///   - stream: the samples of the run.
    ///   - batchTokens: tokens of a batch, a multiple of the sequence length of every stage.
    ///   - position: tokens consumed before: whole steps.
    ///   - isWanted: whether the batch that begins after a number of tokens is read, or left to others; asked
    ///     in order, on the loader's thread. Nil for all.
    public init(
        _ stream: SampleStream, batchTokens: Int, position: Int = 0,
        isWanted: (@Sendable (_ position: Int) -> Bool)? = nil
    ) {
        precondition(
            stream.stages.allSatisfy { batchTokens > 0 && batchTokens % $0.sequenceLength == 0 }
                && position >= 0,
            "BatchLoader: \(batchTokens) tokens, position \(position)")
        let cursor = stream.cursor(at: position)
        self.cursor = cursor
        let queue = BoundedQueue<Result<LoadedBatch, any Error>>(capacity: Self.queuedBatchCount)
        self.queue = queue
        let makeSource = { @Sendable in
            BatchSource(stream, cursor, batchTokens: batchTokens, isWanted: isWanted)
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
    /// - Returns: a batch of sequences of T tokens.
    /// - Throws: `DataError.damagedShard` or `FileError` if the shards cannot be read, now and at
    ///   every later call.
    public func next() throws -> Batch {
        if let failure { throw failure }
        guard let result = source?.next() ?? queue.pop() else {
            preconditionFailure("BatchLoader: the thread stopped without an error")
        }
        do {
            let loaded = try result.get()
            cursor = loaded.end
            return loaded.batch
        } catch {
            failure = error
            throw error
        }
    }
}

/// A batch, and the place behind it.
private struct LoadedBatch {
    let batch: Batch
    let end: SampleCursor
}

/// Puts batches together, one after the other.
private final class BatchSource {
    private let stream: SampleStream
    private let readers: [TokenReader]
    private let endOfDocumentID: Int32
    private let batchTokens: Int
    private let isWanted: (@Sendable (Int) -> Bool)?
    private var cursor: SampleCursor

    init(
        _ stream: SampleStream, _ cursor: SampleCursor, batchTokens: Int,
        isWanted: (@Sendable (Int) -> Bool)?
    ) {
        self.stream = stream
        readers = stream.sources.map { $0.reader(of: .train) }
        endOfDocumentID = stream.sources[0].index.endOfDocumentID
        (self.batchTokens, self.isWanted) = (batchTokens, isWanted)
        self.cursor = cursor
    }

    func next() -> Result<LoadedBatch, any Error> {
        var samples: [Sample] = []
        // The samples of others are passed.
        repeat {
            let isOwn = isWanted?(cursor.position) ?? true
            samples = (0..<batchTokens / cursor.sequenceLength).map { _ in cursor.next() }
            if isOwn { break }
        } while true
        return Result {
            LoadedBatch(
                batch: Batch(
                    samples: try samples.map { sample in
                        try stream.pieces(of: sample).map {
                            try readers[sample.source].tokens(in: $0.tokens)
                        }
                    }, sequenceLength: samples[0].sequenceLength,
                    endOfDocumentID: endOfDocumentID),
                end: cursor)
        }
    }
}
