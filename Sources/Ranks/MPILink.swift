import FalconConcurrency
import FalconSystem

/// The streams of this process among those that an MPI's launcher has started.
///
/// A thread of its own makes all calls of MPI. After a failure it makes none any more, so the process can end
/// without `MPI_Finalize`, which would wait for all, and with an exit status of its own: mpirun then ends the other
/// processes and passes the first status on.
public final class MPILink: RankLink {
    /// This rank.
    public let rank: Int
    /// The number of ranks.
    public var count: Int { places.count }
    /// Where each rank runs, by rank.
    public let places: [RankPlace]
    /// The names of the ranks' hosts, by rank.
    public var hosts: [String] { places.map(\.host) }
    /// The most bytes of a message: fewer if there are many ranks, each of which sends some ahead.
    public let messageByteLimit: Int
    /// The name and version of the MPI.
    public var libraryName: String { library.name }

    private let library: MPILibrary
    private let silenceLimit: Double
    private let mailbox: MPIMailbox
    private let store: RankMessageStore
    private let thread: WorkerThread
    private var isClosed = false

    /// How long `MPI_Finalize` may take when all ranks have closed, in seconds.
    ///
    /// MPICH's has been seen to hang over TCP; the process then ends without it.
    private static let finishSeconds = 10.0

    /// How long a rank that only heard of a failure leaves the launcher for the one that failed, in seconds.
    private static let courtesySeconds = 2.0

    /// Starts MPI, which waits until all processes of the launcher have done so.
    ///
    /// Once a process: MPI cannot be started again.
    ///
    /// - Parameters:
    ///   - environment: the variables of the process: `FALCON_MPI_LIBRARY` names the library between the program
    ///     and MPI, otherwise it is beside the program; those of launchers tell whether MPI was started well.
    ///   - silenceLimit: seconds without a sign after which a rank counts as failed, more than 0.
    ///   - hangLimit: seconds after which a rank counts as failed that lives but neither waits nor calls its link;
    ///     nil for ten times `silenceLimit`.
    /// - Throws: `MPIError` if MPI cannot be used here; `FileError` if the system gives no thread.
    public init(
        environment: [String: String], silenceLimit: Double = 60, hangLimit: Double? = nil
    ) throws {
        precondition(silenceLimit > 0, "MPILink: silence of \(silenceLimit) s, want more than 0")
        let library = try MPILibrary(environment: environment)
        let mailbox = MPIMailbox()
        let thread = try WorkerThread {
            MPIMover(
                library: library, mailbox: mailbox, silenceLimit: silenceLimit,
                hangLimit: hangLimit ?? 10 * silenceLimit)?.run()
        }
        let beginning = try mailbox.monitor.locked { () throws(MPIError) in
            while true {
                if let beginning = mailbox.beginning { return try beginning.get() }
                mailbox.monitor.wait()
            }
        }
        rank = beginning.rank
        places = beginning.places
        store = beginning.store
        messageByteLimit = store.room
        self.library = library
        (self.silenceLimit, self.mailbox, self.thread) = (silenceLimit, mailbox, thread)
        if count == 1, let launcher = MPILauncher(environment: environment), launcher.isOfSeveral {
            try close()
            throw MPIError.alone(
                library: library.name, launcher: launcher.name, variables: launcher.variables)
        }
    }

    /// Whether a launcher has started this process, alone or with others.
    ///
    /// - Parameter environment: the variables of the process.
    /// - Returns: true if a variable of srun, or of an mpirun, is set.
    public static func isLaunched(environment: [String: String]) -> Bool {
        MPILauncher(environment: environment) != nil
    }

    /// Whether a launcher has started several processes, which train together.
    ///
    /// A job's own script is not among them, whatever the variables of its job say.
    ///
    /// - Parameter environment: the variables of the process.
    /// - Returns: false where nothing says so.
    public static func isOfSeveral(environment: [String: String]) -> Bool {
        guard let launcher = MPILauncher(environment: environment) else { return false }
        return launcher.isOfSeveral
    }

    /// The memory of messages that a rank takes in ahead of their use.
    ///
    /// - Parameter rankCount: the number of ranks, at least 1.
    /// - Returns: bytes, at most 64 MiB but for very many ranks.
    public static func aheadByteCount(rankCount: Int) -> Int {
        (rankCount - 1) * MPIMover.aheadCount * MPIMover.messageByteLimit(count: rankCount)
    }

    /// The failure that this rank has heard of; nil for none.
    public var failure: RankFailure? { mailbox.monitor.locked { mailbox.failure } }

    deinit { if !isClosed { fail("its link has been dropped before its work was done") } }

    /// An empty message.
    ///
    /// - Returns: a message with room for `messageByteLimit` bytes.
    public func makeMessage() -> RankMessage { RankMessage(from: store) }

    /// Puts a message behind those that were sent to a rank before, without waiting.
    ///
    /// - Parameters:
    ///   - message: with 1 byte or more; it belongs to the link from now on.
    ///   - rank: another rank.
    /// - Throws: `RankFailure` if a rank has failed.
    public func send(_ message: RankMessage, to rank: Int) throws(RankFailure) {
        checkSend(message, to: rank)
        try called { () throws(RankFailure) in
            mailbox.outgoing[rank].append(message)
            mailbox.unsentByteCount += message.byteCount
            mailbox.order()
        }
    }

    /// Bytes of messages that were sent and are still in memory here.
    public var unsentByteCount: Int { mailbox.monitor.locked { mailbox.unsentByteCount } }

    /// The next message of a stream, if it has come.
    ///
    /// - Parameter rank: another rank.
    /// - Returns: the message; nil if there is none yet.
    /// - Throws: `RankFailure` if a rank has failed.
    public func receive(from rank: Int) throws(RankFailure) -> RankMessage? {
        checkOther(rank)
        return try called { () throws(RankFailure) in
            guard let message = mailbox.arrived[rank].popFirst() else { return nil }
            // There is room for one more.
            mailbox.order()
            return message
        }
    }

    /// Grows whenever a message has come or has left, and when a rank has failed.
    public var changeCount: Int { mailbox.monitor.locked { mailbox.changeCount } }

    /// Waits until `changeCount` is greater than it was.
    ///
    /// - Parameter changeCount: as it was before the caller looked at what it waits for.
    /// - Throws: `RankFailure` if a rank has failed.
    public func wait(beyond changeCount: Int) throws(RankFailure) {
        try called { () throws(RankFailure) in try wait { mailbox.changeCount > changeCount } }
    }

    /// Says what this rank is doing.
    ///
    /// - Parameter phase: such as "step 12".
    public func note(_ phase: String) {
        mailbox.monitor.locked {
            mailbox.phase = phase
            mailbox.callCount &+= 1
        }
    }

    /// Tells all others that this rank ends with an error; at most some seconds.
    ///
    /// A rank that ends because another has told of its failure waits for two seconds, so that the other's
    /// message is the first and its exit status the launcher's.
    ///
    /// - Parameter reason: the error's message.
    public func fail(_ reason: String) {
        if isClosed { return }
        isClosed = true
        library.leaveAtExit()
        mailbox.monitor.locked {
            mailbox.knowsFailure = true
            if mailbox.failure == nil { mailbox.ownReason = reason }
            mailbox.order()
            let start = monotonicSeconds()
            while true {
                let end =
                    mailbox.failureNews.map { $0 + Self.courtesySeconds }
                    ?? (mailbox.hasEnded ? start : start + 2 * MPIMover.partingSeconds)
                let now = monotonicSeconds()
                if now >= end { return }
                mailbox.monitor.wait(atMostSeconds: end - now)
            }
        }
    }

    /// Ends the streams, and MPI, when all ranks call it.
    ///
    /// A launcher may end all processes as soon as one ends with another exit status than 0, so what must be
    /// done is done before.
    ///
    /// - Throws: `RankFailure` if a rank has failed.
    public func close() throws(RankFailure) {
        if isClosed { return }
        try called { () throws(RankFailure) in
            mailbox.isClosing = true
            mailbox.order()
            try wait {
                mailbox.hasEnded
                    || monotonicSeconds() - (mailbox.finishStart ?? .infinity) > Self.finishSeconds
            }
        }
        isClosed = true
        if mailbox.monitor.locked({ mailbox.hasEnded }) { thread.join() }
    }

    /// Runs a call with the lock held.
    private func called<Value>(
        _ body: () throws(RankFailure) -> Value
    ) throws(RankFailure) -> Value {
        precondition(!isClosed, "MPILink: call after the end")
        return try mailbox.monitor.locked { () throws(RankFailure) in
            mailbox.callCount &+= 1
            try checkFailure()
            return try body()
        }
    }

    private func checkFailure() throws(RankFailure) {
        guard let failure = mailbox.failure else { return }
        mailbox.knowsFailure = true
        mailbox.monitor.wakeAll()
        throw failure
    }

    /// Waits with the lock held, unless MPI does not come back from a call.
    private func wait(until isDone: () -> Bool) throws(RankFailure) {
        if isDone() { return }
        mailbox.isWaiting = true
        mailbox.order()
        defer {
            mailbox.isWaiting = false
            mailbox.callCount &+= 1
        }
        while !isDone() {
            mailbox.monitor.wait(atMostSeconds: min(1, silenceLimit / 4))
            try checkFailure()
            if !isDone() && monotonicSeconds() - mailbox.lastTurn > 2 * silenceLimit {
                mailbox.knowsFailure = true
                mailbox.failure = RankFailure(
                    rank: rank, host: hosts[rank], phase: mailbox.phase,
                    reason: "\(libraryName) has not come back from a call for "
                        + RankWatch.text(2 * silenceLimit))
                try checkFailure()
            }
        }
    }
}
