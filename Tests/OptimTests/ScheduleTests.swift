import FalconOptim
import FalconRecipeSection
import Foundation
import Testing

/// Learning rate and weight decay against their formulas.
@Suite struct ScheduleTests {
    private func schedule(
        _ stable: StableStage = .constant, _ decay: DecayShape = .exponential, warmup: Int = 100,
        start: Int? = nil, tokens: Int? = 200, ratio: Double = 0.125
    ) throws -> ScheduleSection {
        func json(_ value: Int?) -> String { value.map(String.init) ?? "null" }
        return try JSONDecoder().decode(
            ScheduleSection.self,
            from: Data(
                """
                {"warmup_tokens": \(warmup), "stable": "\(stable.rawValue)",
                 "power_start_tokens": \(json(start)), "decay": "\(decay.rawValue)",
                 "decay_tokens": \(json(tokens)), "final_ratio": \(ratio)}
                """.utf8))
    }

    private func rate(_ schedule: ScheduleSection, _ tokens: Int) -> Double {
        schedule.rates(at: tokens, totalTokens: 1000).learningRateFactor
    }

    private func weightDecay(_ schedule: ScheduleSection, _ tokens: Int) -> Double {
        schedule.rates(at: tokens, totalTokens: 1000).weightDecayFactor
    }

    /// Every stable stage with its t₀.
    static let stages: [(StableStage, Int?)] = [
        (.constant, nil), (.power, 250), (.effectivePower, 250),
    ]

    @Test(arguments: DecayShape.allCases, stages) func warmUpIsLinear(
        decay: DecayShape, stage: (StableStage, Int?)
    ) throws {
        let schedule = try schedule(stage.0, decay, start: stage.1)
        for tokens in [0, 1, 37, 99] {
            #expect(rate(schedule, tokens) == Double(tokens) / 100)
            #expect(weightDecay(schedule, tokens) == 1)
        }
        #expect(rate(schedule, 100) == 1 && rate(schedule, 250) == 1)
    }

    @Test func aConstantStageDecaysByTheSameFactorPerToken() throws {
        let schedule = try schedule()
        for tokens in [100, 101, 500, 800] { #expect(rate(schedule, tokens) == 1) }
        for tokens in [801, 900, 1000] {
            // The same expression, the same bits.
            #expect(rate(schedule, tokens) == pow(0.125, Double(tokens - 800) / 200))
        }
        for tokens in stride(from: 0, through: 1100, by: 50) {
            #expect(weightDecay(schedule, tokens) == 1)
        }
    }

    /// Values by hand: F = 1/4, u = 1/4.
    @Test(arguments: [
        (DecayShape.exponential, 0.7071067811865476), (.linear, 0.8125),
        (.cosine, 0.25 + 0.75 * (1 + 0.7071067811865476) / 2), (.sqrt, 0.625),
    ]) func decaysFollowTheirFormulas(shape: DecayShape, quarter: Double) throws {
        let schedule = try schedule(.constant, shape, ratio: 0.25)
        #expect(abs(rate(schedule, 850) - quarter) < 1e-15)
        var previous = 1.0
        for tokens in 801...1000 {
            #expect(rate(schedule, tokens) < previous)
            previous = rate(schedule, tokens)
        }
    }

    @Test func effectivePowerFallsWithTheFourthRoot() throws {
        let schedule = try schedule(.effectivePower, start: 250, tokens: 0)
        for tokens in [250, 251, 400, 777, 1000] {
            let wanted = pow(Double(tokens) / 250, -0.25)
            let (learningRate, decay) = (rate(schedule, tokens), weightDecay(schedule, tokens))
            #expect(abs(learningRate - wanted) < 1e-15)
            // sqrt(λ/η) is constant to the bit, sqrt(η·λ) ~ t^(-1/4).
            #expect((decay / learningRate).squareRoot() == 1)
            #expect(abs((decay * learningRate).squareRoot() - wanted) < 1e-15)
        }
        // sqrt(η·λ) halves when t is 16 times as large.
        let long = schedule.rates(at: 4000, totalTokens: 4000)
        #expect(abs((long.learningRateFactor * long.weightDecayFactor).squareRoot() - 0.5) < 1e-15)
    }

    @Test func powerFallsWithTheSquareRootAndKeepsTheWeightDecay() throws {
        let schedule = try schedule(.power, start: 250, tokens: 0)
        for tokens in [250, 251, 400, 1000] {
            #expect(abs(rate(schedule, tokens) - pow(Double(tokens) / 250, -0.5)) < 1e-15)
            #expect(weightDecay(schedule, tokens) == 1)
        }
        #expect(rate(schedule, 1000) == 0.5)
    }

    /// Borders without jumps, the end at F times the stable value, and nothing after it.
    @Test(arguments: DecayShape.allCases, stages) func stagesJoinAndEndAtTheFinalRatio(
        decay: DecayShape, stage: (StableStage, Int?)
    ) throws {
        // In units of a millionth of the run, so that neighbours are close.
        let million = 1_000_000
        let schedule = try schedule(
            stage.0, decay, warmup: million / 10, start: stage.1.map { $0 * million / 1000 },
            tokens: million / 5)
        func rates(_ tokens: Int) -> (learningRateFactor: Double, weightDecayFactor: Double) {
            schedule.rates(at: tokens, totalTokens: million)
        }
        // A square root leaves 1 at once: (1 − F)·sqrt(u) for the first of 200,000 tokens.
        let step = 1.5e-5 + (decay == .sqrt ? 0.875 * (5e-6).squareRoot() : 0)
        for border in [million / 10, million / 4, million * 4 / 5, million] {
            for (a, b) in [(border - 1, border), (border, border + 1)] {
                #expect(abs(rates(a).learningRateFactor - rates(b).learningRateFactor) <= step)
                #expect(abs(rates(a).weightDecayFactor - rates(b).weightDecayFactor) <= 1.5e-5)
            }
        }
        let (border, end) = (rates(million * 4 / 5), rates(million))
        #expect(abs(end.learningRateFactor - 0.125 * border.learningRateFactor) < 1e-15)
        #expect(end.weightDecayFactor == border.weightDecayFactor)
        #expect(rates(million * 6 / 5) == end)
        #expect(schedule.decayStart(totalTokens: million) == million * 4 / 5)
    }

    @Test func withoutDecayTheStableStageGoesToTheEnd() throws {
        #expect(rate(try schedule(tokens: 0), 1000) == 1)
        #expect(rate(try schedule(tokens: 0), 1200) == 1)
    }

    @Test func decayTokensOfNullAreAllAfterTheWarmUp() throws {
        for (tokens, part) in [(100, 0.0), (325, 0.25), (550, 0.5), (1000, 1.0)] {
            let cosine = 0.125 + 0.875 * (1 + cos(.pi * part)) / 2
            #expect(
                abs(rate(try schedule(.constant, .cosine, tokens: nil), tokens) - cosine) < 1e-15)
            #expect(abs(rate(try schedule(tokens: nil), tokens) - pow(0.125, part)) < 1e-15)
        }
    }

    @Test(arguments: [200, nil]) func aRunShorterThanItsWarmUpOnlyWarmsUp(decay: Int?) throws {
        let schedule = try schedule(tokens: decay)
        #expect(schedule.rates(at: 50, totalTokens: 50).learningRateFactor == 0.5)
    }

    /// 100 tokens of warm-up, 150 of the 200 that the decay asks for.
    @Test func aRunTooShortForBothDecaysInWhatFollowsTheWarmUp() throws {
        let schedule = try schedule()
        func rate(_ tokens: Int) -> Double {
            schedule.rates(at: tokens, totalTokens: 250).learningRateFactor
        }
        #expect(rate(99) == 0.99 && rate(100) == 1)
        #expect(rate(175) == pow(0.125, 0.5) && rate(250) == 0.125)
        #expect(schedule.decayStart(totalTokens: 250) == 100)
        #expect(schedule.decayStart(totalTokens: 80) == 80)
        for tokens in 101...250 { #expect(rate(tokens) < rate(tokens - 1)) }
    }

    @Test func whatDoesNotFitTheRunIsNoted() throws {
        let short = try schedule().notes(totalTokens: 250)
        #expect(short.count == 1)
        #expect(short[0].hasPrefix("schedule.decay_tokens is 200, but only 150 of the run's 250"))
        #expect(short[0].contains("set schedule.decay_tokens to 150 or less"))
        #expect(short[0].hasSuffix("train.tokens to at least 300"))
        let shorter = try schedule().notes(totalTokens: 40)
        #expect(shorter.count == 1)
        #expect(shorter[0].hasPrefix("schedule.warmup_tokens is 100, but the run has 40 tokens"))
        #expect(shorter[0].contains("40.0 % of its peak; set schedule.warmup_tokens to 4, a tenth"))
        for total in [300, 301, 1000] { #expect(try schedule().notes(totalTokens: total).isEmpty) }
        #expect(try schedule(tokens: nil).notes(totalTokens: 150).isEmpty)
        #expect(try schedule(tokens: .max).notes(totalTokens: 150).count == 1)
    }

    @Test func impossibleValuesAreNamed() throws {
        let problems = try schedule(warmup: -1, tokens: -5, ratio: 1.5).problems()
        #expect(problems.map(\.key) == ["warmup_tokens", "decay_tokens", "final_ratio"])
    }

    @Test(
        arguments: [
            (StableStage.power, nil, "got null, want the tokens from which stable: power"),
            (.effectivePower, 99, "got 99, want at least 100, the end of the warm-up"),
            (.constant, 500, "got 500 with stable: constant"),
        ] as [(StableStage, Int?, String)]) func thePowerLawsNeedTheirStart(
            stable: StableStage, start: Int?, message: String
        ) throws
    {
        let problems = try schedule(stable, start: start).problems()
        #expect(problems.map(\.key) == ["power_start_tokens"])
        #expect(problems[0].message.hasPrefix(message))
        #expect(try schedule(.power, warmup: 0, start: 0).problems().count == 1)
        #expect(try schedule(.power, start: 100).problems().isEmpty)
    }
}
