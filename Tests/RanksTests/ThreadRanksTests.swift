import FalconConcurrency
import FalconRanks
import FalconSystem
import Testing

/// Ranks as threads: what every link promises, and what the others see of one that ends.
@Suite struct ThreadRanksTests {
    @Test(arguments: [1, 2, 3, 8])
    func messagesOfAStreamArriveInTheirOrderAndWhole(count: Int) throws {
        let ranks = ThreadRanks(count: count, messageByteLimit: 64)
        let sums = try ranks.run { link in
            #expect(link.count == count && link.messageByteLimit == 64)
            #expect(link.hosts == Array(repeating: hostName(), count: count))
            let others = (0..<count).filter { $0 != link.rank }
            for number in 0..<20 {
                for other in others {
                    let message = link.makeMessage()
                    message.append([UInt8(link.rank), UInt8(other), UInt8(number)][...])
                    try link.send(message, to: other)
                }
            }
            for number in 0..<20 {
                for other in others {
                    let bytes = try nextMessage(of: link, from: other).bytes
                    #expect(bytes == [UInt8(other), UInt8(link.rank), UInt8(number)])
                }
            }
            return link.rank
        }.map { try $0.get() }
        #expect(sums == Array(0..<count))
    }

    @Test func aMessageIsOfBytesUpToTheLimitAndMayBeSentOn() throws {
        let ranks = ThreadRanks(count: 3, messageByteLimit: 1 << 20)
        let floats = (0..<1 << 18).map { Float($0) }
        let results = try ranks.run { link in
            if link.rank == 0 {
                let message = link.makeMessage()
                #expect(message.room == 1 << 20 && message.byteCount == 0)
                message.append(floats.span)
                try link.send(message, to: 1)
            }
            let message = try nextMessage(of: link, from: (link.rank + 2) % 3)
            let received = message.readFloats { span in span.indices.map { span[$0] } }
            if link.rank > 0 { try link.send(message, to: (link.rank + 1) % 3) }
            return received == floats
        }
        #expect(try results.allSatisfy { try $0.get() })
    }

    @Test func whatTheReceiverHasNotTakenStaysWithTheSender() throws {
        let ranks = ThreadRanks(count: 2, messageByteLimit: 64)
        let (first, second) = (ranks.link(0), ranks.link(1))
        let before = first.changeCount
        for length in [10, 20] {
            let message = first.makeMessage()
            message.append([UInt8](repeating: 1, count: length)[...])
            try first.send(message, to: 1)
        }
        #expect(first.unsentByteCount == 30 && second.unsentByteCount == 0)
        #expect(second.changeCount > 0 && first.changeCount == before)
        #expect(try second.receive(from: 0)?.byteCount == 10)
        #expect(first.unsentByteCount == 20 && first.changeCount > before)
        try first.wait(beyond: before)
        #expect(try second.receive(from: 0)?.byteCount == 20)
        #expect(try second.receive(from: 0) == nil)
        #expect(first.unsentByteCount == 0)
    }

    @Test func aDroppedMessageServesAgain() throws {
        let ranks = ThreadRanks(count: 1, messageByteLimit: 64)
        let link = ranks.link(0)
        func address() -> UInt {
            let message = link.makeMessage()
            #expect(message.byteCount == 0)
            message.append([1, 2, 3, 4])
            return message.readFloats { span in
                span.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
            }
        }
        let first = address()
        #expect(first % 64 == 0 && address() == first)
    }

    @Test func aFailureReachesThoseThatSendReceiveAndWait() throws {
        let ranks = ThreadRanks(count: 5, messageByteLimit: 64)
        let results = try ranks.run { link in
            if link.rank == 3 {
                link.note("step 12")
                throw Cause()
            }
            while true {
                let seen = link.changeCount
                switch link.rank {
                case 0: try link.send(message(of: link), to: 1)
                case 1: _ = try link.receive(from: 0)
                case 2: try link.close()
                default: try link.wait(beyond: seen)
                }
            }
        }
        let expected = RankFailure(
            rank: 3, host: hostName(), phase: "step 12", reason: "the disk is full")
        for (rank, result) in results.enumerated() {
            let error = #expect(throws: (any Error).self) { try result.get() }
            if rank == 3 {
                #expect(error is Cause)
            } else {
                #expect(error as? RankFailure == expected)
            }
        }
        #expect(
            expected.description
                == "rank 3 on \(hostName()) has failed (step 12): the disk is full")
    }

    @Test func aThreadThatEndsWithoutClosingHasFailed() throws {
        let ranks = ThreadRanks(count: 2)
        let link = ranks.link(0)
        try WorkerThread { _ = ranks.link(1) }.join()
        let failure = #expect(throws: RankFailure.self) { try link.wait(beyond: link.changeCount) }
        #expect(failure?.rank == 1)
        #expect(failure?.reason == "its thread has ended before its work")
    }

    @Test func aSilentRankHasFailedAndOneThatNotesHasNot() throws {
        let ranks = ThreadRanks(count: 3, silenceLimit: 0.3)
        let start = monotonicSeconds()
        let results = try ranks.run { link in
            if link.rank == 2 {
                for step in 1...8 {
                    link.note("step \(step)")
                    pause(seconds: 0.1)
                }
                pause(seconds: 0.9)
                try link.close()
            }
            try link.wait(beyond: link.changeCount)
        }
        #expect(monotonicSeconds() - start >= 1.1)
        for result in results {
            let failure = #expect(throws: RankFailure.self) { try result.get() }
            #expect(failure?.rank == 2 && failure?.phase == "step 8")
            #expect(failure?.reason.contains("silent for 0.3 s") == true)
        }
    }

    @Test func ranksThatAllWaitAreNamed() throws {
        let results = try ThreadRanks(count: 3, silenceLimit: 0.2).run { link in
            try link.wait(beyond: link.changeCount)
        }
        for result in results {
            let failure = #expect(throws: RankFailure.self) { try result.get() }
            #expect(failure?.reason.contains("all ranks have waited for each other") == true)
        }
    }

    @Test func closeWaitsForAll() throws {
        let ranks = ThreadRanks(count: 3)
        let slowest = try ranks.run { link in
            pause(seconds: 0.1 * Double(link.rank))
            let reached = monotonicSeconds()
            try link.close()
            try link.close()
            return (reached, monotonicSeconds())
        }.map { try $0.get() }
        let last = slowest.map(\.0).max() ?? 0
        #expect(slowest.allSatisfy { $0.1 >= last })
    }
}

/// An error of a rank's own.
private struct Cause: Error, CustomStringConvertible {
    var description: String { "the disk is full" }
}

private func message(of link: any RankLink) -> RankMessage {
    let message = link.makeMessage()
    message.append([1])
    return message
}

/// The next message of a stream, waited for.
private func nextMessage(of link: any RankLink, from rank: Int) throws -> RankMessage {
    while true {
        let seen = link.changeCount
        if let message = try link.receive(from: rank) { return message }
        try link.wait(beyond: seen)
    }
}

/// Does nothing for a while.
private func pause(seconds: Double) {
    let monitor = Monitor()
    let end = monotonicSeconds() + seconds
    while monotonicSeconds() < end {
        monitor.locked { monitor.wait(atMostSeconds: max(0, end - monotonicSeconds())) }
    }
}
