import FalconTensor
import FalconTestSupport
import Testing

@Suite struct ThreadPoolTests {
    /// Jobs of ever different sizes, one right after the other: workers that come late to one must not
    /// take a piece of the next.
    @Test(arguments: [1, 2, 3, 5]) func everyPieceOfManySmallJobsRunsOnce(threadCount: Int) {
        let pool = ThreadPool(threadCount: threadCount)
        let counts = [1, 2, 3, 7, 8, 2, 16, 5, 31, 4]
        let runs = UnsafeMutablePointer<Int>.allocate(capacity: 32)
        runs.initialize(repeating: 0, count: 32)
        defer { runs.deallocate() }
        for job in 0..<60_000 {
            let count = counts[job % counts.count]
            pool.run(count) { piece, worker in
                precondition(worker < threadCount)
                runs[piece] += 1
            }
            for piece in 0..<32 {
                guard runs[piece] == (piece < count ? 1 : 0) else {
                    Issue.record("job \(job): piece \(piece) ran \(runs[piece]) times")
                    return
                }
                runs[piece] = 0
            }
        }
    }

    @Test func rangesCoverEveryItemOnce() {
        let pool = ThreadPool(threadCount: 3)
        for (count, grain) in [(0, 4), (1, 4), (4, 4), (5, 4), (97, 8), (100, 1)] {
            let seen = UnsafeMutablePointer<Int>.allocate(capacity: count + 1)
            seen.initialize(repeating: 0, count: count + 1)
            defer { seen.deallocate() }
            pool.ranges(count, grain: grain) { piece, range in
                precondition(range.lowerBound == piece * grain && range.count <= grain)
                for item in range { seen[item] += 1 }
            }
            #expect((0..<count).allSatisfy { seen[$0] == 1 })
        }
    }

    @Test func jobsAndTheirPiecesAreCounted() {
        let pool = ThreadPool(threadCount: 2)
        pool.run(1) { _, _ in }
        pool.run(0) { _, _ in }
        #expect(pool.work == ParallelWork())
        pool.run(5) { _, _ in }
        pool.ranges(10, grain: 4) { _, _ in }
        #expect(pool.work.forks == 2 && pool.work.pieces == 8)
    }
}
