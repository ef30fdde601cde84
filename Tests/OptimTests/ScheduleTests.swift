import FalconOptim
import FalconSystem
import Foundation
import Testing

/// The learning rate against its formulas.
@Suite struct ScheduleTests {
    private func schedule(
        _ kind: ScheduleKind, warmup: Int = 100, decay: Int = 200, ratio: Double = 0.125
    ) throws -> ScheduleSection {
        try JSONDecoder().decode(
            ScheduleSection.self,
            from: Data(
                """
                {"kind": "\(kind.rawValue)", "warmup_tokens": \(warmup), "decay_tokens": \(decay),
                 "final_ratio": \(ratio)}
                """.utf8))
    }

    @Test(arguments: ScheduleKind.allCases) func warmUpIsLinear(kind: ScheduleKind) throws {
        let schedule = try schedule(kind)
        for tokens in [0, 1, 37, 99] {
            #expect(schedule.factor(at: tokens, totalTokens: 1000) == Double(tokens) / 100)
        }
        #expect(schedule.factor(at: 100, totalTokens: 1000) == 1)
    }

    @Test func wsdIsStableAndThenDecaysByTheSameFactorPerToken() throws {
        let schedule = try schedule(.wsd)
        for tokens in [100, 101, 500, 800] {
            #expect(schedule.factor(at: tokens, totalTokens: 1000) == 1)
        }
        for tokens in [801, 900, 1000] {
            let wanted = pow(0.125, Double(tokens - 800) / 200)
            #expect(abs(schedule.factor(at: tokens, totalTokens: 1000) - wanted) < 1e-15)
        }
        #expect(abs(schedule.factor(at: 1000, totalTokens: 1000) - 0.125) < 1e-15)
        // Never below the end, should a run go on.
        #expect(abs(schedule.factor(at: 1200, totalTokens: 1000) - 0.125) < 1e-15)
    }

    @Test func wsdWithoutDecayStaysAtThePeak() throws {
        #expect(try schedule(.wsd, decay: 0).factor(at: 1000, totalTokens: 1000) == 1)
        #expect(try schedule(.constant).factor(at: 1000, totalTokens: 1000) == 1)
    }

    @Test func aRunShorterThanItsWarmUpOnlyWarmsUp() throws {
        #expect(try schedule(.wsd).factor(at: 50, totalTokens: 50) == 0.5)
    }

    @Test func cosineAndExponentialEndAtTheFinalRatio() throws {
        for (tokens, part) in [(100, 0.0), (325, 0.25), (550, 0.5), (1000, 1.0)] {
            let cosine = 0.125 + 0.875 * (1 + cos(.pi * part)) / 2
            #expect(
                abs(try schedule(.cosine).factor(at: tokens, totalTokens: 1000) - cosine) < 1e-15)
            let exponential = pow(0.125, part)
            #expect(
                abs(try schedule(.exponential).factor(at: tokens, totalTokens: 1000) - exponential)
                    < 1e-15)
        }
    }

    @Test func impossibleValuesAreNamed() throws {
        let problems = try schedule(.wsd, warmup: -1, decay: -5, ratio: 1.5).problems()
        #expect(problems.map(\.key) == ["warmup_tokens", "decay_tokens", "final_ratio"])
    }
}
