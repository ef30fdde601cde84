import FalconData
import FalconModel
import FalconOptim
import FalconRanks
import FalconRunRecord
import FalconTensor
import FalconTestSupport
import Testing

@testable import FalconTrain

/// One step of several ranks: who decides what.
@Suite struct RankStepTests {
    private static let micro = 6

    let recipe: TrainingRecipe
    let batches: [Batch]

    init() throws {
        let runs = try TinyRuns()
        recipe = try runs.recipe([
            "train.batch_tokens=\(48 * Self.micro)", "train.leaves=\(Self.micro)",
            "optimizer.kind=muon", "parametrization.kind=learnable",
        ])
        batches = try runs.batches(2 * Self.micro)
    }

    /// What a rank has come to.
    private struct Outcome: Sendable, Equatable {
        var results: [StepResult?] = []
        var weights: [Float] = []
        var step = 0
    }

    /// Does steps on ranks that are threads: `attempt` is asked for each.
    private func outcomes(
        ranks count: Int, steps: Int = 2,
        _ attempt: @escaping @Sendable (Trainer, Int, [Batch]) throws -> StepResult?
    ) throws -> [Outcome] {
        let (recipe, batches) = (recipe, batches)
        return try ThreadRanks(count: count, messageByteLimit: 1024, silenceLimit: 30).run { link in
            let trainer = try Trainer(
                recipe, on: Device(threadCount: 1), ranks: RankGroup(link))
            var outcome = Outcome()
            for step in 0..<steps {
                let own = Array(batches[Self.micro * step..<Self.micro * (step + 1)])
                outcome.results.append(try attempt(trainer, step, own))
            }
            (outcome.weights, outcome.step) = (trainer.model.table.values.toArray(), trainer.step)
            return outcome
        }.map { try $0.get() }
    }

    @Test func ranksDecideAsOneDoes() throws {
        let alone = try outcomes(ranks: 1) { trainer, _, batches in try trainer.step(batches) }[0]
        for outcome in try outcomes(ranks: 4, { trainer, _, batches in try trainer.step(batches) })
        {
            #expect(outcome.weights == alone.weights && outcome.step == 2)
            for (own, one) in zip(outcome.results, alone.results) {
                #expect(own?.loss == one?.loss && own?.gradientNorm == one?.gradientNorm)
                #expect(own?.microBatches == one?.microBatches)
                #expect(own?.multiplierGradientNorm == one?.multiplierGradientNorm)
            }
        }
    }

    /// A stop at any rank, before or after its first micro-batch, discards the step of all; the next is as if
    /// nothing had been.
    @Test(arguments: [(0, 0), (1, 0), (2, 1), (1, 1)])
    func aStopOfOneRankIsAStopOfAll(rank: Int, after done: Int) throws {
        let alone = try outcomes(ranks: 1, steps: 1) { trainer, _, batches in
            try trainer.step(batches)
        }[0]
        let stopped = try outcomes(ranks: 3, steps: 1) { trainer, _, batches in
            let before = trainer.model.table.values.toArray()
            var own = trainer.ownMicroBatches(of: Self.micro).makeIterator()
            let result = try trainer.step(
                microBatches: Self.micro,
                proceed: { trainer.ranks.rank != rank || $0 < done },
                next: { batches[own.next() ?? 0] })
            #expect(result == nil && trainer.step == 0)
            #expect(trainer.model.table.values.toArray() == before)
            return try trainer.step(batches)
        }
        for outcome in stopped { #expect(outcome.weights == alone.weights) }
    }

    @Test func whatOneRankWantsToSaveAllLearn() throws {
        let outcomes = try outcomes(ranks: 3, steps: 1) { trainer, _, batches in
            var own = trainer.ownMicroBatches(of: Self.micro).makeIterator()
            return try trainer.step(
                microBatches: Self.micro, proceed: { _ in true },
                next: { batches[own.next() ?? 0] }, wantsSave: { trainer.ranks.rank == 2 })
        }
        for outcome in outcomes {
            #expect(outcome.results[0]?.ranks.map(\.wantsSave) == [false, false, true])
        }
    }

    /// The loss of one rank is not a number: no rank applies the step, and all are as they were.
    @Test func finitenessIsThatOfTheSums() throws {
        let outcomes = try outcomes(ranks: 3, steps: 1) { trainer, _, batches in
            let before = trainer.model.table.values.toArray()
            if trainer.ranks.rank == 1 { trainer.model.table.values.set(5, to: .nan) }
            let result = try trainer.step(batches)
            trainer.model.table.values.set(5, to: before[5])
            #expect(trainer.optimizer.stepCount == 0)
            #expect(trainer.model.table.sums?.toArray().allSatisfy { $0 == 0 } == true)
            #expect(trainer.model.table.values.toArray() == before)
            return result
        }
        for outcome in outcomes { #expect(outcome.results[0]?.skipReason == .notFinite) }
    }

    /// Ranks without a token to predict take the step of the others; without any, all skip it.
    @Test func targetsAreThoseOfAllRanks() throws {
        let ends = [Int32](repeating: 2, count: 25)
        let empty = Batch(sequences: [ends, ends], endOfDocumentID: 2)
        for outcome in try outcomes(
            ranks: 3, steps: 1,
            { trainer, _, batches in
                try trainer.step([batches[0]] + Array(repeating: empty, count: Self.micro - 1))
            })
        {
            let result = outcome.results[0]
            #expect(result?.isApplied == true)
            #expect(result?.scoredTokens == result?.microBatches[0].targets)
        }
        for outcome in try outcomes(
            ranks: 3, steps: 1,
            { trainer, _, _ in try trainer.step(Array(repeating: empty, count: Self.micro)) })
        {
            #expect(outcome.results[0]?.skipReason == .noTargets)
        }
    }

    /// Fewer micro-batches than ranks, as at the beginning of a batch ramp.
    @Test func ranksWithoutWorkTakeTheStepToo() throws {
        let alone = try outcomes(ranks: 1) { trainer, _, batches in
            try trainer.step(Array(batches.prefix(2)))
        }[0]
        for outcome in try outcomes(
            ranks: 5, { trainer, _, batches in try trainer.step(Array(batches.prefix(2))) })
        {
            #expect(outcome.weights == alone.weights)
        }
    }
}
