import FalconData
import FalconModel
import FalconRecipe
import FalconRunRecord
import FalconTestSupport
import FalconTrain
import Foundation
import Testing

/// Runs on data with one document of random letters among regular ones.
@Suite struct SpikeRunTests {
    /// Long enough to fill a few sequences.
    private static let planted =
        "kqzv xjwq zzkx vqqj wkzx qjvx zkwq xvvq jzxk qwvz kxqj vzwk jqxz wvkq zxjv qkwz xjqv kzvw"
    private static let settings = [
        "train.steps=160", "optimizer.learning_rate=0.01", "checkpoint.every_steps=200",
        "train.batch_tokens=48", "train.micro_batch_sequences=1",
        "train.spike_guard={window: 48, limit: 6}",
    ]

    /// Corpus, where the planted document begins, and a seed that has all of it in late steps.
    private func prepare() throws -> (TinyRuns, firstToken: Int, seed: UInt64, steps: Set<Int>) {
        let runs = try TinyRuns.unvalidated(documents: 100, adding: [Self.planted])
        let dataset = try TokenDataset(path: runs.path("shards"))
        let finder = try DocumentFinder(dataset, split: .train)
        let last = try finder.document(with: finder.tokenCount - 1)
        #expect(try finder.text(of: last) == Self.planted)
        let samples = (finder.tokenCount - 1) / 24
        let wanted = Set((last.lowerBound / 24)..<samples)
        for seed in 0..<2000 {
            let order = SampleOrder(
                datasetDigest: dataset.index.datasetDigest, seed: UInt64(seed), sampleCount: samples
            )
            let places = (0..<160 * 2).filter { wanted.contains(order.sample(at: $0)) }
            let steps = Set(places.map { $0 / 2 + 1 })
            if places.count >= 2, steps.allSatisfy({ (120...155).contains($0) }) {
                return (runs, last.lowerBound, UInt64(seed), steps)
            }
        }
        throw try #require(nil as (any Error)?)
    }

    @Test func aPlantedSpikeIsSkippedAndItsDocumentIsNamed() throws {
        let (runs, firstToken, seed, steps) = try prepare()
        let settings = Self.settings + ["seed=\(seed)"]
        let skipped = try runs.run("whole", settings: settings).skipped
        #expect(!skipped.isEmpty)
        for step in skipped { #expect(steps.contains(step.step), "\(step.description)") }
        let lines = try runs.metrics("whole")
        for step in skipped {
            #expect(step.reason == .lossSpike && step.documents.contains(firstToken))
            let description = step.description
            #expect(
                description.contains("deviations above its mean") && description.contains("most in")
            )
            let event = try runs.event("whole", step: step.step)
            #expect(event.reason == .lossSpike && event.microBatch == step.microBatch)
            let worst = event.microBatches[(event.microBatch ?? 1) - 1]
            let documents = worst.sequences.flatMap(\.documents)
            let text = try #require(documents.first { $0.firstToken == firstToken }?.text)
            #expect(Self.planted.hasPrefix(text.prefix(8)) && !text.isEmpty)
            #expect(worst.loss == event.microBatches.map(\.loss).max())
            #expect(event.history?.losses.count == 48 && (event.history?.loss?.score ?? 0) > 6)
            #expect(event.parameters.contains { $0.name == event.parameter })
            #expect(
                event.parameters.allSatisfy { $0.weightNorm > 0 && $0.usualGradientNorm != nil })
            #expect(event.command?.contains(" \(firstToken)") == true)
            let after = try #require(event.after)
            #expect(after.step > step.step && after.loss < event.loss)
            #expect(after.parameters.map(\.name) == event.parameters.map(\.name))
            #expect(lines[step.step - 1].applied == false)
            #expect(lines[step.step - 1].skipReason == .lossSpike)
        }
        // Every other step was applied.
        #expect(lines.count { $0.applied == false } == skipped.count)

        // Stopped just before and resumed: the same decision, the same bits.
        let first = try #require(skipped.first).step
        try runs.run("stopped", settings: settings, untilTokens: 48 * (first - 1))
        #expect(
            try runs.run("stopped", .resume, settings: settings).skipped.count == skipped.count)
        for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
            let path = "checkpoints/step-00000160/\(file)"
            #expect(try runs.bytes("whole/\(path)") == runs.bytes("stopped/\(path)"))
        }
        #expect(
            try runs.event("stopped", step: first).parameters
                == runs.event("whole", step: first).parameters)
    }

    /// A change that lasts ends the run, with words that help.
    @Test func tooManySpikesInARowEndTheRun() throws {
        let runs = try TinyRuns.unvalidated()
        // Everything that is not far below the last eight steps counts as a spike.
        let divergence = try runs.divergence(
            "run",
            settings: [
                "train.spike_guard={window: 8, limit: 1.0e-3}", "train.max_skipped_steps=2",
                "optimizer.learning_rate=1e-9", "train.steps=60",
            ])
        guard case .skippedSteps(2, let reason) = divergence.cause else {
            Issue.record("\(divergence)")
            return
        }
        #expect(reason != .notFinite)
        #expect(TrainError.diverged(divergence).description.contains("train.spike_guard.limit"))
        let last = try #require(divergence.lastSave)
        #expect(try runs.isFinite("run", step: last))
    }
}
