import FalconJSON
import FalconRecipeSection
import FalconRunRecord
import FalconTestSupport
import Foundation
import Testing

@testable import FalconTrain

/// The rule of the spike guard against numbers worked out by hand, and on series like those of runs.
@Suite struct SpikeGuardTests {
    private func section(_ window: Int = 8, _ limit: Double = 6) throws -> SpikeGuardSection {
        try decodedJSON(
            SpikeGuardSection.self, from: Array("{\"window\":\(window),\"limit\":\(limit)}".utf8))
    }

    /// Logarithms 0 and 2 in turn: their mean is 1, their deviation sqrt(8/7).
    @Test func theScoreIsThatOfLogarithms() throws {
        var spikeGuard = SpikeGuard(try section())
        for step in 0..<8 {
            spikeGuard.take(loss: exp(2 * Double(step % 2)), gradientNorm: 1, byParameter: [])
        }
        let score = try #require(spikeGuard.lossScore(exp(9)))
        #expect(abs(score.mean - M_E) < 1e-12)
        #expect(abs(score.deviation - (8.0 / 7).squareRoot()) < 1e-12)
        #expect(abs(score.score - 8 / (8.0 / 7).squareRoot()) < 1e-12)
        #expect(score.value == exp(9) && abs(score.median - exp(2)) < 1e-12)
        #expect(spikeGuard.reason(loss: exp(9), gradientNorm: 1) == .lossSpike)
        #expect(spikeGuard.reason(loss: exp(7.4), gradientNorm: 1) == nil)
        // Norms that never moved: six times the least deviation is the limit.
        #expect(spikeGuard.reason(loss: 1, gradientNorm: exp(1.19)) == nil)
        #expect(spikeGuard.reason(loss: 1, gradientNorm: exp(1.21)) == .gradientSpike)
        var still = SpikeGuard(try section())
        for _ in 0..<8 { still.take(loss: 1, gradientNorm: 1, byParameter: []) }
        #expect(still.reason(loss: exp(0.119), gradientNorm: 1) == nil)
        #expect(still.reason(loss: exp(0.121), gradientNorm: 1) == .lossSpike)
        // Falling is never a spike.
        #expect(spikeGuard.reason(loss: 0, gradientNorm: 0) == nil)
    }

    @Test func nothingIsJudgedBeforeHalfAWindow() throws {
        var spikeGuard = SpikeGuard(try section())
        for step in 0..<4 {
            #expect(!spikeGuard.isReady)
            #expect(spikeGuard.reason(loss: 1e30, gradientNorm: 1e30) == nil)
            spikeGuard.take(loss: 1 + Double(step) / 100, gradientNorm: 1, byParameter: [])
        }
        #expect(spikeGuard.isReady)
        #expect(spikeGuard.reason(loss: 2, gradientNorm: 1) == .lossSpike)
    }

    @Test func theWindowHoldsTheLastStepsAndGoesThroughJSON() throws {
        var spikeGuard = SpikeGuard(try section())
        for step in 1...30 {
            spikeGuard.take(
                loss: Double(step).squareRoot(), gradientNorm: 1 / Double(step),
                byParameter: [Double(step), 0])
        }
        #expect(spikeGuard.history.losses == (23...30).map { Double($0).squareRoot() })
        let text = try jsonText(spikeGuard.history)
        let again = try decodedJSON(SpikeHistory.self, from: Array(text.utf8))
        #expect(again == spikeGuard.history)
        #expect(SpikeGuard(try section(), history: again) == spikeGuard)
        // A shorter window takes the newest.
        let shorter = SpikeGuard(try section(9, 6), history: again)
        #expect(shorter.history.losses.count == 8)
        #expect(shorter.history.gradientNorms == spikeGuard.history.gradientNorms)
    }

    /// Means of logarithms: plain over the first window, of all values while it is not full.
    @Test func theUsualNormOfAParameterIsARecentGeometricMean() throws {
        var spikeGuard = SpikeGuard(try section())
        #expect(spikeGuard.usualNorm(ofParameter: 0) == nil)
        for norm in [1.0, 4, 16] {
            spikeGuard.take(loss: 1, gradientNorm: 1, byParameter: [norm, 5])
        }
        #expect(abs((spikeGuard.usualNorm(ofParameter: 0) ?? 0) - 4) < 1e-12)
        // The deviation of log 1, log 4, log 16 is log 4 · sqrt(2/3).
        let change = try #require(spikeGuard.change(ofParameter: 0, norm: 64))
        #expect(abs(change - 2 / (2.0 / 3).squareRoot()) < 1e-12)
        #expect(abs((spikeGuard.change(ofParameter: 1, norm: 5) ?? 1)) < 1e-9)
        // One that never moved stands out by the least change.
        #expect(abs((spikeGuard.change(ofParameter: 1, norm: 5 * M_E) ?? 0) - 5) < 1e-9)
    }

    /// Falling losses with noise and log-normal norms, as in runs: nothing stands out in 20,000 steps.
    @Test func healthySeriesHaveNoSpikes() throws {
        var spikeGuard = SpikeGuard(try section(128))
        var generator = LinearGenerator(seed: 1)
        var spikes = 0
        for step in 1...20_000 {
            let loss = 2 + 8 / Double(step).squareRoot() + 0.05 * generator.normal()
            let norm = exp(0.3 * generator.normal()) * (0.2 + 2 / (1 + Double(step) / 100))
            if spikeGuard.reason(loss: loss, gradientNorm: norm) != nil { spikes += 1 }
            spikeGuard.take(loss: loss, gradientNorm: norm, byParameter: [])
        }
        #expect(spikes == 0)
        #expect(spikeGuard.reason(loss: 2.6, gradientNorm: 0.2) == .lossSpike)
        #expect(spikeGuard.reason(loss: 2, gradientNorm: 3) == .gradientSpike)
        #expect(spikeGuard.reason(loss: 2.1, gradientNorm: 0.6) == nil)
    }

    @Test func impossibleValuesAreNamed() throws {
        #expect(try section(4, 0).problems().map(\.key) == ["window", "limit"])
        #expect(try section().problems().isEmpty)
    }
}
