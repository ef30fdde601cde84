import FalconConcurrency
import FalconSystem

/// What the thread that works and the thread that calls MPI leave for each other.
///
/// - Invariant: every variable is read and written with `monitor` locked.
final class MPIMailbox: @unchecked Sendable {
    /// What MPI said when it began.
    struct Beginning: Sendable {
        let rank: Int
        let places: [RankPlace]
        /// The memory of messages both ways.
        let store: RankMessageStore
    }

    let monitor = Monitor()

    /// Set once by the thread that calls MPI.
    var beginning: Result<Beginning, MPIError>?
    /// Whether the thread that calls MPI calls it no more.
    var hasEnded = false
    /// When all ranks had closed and `MPI_Finalize` was called, in seconds; nil while that has not come.
    var finishStart: Double?
    /// When that thread last went around, in seconds.
    var lastTurn = monotonicSeconds()
    /// The messages that MPI has not been given yet, by receiver.
    var outgoing: [MessageQueue] = []
    /// The messages that have come and were not taken yet, by sender.
    var arrived: [MessageQueue] = []
    var unsentByteCount = 0
    var changeCount = 0
    var failure: RankFailure?
    /// When a rank told of its own failure, in seconds; nil if the failure was seen from here.
    var failureNews: Double?

    // Of the thread that works.
    var phase = ""
    var isWaiting = false
    var isClosing = false
    var callCount: UInt32 = 0
    /// Why this rank ends, if it does.
    var ownReason: String?
    /// Whether it knows of the failure.
    var knowsFailure = false
    /// Whether there is something to do for the thread that calls MPI.
    var hasOrders = false

    /// Makes room for the streams.
    func open(count: Int) {
        outgoing = Array(repeating: MessageQueue(), count: count)
        arrived = Array(repeating: MessageQueue(), count: count)
    }

    /// Something has changed for the thread that works.
    func change() {
        changeCount += 1
        monitor.wakeAll()
    }

    /// Something is to be done by the thread that calls MPI.
    func order() {
        hasOrders = true
        monitor.wakeAll()
    }
}
