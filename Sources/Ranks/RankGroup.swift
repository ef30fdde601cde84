import FalconSystem

/// What the exchange with other ranks has taken.
public struct RankTraffic: Equatable, Sendable {
    /// Seconds spent on it that nothing else was done in: waiting, copying and adding.
    public var seconds = 0.0
    /// Bytes sent.
    public var sentBytes = 0

    /// Nothing yet.
    public init() {}
}

/// The ranks of a run, as one of them sees them, and what they tell each other.
///
/// Every rank makes the same calls in the same order. Alone, a rank tells itself.
public final class RankGroup {
    /// This rank, from 0 to `count` - 1.
    public let rank: Int
    /// The number of ranks.
    public let count: Int
    /// The streams to the others; nil for a rank that is alone, or only rehearses its part.
    public let link: (any RankLink)?
    /// What the exchange with others has taken.
    public private(set) var traffic = RankTraffic()
    /// How deep in measured work the present call is.
    private var measuredDepth = 0

    /// The ranks at the ends of streams.
    ///
    /// - Parameter link: the streams; nil for a run in one process.
    public init(_ link: (any RankLink)? = nil) {
        self.link = link
        (rank, count) = (link?.rank ?? 0, link?.count ?? 1)
    }

    private init(rehearsing rank: Int, of count: Int) {
        (self.rank, self.count, link) = (rank, count, nil)
    }

    /// A rank without others, to count what it would hold: it hears from them what it says itself.
    ///
    /// - Parameters:
    ///   - rank: the rank.
    ///   - count: the number of ranks.
    /// - Returns: a group for planning.
    public static func rehearsal(rank: Int, count: Int) -> RankGroup {
        RankGroup(rehearsing: rank, of: count)
    }

    /// The most bytes that a rank has on their way to others: while it is reached, who sends waits.
    public static let unsentByteLimit = 32 << 20

    /// The most floats of a message.
    public var messageFloatLimit: Int {
        (link?.messageByteLimit ?? .max) / MemoryLayout<Float>.stride
    }

    /// Whether this is the rank that writes what a run has one of.
    public var isLeader: Bool { rank == 0 }

    /// The other ranks, beginning with the next one, so that not all talk to the same at a time.
    public var others: [Int] { (1..<max(1, count)).map { (rank + $0) % count } }

    /// Where a rank runs.
    ///
    /// - Parameter rank: any rank.
    /// - Returns: the name of its host; empty where there is only one process.
    public func host(of rank: Int) -> String { link?.hosts[rank] ?? "" }

    /// Says what this rank is doing; see `RankLink.note`.
    ///
    /// - Parameter phase: such as "step 12".
    public func note(_ phase: @autoclosure () -> String) { link?.note(phase()) }

    /// Puts a message on the stream to a rank; never waits.
    ///
    /// - Parameters:
    ///   - message: with at least 1 byte.
    ///   - rank: another rank.
    /// - Throws: `RankFailure` if a rank has failed.
    public func send(_ message: RankMessage, to rank: Int) throws(RankFailure) {
        traffic.sentBytes += message.byteCount
        try link?.send(message, to: rank)
    }

    /// Waits for something, doing what can be done meanwhile.
    ///
    /// - Parameter work: does what can be done now, and returns whether the wait is over.
    /// - Throws: `RankFailure` if a rank has failed; errors of `work`.
    public func wait(until work: () throws -> Bool) throws {
        guard let link else {
            let isOver = try work()
            precondition(isOver, "RankGroup: a rank alone would wait for ever")
            return
        }
        try measured {
            while true {
                let seen = link.changeCount
                if try work() { return }
                try link.wait(beyond: seen)
            }
        }
    }

    /// Counts the time of some work as that of the exchange with others.
    ///
    /// - Parameter work: sends, receives or waits.
    /// - Returns: what `work` returns.
    /// - Throws: errors of `work`.
    public func measured<Result>(_ work: () throws -> Result) rethrows -> Result {
        let start = monotonicSeconds()
        measuredDepth += 1
        defer {
            measuredDepth -= 1
            if measuredDepth == 0 { traffic.seconds += monotonicSeconds() - start }
        }
        return try work()
    }

    /// Waits until few enough bytes are on their way.
    ///
    /// - Parameters:
    ///   - waiting: bytes that the caller keeps as well.
    ///   - drain: takes in what has come, so that no two ranks wait for each other.
    /// - Throws: `RankFailure` if a rank has failed; errors of `drain`.
    public func waitForRoom(beside waiting: Int = 0, _ drain: () throws -> Void = {}) throws {
        guard let link else { return }
        try wait {
            try drain()
            return link.unsentByteCount + waiting < Self.unsentByteLimit
        }
    }

    /// Waits for the next message of a stream.
    ///
    /// - Parameter rank: another rank.
    /// - Returns: the message.
    /// - Throws: `RankFailure` if a rank has failed.
    public func receive(from rank: Int) throws -> RankMessage {
        guard let link else { preconditionFailure("RankGroup: there is nobody to hear from") }
        var message: RankMessage?
        try wait {
            message = try link.receive(from: rank)
            return message != nil
        }
        guard let message else { preconditionFailure("RankGroup: no message") }
        return message
    }

    /// Tells bytes of all ranks to all.
    ///
    /// - Parameter bytes: of this rank; any number.
    /// - Returns: those of each rank.
    /// - Throws: `RankFailure` if a rank has failed.
    public func gather(_ bytes: [UInt8]) throws -> [[UInt8]] {
        guard link != nil else { return Array(repeating: bytes, count: count) }
        for rank in others { try send(bytes, to: rank) }
        return try (0..<count).map { try $0 == rank ? bytes : receiveBytes(from: $0) }
    }

    /// Tells numbers of all ranks to all.
    ///
    /// - Parameter numbers: of this rank; any number of them.
    /// - Returns: those of each rank, to the bit.
    /// - Throws: `RankFailure` if a rank has failed.
    public func gather(_ numbers: [Double]) throws -> [[Double]] {
        guard count > 1 else { return [numbers] }
        return try gather(Self.bytes(of: numbers)).map { Self.numbers($0) }
    }

    /// Tells texts of all ranks to all.
    ///
    /// - Parameter text: of this rank.
    /// - Returns: that of each rank.
    /// - Throws: `RankFailure` if a rank has failed.
    public func gather(_ text: String) throws -> [String] {
        try gather(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether something is so at any rank.
    ///
    /// - Parameter isSo: whether it is so here.
    /// - Returns: the same on every rank.
    /// - Throws: `RankFailure` if a rank has failed.
    public func agree(_ isSo: Bool) throws -> Bool {
        try gather([isSo ? 1.0 : 0]).contains { $0[0] != 0 }
    }

    /// Waits until every rank has come here.
    ///
    /// - Throws: `RankFailure` if a rank has failed.
    public func meet() throws { _ = try gather([UInt8]()) }

    /// Tells bytes of the leader to all.
    ///
    /// - Parameter make: makes them; called by the leader alone.
    /// - Returns: the leader's bytes.
    /// - Throws: `RankFailure` if a rank has failed; errors of `make`, on the leader.
    public func fromLeader(_ make: () throws -> [UInt8]) throws -> [UInt8] {
        guard isLeader || link == nil else { return try receiveBytes(from: 0) }
        let bytes = try make()
        if link != nil { for rank in others { try send(bytes, to: rank) } }
        return bytes
    }

    /// The bytes of numbers.
    ///
    /// - Parameter numbers: any.
    /// - Returns: 8 bytes each.
    public static func bytes(of numbers: [Double]) -> [UInt8] {
        numbers.flatMap { number in
            (0..<8).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) }
        }
    }

    /// The numbers that `bytes(of:)` has made bytes of.
    ///
    /// - Parameter bytes: 8 for each.
    /// - Returns: the same numbers, to the bit.
    public static func numbers(_ bytes: some Collection<UInt8>) -> [Double] {
        let bytes = Array(bytes)
        return stride(from: 0, to: bytes.count, by: 8).map { start in
            Double(
                bitPattern: (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << (8 * $1) })
        }
    }

    /// Sends bytes behind their number, in as many messages as they take.
    private func send(_ bytes: [UInt8], to rank: Int) throws {
        guard let link else { return }
        let header = (0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) }
        let whole = header + bytes
        for start in stride(from: 0, to: whole.count, by: link.messageByteLimit) {
            let message = link.makeMessage()
            message.append(whole[start..<min(start + link.messageByteLimit, whole.count)])
            try send(message, to: rank)
        }
    }

    private func receiveBytes(from rank: Int) throws -> [UInt8] {
        var bytes = try receive(from: rank).bytes
        let count = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        while bytes.count < 8 + count { bytes += try receive(from: rank).bytes }
        return Array(bytes[8...])
    }

    /// Tells the others why this rank ends.
    ///
    /// - Parameter error: what ends it.
    public func fail(_ error: any Error) {
        link?.fail((error as? any FalconError)?.description ?? "\(error)")
    }
}
