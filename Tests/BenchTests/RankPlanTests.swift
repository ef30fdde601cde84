import FalconBench
import FalconData
import FalconTrain
import Testing

/// Predictions for several ranks, worked out by hand.
@Suite struct RankPlanTests {
    private func plan(network: Double?, perHost: Int = 1) throws -> RankPlan {
        var recipe = try BenchSubject(.tiny).resolved()
        let microBatchTokens = recipe.train.microBatchSequences * recipe.data.sequenceLength
        recipe.train.batchTokens = 16 * microBatchTokens
        recipe.train.leaves = 8
        var rates = RankPlan.Rates(estimating: recipe, threadCount: 1)
        (rates.microBatchSeconds, rates.updateSeconds) = (3, 0.5)
        return try RankPlan(
            recipe, threadCount: 1, networkBitsPerSecond: network, ranksPerHost: perHost,
            rates: rates)
    }

    @Test func withoutALimitRanksDivideTheWork() throws {
        let plan = try plan(network: nil)
        let (one, four) = (
            try #require(try plan.row(ranks: 1)), try #require(try plan.row(ranks: 4))
        )
        #expect(one.computeSeconds == 48 && one.sentBytes == 0 && one.efficiency == 1)
        #expect(four.computeSeconds == 12 && four.communicationSeconds == 0)
        #expect(four.updateSeconds == 0.125 && four.tokensPerSecond > 3.9 * one.tokensPerSecond)
        // Eight leaves on three ranks: three of them at two ranks.
        let three = try #require(try plan.row(ranks: 3))
        #expect(three.computeSeconds == 18 && three.leaves == 8)
        // More ranks than leaves want more leaves; more than micro-batches have nothing to do.
        #expect(try plan.row(ranks: 16)?.leaves == 16)
        #expect(try plan.row(ranks: 17) == nil)
        #expect(plan.shownRanks(and: 3) == [1, 2, 3, 4, 8, 16])
    }

    @Test func aSlowNetworkIsWaitedFor() throws {
        let (fast, slow) = (try plan(network: 100e9), try plan(network: 10e6))
        let (a, b) = (try #require(try fast.row(ranks: 4)), try #require(try slow.row(ranks: 4)))
        // All weights, once behind the step, and the gradients of two rounds.
        let bytes = Double(a.sentBytes) / 3
        #expect(b.sentBytes == a.sentBytes)
        #expect(a.communicationSeconds > bytes * 8 / 100e9)
        #expect(a.communicationSeconds < 2 * bytes * 8 / 100e9)
        #expect(b.communicationSeconds > 2.5 * bytes * 8 / 10e6 - 2 * 2)
        #expect(b.efficiency < a.efficiency && a.efficiency < 1)
        // Ranks of one host share its link, and use none among themselves.
        let together = try plan(network: 10e6, perHost: 4)
        #expect(try together.row(ranks: 4)?.communicationSeconds == 0)
        let shared = try plan(network: 10e6, perHost: 2)
        let twoHosts = try #require(try shared.row(ranks: 4))
        #expect(twoHosts.communicationSeconds > b.communicationSeconds)
    }
}
