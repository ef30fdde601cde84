import FalconConcurrency

/// Results of numbered jobs, done in any order and taken in order of their numbers.
///
/// A job may be handed in only while its number is less than `capacity` ahead of the one taken
/// next, so memory is bounded; the job taken next never waits, so nothing can lock up.
final class OrderedResults<Element: Sendable>: @unchecked Sendable {
    // - Invariant: every stored property below is read and written with `monitor` locked.
    private let monitor = Monitor()
    private let capacity: Int
    private var waiting: [Int: Element] = [:]
    private var nextNumber = 0
    private var total: Int?
    private var isCancelled = false

    /// No results yet.
    ///
    /// - Parameter capacity: the most results held, at least 1.
    init(capacity: Int) {
        precondition(capacity >= 1, "OrderedResults: capacity is \(capacity), want at least 1")
        self.capacity = capacity
    }

    /// Hands in a result, waiting for room.
    ///
    /// - Parameters:
    ///   - element: the result.
    ///   - number: the number of its job, from 0; each number once.
    /// - Returns: false if the results were cancelled; the element is then dropped.
    @discardableResult
    func put(_ element: Element, number: Int) -> Bool {
        monitor.locked {
            while number >= nextNumber + capacity && !isCancelled { monitor.wait() }
            if isCancelled { return false }
            waiting[number] = element
            monitor.wakeAll()
            return true
        }
    }

    /// Takes the result of the next job, waiting for it.
    ///
    /// - Returns: nil after the last one, or after `cancel()`.
    func take() -> Element? {
        monitor.locked {
            while true {
                if isCancelled || total == nextNumber { return nil }
                if let element = waiting.removeValue(forKey: nextNumber) {
                    nextNumber += 1
                    monitor.wakeAll()
                    return element
                }
                monitor.wait()
            }
        }
    }

    /// Says how many jobs there are in all.
    ///
    /// - Parameter total: the number of jobs.
    func finish(total: Int) {
        monitor.locked {
            self.total = total
            monitor.wakeAll()
        }
    }

    /// Drops everything: waiting and later `put` and `take` return at once.
    func cancel() {
        monitor.locked {
            isCancelled = true
            waiting.removeAll()
            monitor.wakeAll()
        }
    }
}

/// Does numbered jobs on several threads and takes their results in order.
///
/// - Parameters:
///   - count: the number of jobs; they are numbered from 0.
///   - threadCount: threads, at most one a job.
///   - makeWorker: called on each thread; gives what it does with a job.
///   - consume: takes the results in order, on the calling thread.
/// - Throws: the first error in the order of the jobs; what `consume` throws; `FileError` if the system gives no thread.
func inOrder<Output: Sendable>(
    _ count: Int, threadCount: Int,
    _ makeWorker: @escaping @Sendable () -> (Int) throws -> Output,
    consuming consume: (Output) throws -> Void
) throws {
    let jobs = BoundedQueue<Int>(capacity: max(1, count))
    for number in 0..<count { jobs.push(number) }
    jobs.finish()
    let results = OrderedResults<Result<Output, any Error>>(capacity: max(1, count))
    results.finish(total: count)
    let workers = try WorkerThread.some(min(threadCount, count)) {
        let work = makeWorker()
        while let number = jobs.pop() {
            results.put(Result { try work(number) }, number: number)
        }
    }
    defer {
        jobs.cancel()
        results.cancel()
        for worker in workers { worker.join() }
    }
    while let result = results.take() { try consume(try result.get()) }
}
