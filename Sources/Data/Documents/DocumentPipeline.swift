import FalconConcurrency

/// Documents through several threads, and what is made of them in the order of the input.
///
/// Reader thread -> jobs -> worker threads -> results in order -> the calling thread.
struct DocumentPipeline {
    private let source: JobSource
    private let threadCount: Int
    private let heldBytes: Int

    /// A pipeline that nothing runs through yet.
    ///
    /// - Parameters:
    ///   - source: read to the end.
    ///   - threadCount: worker threads; results do not depend on it.
    ///   - heldBytes: bytes of documents on their way at most, but for one document that is larger; nil for as much
    ///     as the largest document.
    init(_ source: JobSource, threadCount: Int, heldBytes: Int? = nil) {
        self.source = source
        self.threadCount = max(1, min(threadCount, WorkerThread.countLimit))
        self.heldBytes =
            heldBytes ?? DocumentReader.documentLimitBytes + self.threadCount << 20
    }

    /// Runs all documents through.
    ///
    /// - Parameters:
    ///   - makeWorker: gives what a thread does with its jobs; called on that thread, once it has one.
    ///   - consume: takes the results in order, on the calling thread.
    /// - Throws: the first error in the order of the input; what `consume` throws.
    func run<Output: JobOutput>(
        _ makeWorker: @escaping @Sendable () -> (Job) throws -> Output,
        consuming consume: (Output) throws -> Void
    ) throws {
        let jobs = BoundedQueue<Job>(capacity: 2 * threadCount)
        let results = OrderedResults<Result<Output, any Error>>(capacity: 4 * threadCount)
        let budget = ByteBudget(limit: heldBytes)
        var workers: [WorkerThread] = []
        defer {
            jobs.cancel()
            results.cancel()
            budget.cancel()
            for worker in workers { worker.join() }
        }
        let source = source
        workers.append(try WorkerThread { source.read(into: jobs, results, budget) })
        workers += try WorkerThread.some(threadCount) {
            // Made when it is needed: a small corpus has no work for most threads.
            var made: ((Job) throws -> Output)?
            while let job = jobs.pop() {
                let work = made ?? makeWorker()
                made = work
                results.put(Result { try work(job) }, number: job.number)
            }
        }
        while let result = results.take() {
            let output = try result.get()
            try consume(output)
            budget.give(back: output.documentBytes)
        }
    }
}
