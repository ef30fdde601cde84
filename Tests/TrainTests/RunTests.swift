import FalconCheckpoint
import FalconModel
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTestSupport
import FalconTrain
import Foundation
import Testing

/// Whole runs on a tiny corpus: the same bits whatever the threads and however often they stop.
@Suite final class RunTests {
    private let runs: TinyRuns

    init() throws { runs = try TinyRuns(settings: ["checkpoint.keep_last=2"]) }

    private func run(
        _ name: String, threads: Int = 2, existing: ExistingRun = .refuse, settings: [String] = []
    ) throws -> Trainer {
        let run = try runs.begin(name, existing, settings: settings, threads: threads)
        #expect(try run.run() == .finished)
        return run.trainer
    }

    private func manifest(_ name: String) throws -> [UInt8] {
        try readBytes(ofFile: runs.checkpoint(name) + "/manifest.json")
    }

    @Test func threadsChangeNoBitOfACheckpoint() throws {
        for threads in 1...3 { _ = try run("threads\(threads)", threads: threads) }
        #expect(try manifest("threads1") == manifest("threads2"))
        #expect(try manifest("threads1") == manifest("threads3"))
    }

    @Test(arguments: [3, 6]) func aResumedRunEndsWithTheSameBits(step: Int) throws {
        _ = try run("whole", settings: ["checkpoint.keep_last=9"])
        _ = try run("stopped", settings: ["checkpoint.keep_last=9"])
        for later in [6, 8] where later > step {
            try runs.remove("stopped/checkpoints/step-0000000\(later)")
        }
        _ = try run("stopped", existing: .resume, settings: ["checkpoint.keep_last=9"])
        #expect(try manifest("whole") == manifest("stopped"))
        #expect(try runs.metrics("stopped").map(\.step) == Array(1...8))
    }

    /// Batches of 1, 2, 3 and 4 micro-batches, both rates moving; stopped in the middle of the ramp.
    @Test func aRunResumedInItsRampEndsWithTheSameBits() throws {
        let settings = [
            "train.batch_tokens=192", "train.batch_ramp={start_tokens: 48, tokens: 480}",
            "schedule.stable=effective_power", "schedule.power_start_tokens=192",
            "schedule.decay=sqrt", "checkpoint.keep_last=9",
        ]
        let trainer = try run("whole", settings: settings)
        let lines = try runs.metrics("whole")
        let batches = [48, 48, 48, 48, 96, 96, 144, 192]
        #expect(lines.map(\.batchTokens) == batches)
        #expect(
            lines.map(\.tokens) == batches.indices.map { batches[...$0].reduce(0, +) }
                && trainer.tokens == 720 && trainer.plan.totalTokens == 720)
        for line in lines {
            let planned = StepPlan(step: line.step, of: trainer.recipe, trainer.plan.batches)
            #expect(line.learningRate == planned.learningRate)
            #expect(line.weightDecay == planned.weightDecay)
            #expect(line.effectiveLearningRate == planned.effectiveLearningRate)
            #expect(line.effectiveWeightDecay == planned.effectiveWeightDecay)
        }
        #expect(lines[7].weightDecay < 0.1)
        _ = try run("stopped", settings: settings)
        for later in [6, 8] {
            try runs.remove("stopped/checkpoints/step-0000000\(later)")
        }
        _ = try run("stopped", existing: .resume, settings: settings)
        #expect(try manifest("whole") == manifest("stopped"))
        #expect(try runs.metrics("stopped").map(\.tokens) == lines.map(\.tokens))
        // Every sequence of the data was taken once, 24 tokens each.
        let state = String(
            decoding: try runs.bytes("stopped/checkpoints/step-00000008/state.json"), as: UTF8.self)
        #expect(state.contains("\"tokens\" : 720"))
    }

    @Test func muonResumesWithTheSameBitsAndIsMonitored() throws {
        let settings = [
            "checkpoint.keep_last=9", "optimizer.kind=muon", "monitor.every_steps=4",
            "parametrization.kind=learnable",
        ]
        _ = try run("whole", settings: settings)
        _ = try run("stopped", threads: 1, settings: settings)
        try runs.remove("stopped/checkpoints/step-00000008")
        _ = try run("stopped", threads: 3, existing: .resume, settings: settings)
        #expect(try manifest("whole") == manifest("stopped"))
        let metrics = try runs.metrics("whole")
        #expect(metrics.compactMap(\.matrices).count == 2)
        let last = try #require(metrics.last)
        let query = try #require(last.matrices?["model.layers.0.self_attn.q_proj.weight"])
        #expect(query.rms > 0.01 && query.rms < 0.05)
        #expect((query.updateRatio ?? 0) > 0 && (query.effectiveRMS ?? 0) != query.rms)
        #expect(query.multipliers?.keys.sorted() == ["column_multiplier", "row_multiplier"])
        #expect(query.learningRate == last.learningRate && query.weightDecay == 0.1)
        #expect((last.activations?["logits"] ?? 0) > 0)
        #expect(last.activations?["layers.1.feed_forward"] != nil)
        #expect((last.multiplierGradientNorm ?? 0) > 0)
    }

    /// Masters and multipliers are saved, and what is saved as the model is what they make.
    @Test(arguments: ["redundant", "scalar"], [true, false])
    func multipliersResumeWithTheSameBits(placement: String, tied: Bool) throws {
        let settings = [
            "checkpoint.keep_last=9", "parametrization.kind=learnable", "parametrization.start=mup",
            "parametrization.placement=\(placement)", "model.tie_word_embeddings=\(tied)",
        ]
        let trainer = try run("whole", settings: settings)
        _ = try run("stopped", settings: settings)
        for step in [6, 8] {
            try runs.remove("stopped/checkpoints/step-0000000\(step)")
        }
        _ = try run("stopped", existing: .resume, settings: settings)
        #expect(try manifest("whole") == manifest("stopped"))
        let moved = trainer.model.table.multipliers.filter {
            $0.value.toArray().contains { abs($0 - 1) > 1e-4 }
        }
        #expect(moved.count == trainer.model.table.multipliers.count)
        let checkpoint = try Checkpoint.open(runs.checkpoint("whole"))
        for parameter in trainer.model.table.modelParameters {
            #expect(try checkpoint.weights.floats(parameter.name) == parameter.value.toArray())
        }
        #expect(checkpoint.manifest.parameters.count == trainer.model.table.modelParameters.count)
    }

    @Test func aDamagedNewestCheckpointIsLeftOut() throws {
        _ = try run("damaged")
        let weights = "damaged/checkpoints/step-00000008/model.safetensors"
        var bytes = try runs.bytes(weights)
        bytes[bytes.count / 2] ^= 1
        try runs.write(weights, bytes)
        _ = try run("good")
        _ = try run("damaged", existing: .resume)
        #expect(try manifest("damaged") == manifest("good"))
    }

    @Test func anExistingRunIsNeitherOverwrittenNorResumedByItself() throws {
        _ = try run("run")
        let before = try manifest("run")
        #expect(throws: TrainError.runExists(path: runs.path("run"))) { try run("run") }
        #expect(throws: TrainError.notARun(path: runs.path("text"))) {
            try run("text", existing: .overwrite)
        }
        #expect(fileKind(of: runs.path("text/0.txt")) == .file)
        _ = try run("run", existing: .overwrite)
        #expect(try manifest("run") == before)
    }

    @Test func anotherRecipeIsNotResumed() throws {
        _ = try run("run")
        let error = #expect(throws: TrainError.self) {
            try run("run", existing: .resume, settings: ["optimizer.learning_rate=0.5"])
        }
        #expect(error?.description.contains("optimizer.learning_rate: was 1.0e-3, now 0.5") == true)
    }

    @Test func trainingLearnsAndIsMeasured() throws {
        let trainer = try run("run", settings: ["train.steps=60", "optimizer.learning_rate=0.01"])
        #expect(trainer.step == 60)
        let metrics = try runs.metrics("run")
        let (first, last) = (try #require(metrics.first), try #require(metrics.last))
        #expect(abs(try #require(first.loss) - 5.7) < 0.1)
        #expect(try #require(last.loss) < 4)
        #expect(try #require(last.validationLoss) < 4)
        #expect(last.tokens == 60 * 96 && last.peakMemoryBytes > 0 && last.tokensPerSecond > 0)
    }

    @Test func aStepThatIsNotFiniteIsNotApplied() throws {
        // A learning rate that blows the weights up: the loss turns NaN, and the run stops.
        let error = #expect(throws: TrainError.self) {
            try run(
                "run",
                settings: [
                    "optimizer.learning_rate=1e30", "train.max_skipped_steps=3", "train.steps=40",
                ])
        }
        guard case .diverged(let divergence) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(divergence.cause == .skippedSteps(3, .notFinite))
        // What the first step left was found before it was saved.
        #expect(divergence.lastSave == nil)
        #expect(try runs.steps("run") == [])
    }
}
