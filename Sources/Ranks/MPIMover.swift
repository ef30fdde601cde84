import FalconConcurrency
import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// Moves messages between the mailbox and MPI, on a thread that nobody else calls MPI on.
///
/// Of each stream a few messages are under way or wait to be taken: these many receives are posted ahead. The
/// oldest transfer of each kind is looked at in turn, since messages of a stream come in order.
final class MPIMover {
    /// The messages of a stream that have come or may come before one is taken.
    static let aheadCount = 4
    /// How long the news of a failure may take to leave, in seconds.
    static let partingSeconds = 1.0
    /// The signals of a rank that may come before one is looked at.
    private static let signalsAheadCount = 2

    let rank: Int
    let places: [RankPlace]
    let mailbox: MPIMailbox
    let silenceLimit: Double
    var transfers: MPITransfers
    var watch: RankWatch
    var closing = ClosingState()
    /// Seconds between signs of life.
    private let beatSeconds: Double
    private let store: RankMessageStore
    private let signalStore: RankMessageStore
    private var lastBeat: Double
    /// When a message or signal last came or left, in seconds.
    private var lastEvent: Double

    /// How far the end has come.
    struct ClosingState {
        var hasSentClosing = false
        var hasSentClosed = false
        /// Other ranks that are closing.
        var closing: Set<Int> = []
        /// Other ranks that know that all are closing.
        var closed: Set<Int> = []
    }

    /// What the thread that works has left to do.
    private struct Orders {
        var outgoing: [(rank: Int, message: RankMessage)] = []
        var arrivedCounts: [Int] = []
        var hasMoreOutgoing = false
        var isClosing = false
        var ownReason: String?
        var own = RankSignal(kind: .beat, rank: 0)
    }

    /// The most bytes of a message among so many ranks.
    ///
    /// - Parameter count: the number of ranks, at least 1.
    /// - Returns: 64 KiB to 1 MiB, so that the receives posted ahead take at most 64 MiB up to 257 ranks.
    static func messageByteLimit(count: Int) -> Int {
        let room = (64 << 20) / (aheadCount * max(1, count - 1))
        return min(max(room, 64 << 10), 1 << 20) / 64 * 64
    }

    /// Starts MPI, and tells the mailbox how that went.
    ///
    /// - Returns: nil if MPI does not start.
    init?(library: MPILibrary, mailbox: MPIMailbox, silenceLimit: Double, hangLimit: Double) {
        let beginning = library.start().map { rank, places in
            MPIMailbox.Beginning(
                rank: rank, places: places,
                store: RankMessageStore(
                    room: Self.messageByteLimit(count: places.count), keptByteCount: 64 << 20))
        }
        mailbox.monitor.locked {
            mailbox.beginning = beginning
            mailbox.lastTurn = monotonicSeconds()
            if case .success(let begun) = beginning {
                mailbox.open(count: begun.places.count)
            } else {
                mailbox.hasEnded = true
            }
            mailbox.monitor.wakeAll()
        }
        guard case .success(let begun) = beginning else { return nil }
        (rank, places, store) = (begun.rank, begun.places, begun.store)
        (self.mailbox, self.silenceLimit) = (mailbox, silenceLimit)
        let now = monotonicSeconds()
        transfers = MPITransfers(library: library, places: places)
        watch = RankWatch(
            rank: rank, count: places.count, silenceLimit: silenceLimit, hangLimit: hangLimit,
            now: now)
        beatSeconds = min(1, silenceLimit / 5)
        signalStore = RankMessageStore(
            room: RankSignal.byteLimit, keptByteCount: places.count * 8 * RankSignal.byteLimit)
        (lastBeat, lastEvent) = (now, now)
    }

    private var others: [Int] { places.indices.filter { $0 != rank } }

    /// Moves messages until all ranks have closed, or one has failed.
    func run() {
        do throws(Ending) {
            while try turn() == false {}
            mailbox.monitor.locked {
                mailbox.hasEnded = true
                mailbox.change()
            }
        } catch {
            part(error)
        }
    }

    /// One look at everything.
    ///
    /// - Returns: whether all is done.
    private func turn() throws(Ending) -> Bool {
        let orders = takeOrders()
        let now = monotonicSeconds()
        if let reason = orders.ownReason {
            throw Ending(
                failure: RankFailure(
                    rank: rank, host: places[rank].host, phase: orders.own.phase, reason: reason),
                isNews: false)
        }
        for (other, message) in orders.outgoing {
            try transfers.send(message, to: other, lane: .messageOut)
        }
        for other in others {
            let open = transfers.count(other, .messageIn) + orders.arrivedCounts[other]
            for _ in min(open, Self.aheadCount)..<Self.aheadCount {
                try transfers.receive(RankMessage(from: store), from: other, lane: .messageIn)
            }
            for _ in transfers.count(other, .signalIn)..<Self.signalsAheadCount {
                try transfers.receive(
                    RankMessage(from: signalStore), from: other, lane: .signalIn)
            }
        }
        // A look may move only a few kilobytes of each connection.
        for _ in 0..<Self.looksInATurn {
            try handle(transfers.completed(), now: now, isClosing: orders.isClosing)
        }
        watch.hear(orders.own, from: rank, now: now)
        if now - lastBeat >= beatSeconds { try beat(orders.own, now: now) }
        if !orders.isClosing { return false }
        return try advanceClosing(orders.hasMoreOutgoing, orders.own)
    }

    /// Signs of life, and a look for those of others.
    private func beat(_ own: RankSignal, now: Double) throws(Ending) {
        lastBeat = now
        // After the last signal a rank sends nothing.
        if !closing.hasSentClosed {
            for other in others where transfers.count(other, .signalOut) == 0 {
                try signal(own, to: other)
            }
        }
        if let problem = watch.problem(now: now) {
            throw Ending(
                failure: RankFailure(
                    rank: problem.rank, host: places[problem.rank].host,
                    phase: watch.heard[problem.rank].phase, reason: problem.reason),
                isNews: false)
        }
    }

    private func signal(_ signal: RankSignal, to other: Int) throws(Ending) {
        let message = RankMessage(from: signalStore)
        message.append(signal.bytes[...])
        try transfers.send(message, to: other, lane: .signalOut)
    }

    /// Takes what there is to do, after a pause if there was nothing lately.
    private func takeOrders() -> Orders {
        let pause = pauseSeconds()
        if pause == 0 { sched_yield() }
        return mailbox.monitor.locked {
            if pause > 0 && !mailbox.hasOrders { mailbox.monitor.wait(atMostSeconds: pause) }
            mailbox.hasOrders = false
            mailbox.lastTurn = monotonicSeconds()
            var orders = Orders()
            for other in others {
                var room = Self.aheadCount - transfers.count(other, .messageOut)
                while room > 0, let message = mailbox.outgoing[other].popFirst() {
                    orders.outgoing.append((other, message))
                    room -= 1
                }
                if !mailbox.outgoing[other].isEmpty { orders.hasMoreOutgoing = true }
                // Who closes takes nothing any more; what comes must not hold up the others.
                if mailbox.isClosing { mailbox.arrived[other].removeAll() }
            }
            orders.arrivedCounts = mailbox.arrived.map(\.count)
            orders.isClosing = mailbox.isClosing
            orders.ownReason = mailbox.ownReason
            orders.own = RankSignal(
                kind: .beat, isWaiting: mailbox.isWaiting, callCount: mailbox.callCount, rank: rank,
                phase: mailbox.phase)
            isAwaited = mailbox.isWaiting
            return orders
        }
    }

    /// Looks at MPI between two looks at the mailbox.
    private static let looksInATurn = 4

    /// Whether the thread that works waits.
    private var isAwaited = false

    /// How long to sleep before the next look.
    ///
    /// While this rank waits for what is under way, its core is free: no sleep within two milliseconds of the last
    /// event. While it computes, looks must not take its time: a tenth of a millisecond is what the buffers of a
    /// connection of 10 Gbit/s bridge, and a slower one, whose messages take longer, bridges more.
    private func pauseSeconds() -> Double {
        let quiet = monotonicSeconds() - lastEvent
        if quiet < 50e-6 || isAwaited && quiet < 2e-3 { return 0 }
        let most =
            isAwaited
            ? max(100e-6, quiet / 500)
            : transfers.hasMessagesOut ? min(max(100e-6, quiet / 20), 500e-6) : 2e-3
        return min(max(quiet / 8, 20e-6), most, 2e-3)
    }

    private func handle(
        _ completed: [MPITransfers.Completion], now: Double, isClosing: Bool
    ) throws(Ending) {
        if completed.isEmpty { return }
        lastEvent = now
        var signals: [(Int, RankSignal)] = []
        mailbox.monitor.locked {
            var hasChanged = false
            for completion in completed {
                let (other, message) = (completion.rank, completion.message)
                switch completion.lane {
                case .messageIn:
                    if !isClosing { mailbox.arrived[other].append(message) }
                    hasChanged = true
                case .messageOut:
                    mailbox.unsentByteCount -= message.byteCount
                    hasChanged = true
                case .signalIn:
                    if let signal = RankSignal(bytes: message.bytes) {
                        signals.append((other, signal))
                    }
                case .signalOut: break
                }
            }
            if hasChanged { mailbox.change() }
        }
        for completion in completed where completion.lane == .messageIn {
            watch.hear(from: completion.rank, now: now)
        }
        for (other, signal) in signals {
            watch.hear(signal, from: other, now: now)
            switch signal.kind {
            case .beat: break
            case .closing: closing.closing.insert(other)
            case .closed: closing.closed.insert(other)
            case .failure:
                let failed = places.indices.contains(signal.rank) ? signal.rank : other
                throw Ending(
                    failure: RankFailure(
                        rank: failed, host: places[failed].host, phase: signal.phase,
                        reason: signal.reason), isNews: true, isOwn: failed == other)
            }
        }
    }

    /// The end in two rounds, after which nothing is under way when MPI is ended.
    ///
    /// All that was sent has left every rank; then all know that, and send nothing more.
    private func advanceClosing(
        _ hasMoreOutgoing: Bool, _ own: RankSignal
    ) throws(Ending) -> Bool {
        func sendAll(_ kind: RankSignal.Kind) throws(Ending) {
            var signal = own
            signal.kind = kind
            for other in others { try self.signal(signal, to: other) }
        }
        if !closing.hasSentClosing && !hasMoreOutgoing && !transfers.hasMessagesOut {
            closing.hasSentClosing = true
            try sendAll(.closing)
        }
        if closing.hasSentClosing && !closing.hasSentClosed
            && closing.closing.count == others.count
        {
            closing.hasSentClosed = true
            try sendAll(.closed)
        }
        guard closing.hasSentClosed, closing.closed.count == others.count,
            others.allSatisfy({ transfers.count($0, .signalOut) == 0 })
        else { return false }
        mailbox.monitor.locked {
            mailbox.finishStart = monotonicSeconds()
            mailbox.monitor.wakeAll()
        }
        try transfers.finish()
        return true
    }

    /// Tells the mailbox of a failure, and the others if they do not know; then calls MPI no more.
    private func part(_ ending: Ending) {
        let failure = ending.failure
        // MPI may still read and write the memory of what is under way.
        _ = unsafe Unmanaged.passRetained(self)
        if !ending.isNews {
            let news = RankSignal(
                kind: .failure, rank: failure.rank, phase: failure.phase, reason: failure.reason)
            for other in others { try? signal(news, to: other) }
            let end = monotonicSeconds() + Self.partingSeconds
            while monotonicSeconds() < end
                && others.contains(where: { transfers.count($0, .signalOut) > 0 }),
                (try? transfers.completed()) != nil
            {
                sched_yield()
            }
        }
        mailbox.monitor.locked {
            if mailbox.failure == nil { mailbox.failure = failure }
            if ending.isOwn { mailbox.failureNews = monotonicSeconds() }
            mailbox.hasEnded = true
            mailbox.change()
            endIfUnnoticed(failure)
        }
    }

    /// Ends a process whose work hangs, with the lock held: some launchers would wait for it for ever.
    private func endIfUnnoticed(_ failure: RankFailure) {
        let end = monotonicSeconds() + silenceLimit
        while !mailbox.knowsFailure {
            let now = monotonicSeconds()
            if now >= end {
                writeToStandardError(
                    "falcon: \(failure); rank \(rank) has not noticed for \(RankWatch.text(silenceLimit)) and is "
                        + "ended\n")
                _exit(failure.exitStatus.rawValue)
            }
            mailbox.monitor.wait(atMostSeconds: end - now)
        }
    }
}

/// Why a mover ends before all is done.
struct Ending: Error {
    let failure: RankFailure
    /// Whether another rank has told, and has told all.
    let isNews: Bool
    /// Whether the rank that failed has told it itself.
    var isOwn = false
}
