import FalconConcurrency
import FalconData
import FalconSystem

/// Times reading token shards: the batch loader, and decoding alone.
public struct DataBenchmark: Sendable {
    /// A folder of token shards.
    public var path: String
    /// Sequences per batch.
    public var sequences: Int
    /// Tokens per sequence.
    public var sequenceLength: Int
    /// The most tokens to read; fewer if the split has fewer.
    public var tokenLimit: Int
    /// Threads that decode, each its own part of the split; the loader reads on one.
    public var threadCount: Int

    /// A benchmark.
    ///
    /// - Parameters:
    ///   - path: a folder of token shards.
    ///   - sequences: at least 1.
    ///   - sequenceLength: at least 1.
    ///   - tokenLimit: at least 1.
    ///   - threadCount: at least 1.
    public init(
        path: String, sequences: Int, sequenceLength: Int, tokenLimit: Int, threadCount: Int
    ) {
        self.path = path
        self.sequences = sequences
        self.sequenceLength = sequenceLength
        self.tokenLimit = tokenLimit
        self.threadCount = threadCount
    }

    /// Reads the train split with cold and with warm files, then decodes it.
    ///
    /// - Returns: the rates.
    /// - Throws: `DataError` for damaged or too short shards; `FileError` for missing ones.
    public func run() throws -> DataReport {
        let watch = ProcessorWatch()
        let dataset = try TokenDataset(path: path)
        for shard in dataset.index.train.shards { dropFromPageCache(path: "\(path)/\(shard.name)") }
        let cold = try loaderRate(dataset)
        let warm = try loaderRate(dataset)
        let tokens = min(tokenLimit, dataset.index.train.tokens)
        let seconds = try decodingSeconds(dataset, tokens: tokens)
        return DataReport(
            processor: processorName(), othersShare: watch.othersShare(),
            tokens: cold.tokens, sequences: sequences, sequenceLength: sequenceLength,
            coldTokensPerSecond: cold.rate, warmTokensPerSecond: warm.rate,
            decodingThreads: threadCount, decodedTokens: tokens,
            decodedBytesPerSecond: Double(tokens * dataset.index.tokenType.byteCount) / seconds)
    }

    /// The rate of a new loader, from its start to the last batch.
    private func loaderRate(_ dataset: TokenDataset) throws -> (tokens: Int, rate: Double) {
        let start = monotonicSeconds()
        let stream = try SampleStream(dataset, sequenceLength: sequenceLength, seed: 0)
        let batchTokens = sequences * sequenceLength
        let loader = BatchLoader(stream, batchTokens: batchTokens)
        let samples = stream.sampleCount(ofSource: 0, sequenceLength: sequenceLength)
        let wanted = min(tokenLimit, samples * sequenceLength)
        let batches = max(1, wanted / batchTokens)
        for _ in 0..<batches { _ = try loader.next() }
        return (
            batches * batchTokens,
            Double(batches * batchTokens) / (monotonicSeconds() - start)
        )
    }

    /// Decodes the first tokens of the split once, in order, each thread its own part.
    private func decodingSeconds(_ dataset: TokenDataset, tokens: Int) throws -> Double {
        let piece = dataset.index.tokensPerFrame
        let pieces = (tokens + piece - 1) / piece
        let (share, rest) = pieces.quotientAndRemainder(dividingBy: threadCount)
        let results = BoundedQueue<Result<Void, any Error>>(capacity: threadCount)
        let start = monotonicSeconds()
        let workers = try (0..<threadCount).map { worker in
            let first = worker * share + min(worker, rest)
            let own = first..<first + share + (worker < rest ? 1 : 0)
            return try WorkerThread {
                let reader = dataset.reader(of: .train)
                results.push(
                    Result {
                        for number in own {
                            let end = min(tokens, (number + 1) * piece)
                            _ = try reader.tokens(in: number * piece..<end)
                        }
                    })
            }
        }
        for worker in workers { worker.join() }
        let seconds = monotonicSeconds() - start
        results.finish()
        while let result = results.pop() { try result.get() }
        return seconds
    }
}

/// The speed of reading shards, as `--json` prints it; units are in the names.
public struct DataReport: Encodable, Sendable {
    /// The processor's name.
    public let processor: String
    /// The share of all processors' time that other processes took; nil if unknown.
    public let othersShare: Double?
    /// Tokens that each of the two passes read.
    public let tokens: Int
    /// Sequences per batch.
    public let sequences: Int
    /// Tokens per sequence.
    public let sequenceLength: Int
    /// The rate of the loader after the system was asked to drop the files from its cache.
    public let coldTokensPerSecond: Double
    /// The rate of the loader with the files in memory.
    public let warmTokensPerSecond: Double
    /// Threads that decoded.
    public let decodingThreads: Int
    /// Tokens that were decoded.
    public let decodedTokens: Int
    /// The rate of decoding in bytes of tokens, with the files in memory, over all threads.
    public let decodedBytesPerSecond: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case processor, tokens, sequences
        case othersShare = "others_cpu_share"
        case sequenceLength = "sequence_length"
        case coldTokensPerSecond = "cold_tokens_per_second"
        case warmTokensPerSecond = "warm_tokens_per_second"
        case decodingThreads = "decoding_threads"
        case decodedTokens = "decoded_tokens"
        case decodedBytesPerSecond = "decoded_bytes_per_second"
    }
}
