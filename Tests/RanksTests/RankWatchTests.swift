import Testing

@testable import FalconRanks

/// What ranks tell each other beside the streams, and what follows from it.
@Suite struct RankWatchTests {
    private func beat(waiting: Bool = false, calls: UInt32 = 0, phase: String = "") -> RankSignal {
        RankSignal(kind: .beat, isWaiting: waiting, callCount: calls, rank: 0, phase: phase)
    }

    @Test func aSignalComesBackFromItsBytes() {
        let signal = RankSignal(
            kind: .failure, isWaiting: true, callCount: 4_000_000_000, rank: 70_000,
            phase: "step 12, größer", reason: "the disk is full")
        #expect(RankSignal(bytes: signal.bytes) == signal)
        #expect(RankSignal(bytes: []) == nil)
        #expect(RankSignal(bytes: Array(signal.bytes[..<20])) == nil)
        #expect(RankSignal(bytes: [9] + signal.bytes.dropFirst()) == nil)
    }

    @Test func longTextsAreCut() {
        let signal = RankSignal(
            kind: .failure, rank: 1, phase: String(repeating: "p", count: 9000),
            reason: String(repeating: "r", count: 9000))
        #expect(signal.bytes.count == RankSignal.byteLimit)
        let received = RankSignal(bytes: signal.bytes)
        #expect(received?.phase.count == 512)
        #expect(
            received?.reason.hasPrefix("rrr") == true && received?.reason.hasSuffix("r") == true)
    }

    @Test func whoIsSilentTooLongHasFailed() {
        var watch = RankWatch(rank: 0, count: 3, silenceLimit: 60, hangLimit: 600, now: 0)
        for now in 1...100 {
            watch.hear(beat(calls: UInt32(now)), from: 0, now: Double(now))
            watch.hear(from: 1, now: Double(now))
            if now < 20 { watch.hear(beat(phase: "reads"), from: 2, now: Double(now)) }
            let problem = watch.problem(now: Double(now))
            #expect((problem != nil) == (now > 79), "\(now)")
            if let problem {
                #expect(problem.rank == 2 && problem.reason.contains("silent for 60 s (killed"))
            }
        }
        #expect(watch.heard[2].phase == "reads")
    }

    @Test func whoLivesAndDoesNothingHangsUnlessItWaits() {
        for (isWaiting, isCalling) in [(false, false), (true, false), (false, true)] {
            var watch = RankWatch(rank: 0, count: 2, silenceLimit: 60, hangLimit: 600, now: 0)
            var last: RankWatch.Problem?
            for now in 1...620 {
                watch.hear(beat(calls: UInt32(now)), from: 0, now: Double(now))
                watch.hear(
                    beat(waiting: isWaiting, calls: isCalling ? UInt32(now) : 7), from: 1,
                    now: Double(now))
                last = watch.problem(now: Double(now))
                if now < 600 { #expect(last == nil) }
            }
            #expect((last != nil) == (!isWaiting && !isCalling))
            if let last {
                #expect(last.rank == 1 && last.reason.contains("has not moved for 600 s"))
            }
        }
    }

    @Test func allThatWaitForEachOtherHaveFailed() {
        var watch = RankWatch(rank: 1, count: 2, silenceLimit: 60, hangLimit: 600, now: 0)
        var first: Int?
        for now in 1...80 {
            for rank in 0..<2 {
                watch.hear(beat(waiting: true, calls: 5), from: rank, now: Double(now))
            }
            if watch.problem(now: Double(now)) != nil && first == nil { first = now }
        }
        #expect(first == 62)
    }

    @Test func whoWasStoppedItselfBlamesNobody() {
        var watch = RankWatch(rank: 0, count: 2, silenceLimit: 60, hangLimit: 600, now: 0)
        #expect(watch.problem(now: 1) == nil)
        #expect(watch.problem(now: 1000) == nil)
        watch.hear(beat(), from: 1, now: 1001)
        #expect(watch.problem(now: 1002) == nil)
    }

    @Test func messagesShrinkWithTheRanks() {
        #expect([1, 2, 17].map(MPIMover.messageByteLimit) == Array(repeating: 1 << 20, count: 3))
        for count in [18, 64, 257] {
            let limit = MPIMover.messageByteLimit(count: count)
            #expect(limit % 64 == 0 && limit >= 64 << 10)
            #expect(limit * MPIMover.aheadCount * (count - 1) <= 64 << 20)
        }
        #expect(MPIMover.messageByteLimit(count: 5000) == 64 << 10)
    }
}
