import FalconRanks
import FalconSystem

/// Times messages between the ranks of a run: one there and back, a stream, and all to all at once.
///
/// All ranks run it together.
public struct NetworkBenchmark: Sendable {
    /// Bytes that a stream carries, and that each rank sends when all send at once.
    public var byteCount: Int
    /// How many small messages go there and back.
    public var roundTrips: Int

    private static let untimedRoundTrips = 10
    private static let smallMessageBytes = 64
    /// Messages that a sender keeps ahead of the receiver.
    private static let messagesAhead = 8

    /// A benchmark.
    ///
    /// - Parameters:
    ///   - byteCount: bytes of a stream, at least 1.
    ///   - roundTrips: small messages there and back, at least 1.
    public init(byteCount: Int, roundTrips: Int = 200) {
        precondition(byteCount >= 1 && roundTrips >= 1, "NetworkBenchmark: nothing to measure")
        (self.byteCount, self.roundTrips) = (byteCount, roundTrips)
    }

    /// Measures.
    ///
    /// - Parameter link: of this rank; stays open.
    /// - Returns: the report on rank 0, nil on others.
    /// - Throws: `BenchError` if there is one rank only; `RankFailure` if a rank has failed.
    public func run(_ link: any RankLink) throws -> NetworkReport? {
        if link.count == 1 { throw BenchError.oneRank }
        var lines: [NetworkReport.Line] = []
        if link.rank == 0 {
            for other in 1..<link.count {
                link.note("times messages to rank \(other)")
                let latency = try roundTripSeconds(link, to: other) / 2
                let seconds = try streamSeconds(link, to: other)
                lines.append(
                    NetworkReport.Line(
                        rank: other, host: link.hosts[other], latencySeconds: latency,
                        bytesPerSecond: Double(byteCount) / seconds))
            }
        } else {
            link.note("times messages to rank 0")
            try answer(link)
        }
        try meet(link)
        link.note("times messages of all ranks to all")
        let seconds = try exchangeSeconds(link)
        guard link.rank == 0 else { return nil }
        return NetworkReport(
            hosts: link.hosts, messageBytes: link.messageByteLimit, streamBytes: byteCount,
            lines: lines, exchangeSeconds: seconds,
            exchangeBytesPerSecond: Double(bytesToEach(link) * (link.count - 1)) / seconds)
    }

    /// The median time of a small message there and back.
    private func roundTripSeconds(_ link: any RankLink, to other: Int) throws -> Double {
        var times: [Double] = []
        for _ in 0..<Self.untimedRoundTrips + roundTrips {
            let start = monotonicSeconds()
            try link.send(message(link, Self.smallMessageBytes), to: other)
            _ = try next(link, from: other)
            times.append(monotonicSeconds() - start)
        }
        return median(Array(times.dropFirst(Self.untimedRoundTrips)))
    }

    /// The time until the other rank has received a stream, and said so.
    private func streamSeconds(_ link: any RankLink, to other: Int) throws -> Double {
        let start = monotonicSeconds()
        var left = byteCount
        while left > 0 {
            let seen = link.changeCount
            if link.unsentByteCount >= Self.messagesAhead * link.messageByteLimit {
                try link.wait(beyond: seen)
                continue
            }
            let message = message(link, min(left, link.messageByteLimit))
            left -= message.byteCount
            try link.send(message, to: other)
        }
        _ = try next(link, from: other)
        return monotonicSeconds() - start
    }

    /// The part of another rank than 0 in both.
    private func answer(_ link: any RankLink) throws {
        for _ in 0..<Self.untimedRoundTrips + roundTrips {
            try link.send(next(link, from: 0), to: 0)
        }
        var left = byteCount
        while left > 0 { left -= try next(link, from: 0).byteCount }
        try link.send(message(link, 1), to: 0)
    }

    /// What a rank sends to each other when all send.
    private func bytesToEach(_ link: any RankLink) -> Int {
        max(1, byteCount / (link.count - 1))
    }

    /// The time in which all ranks have received what all have sent.
    private func exchangeSeconds(_ link: any RankLink) throws -> Double {
        let others = (1..<link.count).map { (link.rank + $0) % link.count }
        var toSend = Array(repeating: bytesToEach(link), count: link.count)
        var toReceive = toSend
        (toSend[link.rank], toReceive[link.rank]) = (0, 0)
        let start = monotonicSeconds()
        while toSend.contains(where: { $0 > 0 }) || toReceive.contains(where: { $0 > 0 }) {
            let seen = link.changeCount
            for other in others
            where toSend[other] > 0
                && link.unsentByteCount < Self.messagesAhead * link.messageByteLimit
            {
                let message = message(link, min(toSend[other], link.messageByteLimit))
                toSend[other] -= message.byteCount
                try link.send(message, to: other)
            }
            for other in others where toReceive[other] > 0 {
                while toReceive[other] > 0, let message = try link.receive(from: other) {
                    toReceive[other] -= message.byteCount
                }
            }
            let canSend =
                link.unsentByteCount < Self.messagesAhead * link.messageByteLimit
                && toSend.contains { $0 > 0 }
            let isDone = !toSend.contains { $0 > 0 } && !toReceive.contains { $0 > 0 }
            if !canSend && !isDone { try link.wait(beyond: seen) }
        }
        try meet(link)
        return monotonicSeconds() - start
    }

    /// Waits until all ranks are here.
    private func meet(_ link: any RankLink) throws {
        let others = (0..<link.count).filter { $0 != link.rank }
        for other in others { try link.send(message(link, 1), to: other) }
        for other in others { _ = try next(link, from: other) }
    }

    private func message(_ link: any RankLink, _ byteCount: Int) -> RankMessage {
        let message = link.makeMessage()
        message.append([UInt8](repeating: 1, count: byteCount)[...])
        return message
    }

    /// The next message of a stream, waited for.
    private func next(_ link: any RankLink, from rank: Int) throws -> RankMessage {
        while true {
            let seen = link.changeCount
            if let message = try link.receive(from: rank) { return message }
            try link.wait(beyond: seen)
        }
    }
}

/// What messages between ranks take.
public struct NetworkReport: Encodable, Sendable {
    /// Messages between rank 0 and another.
    public struct Line: Encodable, Sendable {
        /// The other rank.
        public let rank: Int
        /// Its host.
        public let host: String
        /// The time of a small message one way, in seconds: half of there and back, the median.
        public let latencySeconds: Double
        /// Bytes of a stream from rank 0 to it.
        public let bytesPerSecond: Double

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case rank, host
            case latencySeconds = "latency_seconds"
            case bytesPerSecond = "bytes_per_second"
        }
    }

    /// The host of each rank.
    public let hosts: [String]
    /// The most bytes of a message.
    public let messageBytes: Int
    /// Bytes of a stream.
    public let streamBytes: Int
    /// Of each rank but 0.
    public let lines: [Line]
    /// The time in which all ranks have sent to all, in seconds.
    public let exchangeSeconds: Double
    /// Bytes that each rank sent, and received, a second meanwhile.
    public let exchangeBytesPerSecond: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case hosts, lines
        case messageBytes = "message_bytes"
        case streamBytes = "stream_bytes"
        case exchangeSeconds = "exchange_seconds"
        case exchangeBytesPerSecond = "exchange_bytes_per_second"
    }
}
