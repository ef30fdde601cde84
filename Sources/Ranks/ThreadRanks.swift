import FalconConcurrency
import FalconSystem

/// The streams between ranks that are threads of one process.
///
/// A message waits with its sender until it is received, as between processes; only its bytes are not copied.
public final class ThreadRanks: @unchecked Sendable {
    /// What the others know of a rank.
    private struct State {
        var phase = ""
        var isLinked = false
        var isWaiting = false
        var isClosed = false
        /// When it called last, in seconds of `monotonicSeconds`.
        var lastCall = monotonicSeconds()
        var changeCount = 0
        var unsentByteCount = 0
    }

    /// The number of ranks.
    public let count: Int
    /// The most bytes of a message.
    public let messageByteLimit: Int
    /// How long a rank may be silent before it counts as failed, in seconds.
    public let silenceLimit: Double

    let hosts: [String]
    private let store: RankMessageStore

    // - Invariant: what follows is read and written with `monitor` locked.
    private let monitor = Monitor()
    private var states: [State]
    /// The messages of each stream that were not received yet, by sender * `count` + receiver.
    private var streams: [MessageQueue]
    private var failure: RankFailure?

    /// Ranks that have not begun.
    ///
    /// - Parameters:
    ///   - count: the number of ranks, at least 1.
    ///   - messageByteLimit: the most bytes of a message, a multiple of 64 from 64.
    ///   - silenceLimit: how long a rank may neither wait nor call anything before the others take it for
    ///     failed, and how long all may wait for each other, in seconds, more than 0.
    public init(count: Int, messageByteLimit: Int = 1 << 20, silenceLimit: Double = 60) {
        precondition(count >= 1, "ThreadRanks: \(count) ranks, want at least 1")
        precondition(
            messageByteLimit >= 64 && messageByteLimit % 64 == 0,
            "ThreadRanks: messages of \(messageByteLimit) bytes, want a multiple of 64")
        precondition(
            silenceLimit > 0, "ThreadRanks: silence of \(silenceLimit) s, want more than 0")
        self.count = count
        self.messageByteLimit = messageByteLimit
        self.silenceLimit = silenceLimit
        hosts = Array(repeating: hostName(), count: count)
        store = RankMessageStore(room: messageByteLimit, keptByteCount: 64 << 20)
        states = Array(repeating: State(), count: count)
        streams = Array(repeating: MessageQueue(), count: count * count)
    }

    /// The link of a rank, for the thread that calls this.
    ///
    /// A link that is dropped before `close` or `fail` was called counts as a failure of its rank.
    ///
    /// - Parameter rank: from 0 to `count` - 1; each only once.
    /// - Returns: the link.
    public func link(_ rank: Int) -> any RankLink {
        precondition((0..<count).contains(rank), "ThreadRanks: rank \(rank) of \(count)")
        monitor.locked {
            precondition(!states[rank].isLinked, "ThreadRanks: rank \(rank) has a link already")
            states[rank].isLinked = true
            states[rank].lastCall = monotonicSeconds()
        }
        return ThreadLink(rank: rank, of: self)
    }

    func makeMessage() -> RankMessage { RankMessage(from: store) }

    func send(_ message: RankMessage, from sender: Int, to rank: Int) throws(RankFailure) {
        try called(by: sender) { () throws(RankFailure) in
            streams[sender * count + rank].append(message)
            states[sender].unsentByteCount += message.byteCount
            states[rank].changeCount += 1
            monitor.wakeAll()
        }
    }

    func receive(from sender: Int, by rank: Int) throws(RankFailure) -> RankMessage? {
        try called(by: rank) { () throws(RankFailure) in
            guard let message = streams[sender * count + rank].popFirst() else { return nil }
            states[sender].unsentByteCount -= message.byteCount
            states[sender].changeCount += 1
            monitor.wakeAll()
            return message
        }
    }

    func unsentByteCount(of rank: Int) -> Int {
        monitor.locked { states[rank].unsentByteCount }
    }

    func changeCount(of rank: Int) -> Int { monitor.locked { states[rank].changeCount } }

    func wait(beyond changeCount: Int, by rank: Int) throws(RankFailure) {
        try called(by: rank) { () throws(RankFailure) in
            try wait(rank) { states[rank].changeCount > changeCount }
        }
    }

    func note(_ phase: String, by rank: Int) {
        monitor.locked {
            states[rank].phase = phase
            states[rank].lastCall = monotonicSeconds()
        }
    }

    /// The end of a rank; only the first failure counts.
    func fail(_ reason: String, by rank: Int) {
        monitor.locked { recordFailure(of: rank, reason) }
    }

    func close(by rank: Int) throws(RankFailure) {
        try called(by: rank) { () throws(RankFailure) in
            states[rank].isClosed = true
            monitor.wakeAll()
            try wait(rank) { states.allSatisfy(\.isClosed) }
        }
    }

    /// Runs a call of a rank with the lock held.
    private func called<Value>(
        by rank: Int, _ body: () throws(RankFailure) -> Value
    ) throws(RankFailure) -> Value {
        try monitor.locked { () throws(RankFailure) in
            states[rank].lastCall = monotonicSeconds()
            if let failure { throw failure }
            return try body()
        }
    }

    /// Waits, with the lock held, while it watches the others.
    private func wait(_ rank: Int, until isDone: () -> Bool) throws(RankFailure) {
        states[rank].isWaiting = true
        defer {
            states[rank].isWaiting = false
            states[rank].lastCall = monotonicSeconds()
        }
        while !isDone() {
            monitor.wait(atMostSeconds: min(1, silenceLimit / 4))
            if let failure { throw failure }
            if !isDone() { watch(by: rank) }
            if let failure { throw failure }
        }
    }

    /// Looks for a rank that is silent, or for ranks that all wait for each other.
    private func watch(by watcher: Int) {
        let earliest = monotonicSeconds() - silenceLimit
        // Who waits has called nothing since; its last call says for how long.
        if let silent = states.indices.first(where: {
            !states[$0].isWaiting && states[$0].lastCall < earliest
        }) {
            recordFailure(
                of: silent,
                "it has been silent for \(silenceText); it hangs, or its thread never began")
        } else if states.allSatisfy({ $0.isWaiting && $0.lastCall < earliest }) {
            recordFailure(
                of: watcher,
                "all ranks have waited for each other for \(silenceText); they do not agree on what is sent"
            )
        }
    }

    private var silenceText: String {
        decimal(silenceLimit, places: silenceLimit < 10 ? 1 : 0) + " s"
    }

    private func recordFailure(of rank: Int, _ reason: String) {
        if failure != nil { return }
        failure = RankFailure(
            rank: rank, host: hosts[rank], phase: states[rank].phase, reason: reason)
        for rank in states.indices { states[rank].changeCount += 1 }
        monitor.wakeAll()
    }
}
