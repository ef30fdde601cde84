import FalconData
import Testing

@Suite struct SampleOrderTests {
    private func order(_ count: Int, seed: UInt64 = 0, digest: String = "d") -> SampleOrder {
        SampleOrder(datasetDigest: digest, seed: seed, sampleCount: count)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7, 15, 16, 17, 64, 65, 97, 255, 257, 1000, 4097, 16_385])
    func everyEpochHoldsEverySampleOnce(count: Int) {
        let order = order(count, seed: 5)
        for epoch in 0..<(count < 1000 ? 4 : 1) {
            let samples = (0..<count).map { order.sample(at: epoch * count + $0) }
            #expect(samples.sorted() == Array(0..<count))
        }
    }

    @Test func epochsSeedsAndDataGiveDifferentOrders() {
        func samples(_ order: SampleOrder, epoch: Int) -> [Int] {
            (0..<1000).map { order.sample(at: epoch * 1000 + $0) }
        }
        let first = samples(order(1000), epoch: 0)
        #expect(first == samples(order(1000), epoch: 0))
        #expect(first != samples(order(1000), epoch: 1))
        #expect(first != samples(order(1000, seed: 1), epoch: 0))
        #expect(first != samples(order(1000, digest: "e"), epoch: 0))
        #expect(samples(order(1000), epoch: 1) != samples(order(1000), epoch: 2))
    }

    @Test func theOrderLooksRandom() {
        // Of 1000 samples, about one stays in place, and about half of the neighbours rise.
        let order = order(1000)
        var fixed = 0
        var rising = 0
        var adjacent = 0
        let epochs = 50
        for epoch in 0..<epochs {
            let samples = (0..<1000).map { order.sample(at: epoch * 1000 + $0) }
            for (place, sample) in samples.enumerated() {
                if place == sample { fixed += 1 }
                if place > 0 && samples[place - 1] < sample { rising += 1 }
                if place > 0 && samples[place - 1] + 1 == sample { adjacent += 1 }
            }
        }
        // Means 50, 24975 and 50; the bounds are more than 5 standard deviations away.
        #expect(fixed < 90 && adjacent < 90)
        #expect(abs(rising - 999 * epochs / 2) < 400)
    }

    @Test func everyFirstSampleIsAsLikely() {
        // 6000 seeds, 6 samples: 1000 each, standard deviation 29.
        var counts = [Int](repeating: 0, count: 6)
        for seed in 0..<UInt64(6000) { counts[order(6, seed: seed).sample(at: 0)] += 1 }
        for count in counts { #expect(abs(count - 1000) < 150) }
    }

    @Test(arguments: [(10, 3, 2), (97, 8, 3), (5, 7, 4), (64, 1, 16)])
    func anySplitInStepsAndRanksSeesEverySampleOncePerEpoch(
        count: Int, perRank: Int, ranks: Int
    ) {
        let order = order(count, seed: 9)
        // Three epochs, whose borders fall inside steps.
        let steps = (3 * count + perRank * ranks - 1) / (perRank * ranks)
        var seen: [Int] = []
        for step in 0..<steps {
            for rank in 0..<ranks {
                let first = step * perRank * ranks + rank * perRank
                seen += (first..<first + perRank).map(order.sample)
            }
        }
        for epoch in 0..<3 {
            #expect(seen[epoch * count..<(epoch + 1) * count].sorted() == Array(0..<count))
        }
    }

    @Test func hugeDataSetsHaveAnOrderToo() {
        let order = order(1 << 40)
        let samples = Set((0..<1000).map(order.sample))
        #expect(samples.count == 1000 && samples.allSatisfy { $0 < 1 << 40 })
        #expect(samples.count { $0 >= 1 << 39 } > 400)
    }
}
