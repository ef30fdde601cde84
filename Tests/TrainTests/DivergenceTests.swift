import FalconCheckpoint
import FalconData
import FalconModel
import FalconOptim
import FalconRecipe
import FalconRunRecord
import FalconTensor
import FalconTestSupport
import FalconTrain
import Foundation
import Testing

/// Runs whose numbers are not finite: they end as diverged, and what is saved is finite.
@Suite struct DivergenceTests {
    let runs: TinyRuns

    init() throws { runs = try TinyRuns.unvalidated() }

    /// Good at first, then rates that blow the weights up.
    private static let rising = [
        "train.steps=60", "schedule.warmup_tokens=5700", "optimizer.learning_rate=300",
        "train.clip_norm=null", "checkpoint.every_steps=2", "checkpoint.keep_last=1",
        "train.spike_guard=null", "evaluation.every_steps=5",
    ]

    @Test(arguments: ["standard", "mup", "learnable"], ["null", "1"])
    func theLastGoodCheckpointOfADivergingRunIsKept(kind: String, monitor: String) throws {
        let divergence = try runs.divergence(
            "run",
            settings: Self.rising + [
                "parametrization.kind=\(kind)", "monitor.every_steps=\(monitor)",
            ])
        let kept = try runs.steps("run")
        #expect(kept.count == 1 && divergence.lastSave == kept.last)
        let last = try #require(kept.last)
        #expect(last < divergence.step)
        #expect(try runs.isFinite("run", step: last))
        let lines = try runs.metrics("run")
        #expect(lines.count == divergence.step)
        switch divergence.cause {
        case .skippedSteps:
            #expect(lines.last?.skipReason == .notFinite && lines.last?.applied == false)
            let event = try runs.event("run", step: divergence.step)
            #expect(event.reason == .notFinite && event.microBatches.count == 2)
            #expect(divergence.event?.hasSuffix("events/step-\(divergence.step).json") == true)
        case .badState(let clause):
            // The last step was applied, and what it left is looked at before it is saved.
            #expect(lines.last?.skipReason == nil && lines.last?.loss?.isFinite == true)
            #expect(divergence.step.isMultiple(of: 2) && divergence.event == nil)
            #expect(clause == "the loss of the model is nan")
        }
    }

    @Test func aRunThatIsSkippedToItsEndHasDiverged() throws {
        let divergence = try runs.divergence(
            "run", settings: ["optimizer.learning_rate=1e20", "train.steps=8"])
        guard case .skippedSteps(let count, .notFinite) = divergence.cause else {
            Issue.record("\(divergence)")
            return
        }
        #expect(divergence.step == 8 && count < 8 && count > 4)
        #expect(divergence.lastSave == nil)
    }

    /// The only step is applied and finite; what it leaves is not.
    @Test func theLastStepMustLeaveAModelWithAFiniteLoss() throws {
        let divergence = try runs.divergence(
            "run",
            settings: [
                "optimizer.learning_rate=1e20", "train.steps=1", "schedule.warmup_tokens=0",
            ])
        guard case .badState(let clause) = divergence.cause else {
            Issue.record("\(divergence)")
            return
        }
        #expect(clause.contains("loss") && divergence.lastSave == nil)
    }

    @Test func aFiniteLossFarBeyondGuessingIsNoResult() throws {
        let divergence = try runs.divergence(
            "run", settings: ["model.lm_head_multiplier=1e20", "optimizer.learning_rate=1e-6"])
        guard case .badState(let clause) = divergence.cause else {
            Issue.record("\(divergence)")
            return
        }
        #expect(clause.contains("that of guessing is 5.70"))
        let steps = try runs.steps("run")
        #expect(!steps.isEmpty)
        for step in steps { #expect(try runs.isFinite("run", step: step)) }
    }

    /// Loss and gradient of a huge z-loss are large, but numbers.
    @Test func aHugeZLossIsNoTrap() throws {
        #expect(try runs.run("run", settings: ["train.z_loss=1e30"]).skipped.isEmpty)
        #expect((try runs.metrics("run").first?.loss ?? 0) > 1e30)
    }

    /// A bad moment is found though no step has seen it yet.
    @Test func weightsAndMomentsAreCheckedBeforeASave() throws {
        let recipe = try runs.document().decode(TrainingRecipe.self)
        let trainer = try Trainer(recipe, on: Device(threadCount: 1))
        #expect(try trainer.firstTensorNotFinite() == nil)
        let slot = trainer.optimizer.slots[3]
        let moments = trainer.optimizer.values(
            of: slot, trainer.model.table.elements(of: slot.parameter))
        moments.set(0, to: .infinity)
        #expect(try trainer.stateProblem(probing: nil) == "\(slot.name) is not finite")
        moments.set(0, to: 0)
        let weights = try #require(trainer.model.table.modelParameters.last)
        weights.master.set(0, to: .nan)
        #expect(try trainer.firstTensorNotFinite() == weights.name)
    }

    @Test func checkpointsLeftOverFromALaterStepNeitherCountNorGo() throws {
        try runs.run("run")
        let folder = CheckpointFolder(run: runs.path("run"))
        #expect(try folder.steps() == [3, 6, 8])
        #expect(try folder.prune(keepLast: 1, upTo: 6) == [3])
        #expect(try folder.steps() == [6, 8])
        #expect(try folder.prune(keepLast: 1) == [6])
    }
}

/// Steps without a token to predict.
@Suite struct NoTargetTests {
    /// Nothing but ends of documents.
    private func emptyBatch(_ recipe: TrainingRecipe) -> Batch {
        Batch(
            sequences: Array(
                repeating: Array(repeating: 2, count: recipe.data.sequenceLength + 1),
                count: recipe.train.microBatchSequences),
            endOfDocumentID: 2)
    }

    @Test func aStepWithoutTargetsIsCountedAndPassedOver() throws {
        let runs = try TinyRuns.unvalidated()
        let recipe = try runs.document().decode(TrainingRecipe.self)
        let trainer = try Trainer(recipe, on: Device(threadCount: 1))
        let before = trainer.model.table.values.toArray()
        let batch = emptyBatch(recipe)
        #expect(batch.targetCount == 0)
        let result = try trainer.step([batch, batch])
        #expect(result.skipReason == .noTargets && !result.isApplied && result.scoredTokens == 0)
        #expect(trainer.step == 1 && trainer.optimizer.stepCount == 0)
        #expect(trainer.model.table.values.toArray() == before)
        #expect(trainer.probeLoss(batch) == nil)
    }

    /// One micro-batch without targets among others adds nothing.
    @Test func aMicroBatchWithoutTargetsAddsNothing() throws {
        let runs = try TinyRuns.unvalidated()
        let recipe = try runs.document().decode(TrainingRecipe.self)
        let dataset = try TokenDataset(path: recipe.data.path)
        let loader = BatchLoader(
            try SampleStream(dataset, sequenceLength: 24, seed: 0), batchTokens: 48)
        let full = try loader.next()
        let alone = try Trainer(recipe, on: Device(threadCount: 1))
        let mixed = try Trainer(recipe, on: Device(threadCount: 1))
        let wanted = try alone.step([full])
        let got = try mixed.step([emptyBatch(recipe), full])
        #expect(got.loss == wanted.loss && got.gradientNorm == wanted.gradientNorm)
        #expect(got.microBatches.map(\.targets) == [0, full.targetCount])
        #expect(
            mixed.model.table.values.toArray() == alone.model.table.values.toArray())
    }

    /// One token a sequence: many steps have nothing but an end of a document.
    @Test func sequencesOfOneTokenTrain() throws {
        let runs = try TinyRuns.unvalidated()
        let skipped = try runs.run(
            "run",
            settings: [
                "data.sequence_length=1", "train.batch_tokens=1", "train.micro_batch_sequences=1",
                "train.steps=300", "train.spike_guard=null", "checkpoint.every_steps=1000",
            ]
        ).skipped
        #expect(!skipped.isEmpty && skipped.allSatisfy { $0.reason == .noTargets })
        let lines = try runs.metrics("run")
        #expect(lines.count == 300)
        #expect(lines.count { $0.skipReason == .noTargets } == skipped.count)
    }
}
