import FalconConcurrency
import FalconSystem

extension ThreadRanks {
    /// Runs every rank on a thread of its own and waits for all of them.
    ///
    /// A rank whose work throws fails with the error's message; the link of one whose work returns is closed, if
    /// the work has not closed it.
    ///
    /// - Parameter work: what a rank does with its link, which ends with it.
    /// - Returns: by rank, the result of its work, or its error: `RankFailure` if another rank has failed.
    /// - Throws: `FileError` if the system does not give a thread for each rank; nothing has run then.
    public func run<Value: Sendable>(
        _ work: @escaping @Sendable (any RankLink) throws -> Value
    ) throws(FileError) -> [Result<Value, any Error>] {
        let outcomes = Outcomes<Value>()
        var threads: [WorkerThread] = []
        do {
            for rank in 0..<count {
                threads.append(
                    try WorkerThread { [self] in
                        guard outcomes.isGo() else { return }
                        let link = link(rank)
                        outcomes.set(
                            rank,
                            Result {
                                do {
                                    let value = try work(link)
                                    try link.close()
                                    return value
                                } catch {
                                    link.fail("\(error)")
                                    throw error
                                }
                            })
                    })
            }
        } catch {
            outcomes.decide(false)
            for thread in threads { thread.join() }
            throw error
        }
        outcomes.decide(true)
        for thread in threads { thread.join() }
        return (0..<count).compactMap { outcomes[$0] }
    }
}

/// What the ranks have come to; they begin together, or not at all.
private final class Outcomes<Value: Sendable>: @unchecked Sendable {
    // - Invariant: both are read and written with `monitor` locked.
    private let monitor = Monitor()
    private var decision: Bool?
    private var results: [Int: Result<Value, any Error>] = [:]

    subscript(rank: Int) -> Result<Value, any Error>? { monitor.locked { results[rank] } }

    func set(_ rank: Int, _ result: Result<Value, any Error>) {
        monitor.locked { results[rank] = result }
    }

    func decide(_ isGo: Bool) {
        monitor.locked {
            decision = isGo
            monitor.wakeAll()
        }
    }

    /// Waits until it is known whether all threads have been started.
    func isGo() -> Bool {
        monitor.locked {
            while true {
                if let decision { return decision }
                monitor.wait()
            }
        }
    }
}
