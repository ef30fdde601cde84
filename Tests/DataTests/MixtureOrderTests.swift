import FalconTestSupport
import Testing

@testable import FalconData

@Suite struct MixtureOrderTests {
    /// The largest |n_j − t · w_j / W| over whole periods, in units of 1/W.
    private func largestDeviation(_ weights: [Int], samples: Int) -> Int {
        var order = MixtureOrder(weights: weights)
        let sum = weights.reduce(0, +)
        var counts = Array(repeating: 0, count: weights.count)
        var largest = 0
        for sample in 1...samples {
            counts[order.next()] += 1
            for (count, weight) in zip(counts, weights) {
                largest = max(largest, abs(count * sum - sample * weight))
            }
        }
        return largest
    }

    /// Tijdeman's bound, for every mixture of up to four weights to 9 and for odd ones.
    @Test func noShareIsEverOffByAWholeSample() {
        var mixtures: [[Int]] = [
            [7, 2, 1], [999, 1], [1, 999], [500, 499, 1], [1, 1, 1, 1, 1, 1, 1],
            [97, 89, 83, 79, 2, 3],
            Array(1...40), [1000] + Array(repeating: 1, count: 60),
        ]
        for a in 1...9 {
            for b in 1...9 {
                mixtures.append([a, b])
                for c in 1...9 where c >= b {
                    mixtures.append([a, b, c])
                    mixtures.append([a, b, c, 10 - a])
                }
            }
        }
        for weights in mixtures {
            let (sum, bound) = (weights.reduce(0, +), 2 * weights.count - 2)
            let deviation = largestDeviation(weights, samples: 2 * sum)
            #expect(deviation * bound <= sum * (bound - 1), "\(weights): \(deviation) of \(sum)")
        }
    }

    @Test func aPlaceIsFoundWithoutWhatCameBefore() {
        for weights in [[7, 2, 1], [14, 4, 2], [3, 5], [1], [13, 1, 8, 8]] {
            let sum = weights.reduce(0, +)
            for count in [0, 1, 2, sum - 1, sum, sum + 1, 3 * sum + 2, 10_007] {
                var slow = MixtureOrder(weights: weights)
                var fast = slow
                var counts = Array(repeating: 0, count: weights.count)
                for _ in 0..<count { counts[slow.next()] += 1 }
                #expect(fast.skip(count) == counts)
                #expect((0..<50).map { _ in fast.next() } == (0..<50).map { _ in slow.next() })
            }
        }
        var order = MixtureOrder(weights: [700_000_001, 200_000_000, 99_999_999])
        #expect(
            order.skip(1_000_000_000 * 3) == [
                2_100_000_003, 600_000_000, 299_999_997,
            ])
    }

    @Test func weightsOfARecipeAreWholeNumbersInTheSameProportion() throws {
        func weights(_ values: [Double?]) -> [Int]? {
            DataSource.wholeWeights(
                of: values.map {
                    var source = DataSource(path: "x")
                    source.weight = $0
                    return source
                })
        }
        #expect(weights([0.7, 0.2, 0.1]) == [7, 2, 1])
        #expect(weights([nil, 0.25]) == [100, 25])
        #expect(weights([1e-5, 0.5]) == [1, 50_000])
        #expect(weights([123_456, 789]) == [123_456, 789])
        #expect(weights([0.1, 0.3, 0.6]) == [1, 3, 6])
        #expect(weights([1.0 / 3, 1.0 / 3, 1.0 / 3]) == [1, 1, 1] && weights([nil]) == [1])
        #expect(weights([1.0 / 3, 2.0 / 3]) == nil)
        #expect(weights([1e9, 1]) == nil)
        #expect(weights([1e-10, 1]) == nil)
    }
}
