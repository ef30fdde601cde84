import FalconData
import FalconModel
import FalconOptim
import FalconRecipe
import FalconTensor
import FalconTestSupport
import Testing

@testable import FalconTrain

/// Steps, tokens and batches against the rule applied step by step.
@Suite struct BatchPlanTests {
    /// 10 tokens in a micro-batch.
    private func recipe(_ settings: [String]) throws -> TrainingRecipe {
        try RecipeDocument(
            yaml: TinyRecipe.falconH1.yaml(data: "none"), name: "ramp.yaml",
            settings: [
                "data.sequence_length=5", "schedule.warmup_tokens=0", "schedule.decay_tokens=0",
                "train.batch_tokens=80",
            ] + settings
        )
        .decode(TrainingRecipe.self)
    }

    private func plan(_ settings: String...) throws -> BatchPlan {
        let recipe = try recipe(settings)
        return BatchPlan(recipe.train, sequenceLength: recipe.data.sequenceLength)
    }

    @Test func withoutARampAllStepsAreEqual() throws {
        let plan = try plan()
        #expect(plan.steps == 8 && plan.totalTokens == 640 && plan.fullBatchTokens == 80)
        for step in 1...8 {
            #expect(plan.microBatches(atStep: step) == 8)
            #expect(plan.tokens(afterStep: step) == 80 * step)
        }
        #expect(plan.tokens(afterStep: 0) == 0)
    }

    /// Written out: b(t) = 10 · floor(S/10 + (B − S)/10 · min(1, t/R)).
    @Test(
        arguments: [
            (10, 80, 1), (10, 80, 300), (10, 80, 301), (20, 80, 997), (70, 80, 5000),
            (10, 1000, 333), (30, 370, 12_345), (10, 20, 7),
        ]) func aRampFollowsItsRuleStepByStep(start: Int, full: Int, ramp: Int) throws
    {
        let plan = try plan(
            "train.batch_tokens=\(full)",
            "train.batch_ramp={start_tokens: \(start), tokens: \(ramp)}", "train.steps=400")
        var (tokens, before) = (0, 0)
        for step in 1...400 {
            let micro = start / 10 + (full - start) / 10 * min(tokens, ramp) / ramp
            #expect(plan.microBatches(atStep: step) == micro)
            #expect(plan.batchTokens(atStep: step) == 10 * micro && micro >= before)
            #expect(plan.tokens(afterStep: step - 1) == tokens)
            for reached in [tokens + 1, tokens + 10 * micro] {
                #expect(plan.step(reaching: reached) == step)
            }
            (tokens, before) = (tokens + 10 * micro, micro)
        }
        #expect(plan.totalTokens == tokens && plan.batchTokens(atStep: 1) == start)
        #expect(plan.step(reaching: tokens + 1) == 400 && plan.step(reaching: 0) == 1)
    }

    /// `tokens` are rounded up to whole steps, in the ramp and after it.
    @Test(arguments: [1, 10, 11, 150, 299, 300, 301, 1000, 12_345]) func tokensAreRoundedUp(
        tokens: Int
    ) throws {
        let plan = try plan(
            "train.tokens=\(tokens)", "train.batch_ramp={start_tokens: 10, tokens: 300}")
        #expect(plan.totalTokens >= tokens)
        #expect(plan.tokens(afterStep: plan.steps - 1) < tokens)
        let sum = (1...plan.steps).reduce(0) { $0 + plan.batchTokens(atStep: $1) }
        #expect(sum == plan.totalTokens)
    }

    /// Falcon Mamba: 128 to 2048 sequences over 50 GT; the numbers by the same loop in Python.
    @Test func aHugeRunIsPlannedAtOnce() throws {
        let plan = try plan(
            "data.sequence_length=2048", "train.micro_batch_sequences=1",
            "model.max_position_embeddings=2048", "train.batch_tokens=4194304",
            "train.batch_ramp={start_tokens: 262144, tokens: 5.0e10}", "train.tokens=5.5e12")
        #expect(plan.steps == 1_334_685)
        let full = plan.step(reaching: 50_000_000_000) + 1
        #expect(full == 35_305)
        #expect(plan.batchTokens(atStep: full - 1) == 2047 * 2048)
        #expect(plan.batchTokens(atStep: full) == 4_194_304)
        #expect(plan.tokens(afterStep: 20_000) == 12_684_087_296)
    }

    /// η²/b stays when the schedule does.
    @Test func theLearningRateKeepsTheNoiseOfABatch() throws {
        let recipe = try recipe([
            "train.steps=100", "train.batch_ramp={start_tokens: 10, tokens: 1000}",
            "optimizer.learning_rate=3.0e-3",
        ])
        let batches = RunPlan(recipe).batches
        let steps = (1...100).map { StepPlan(step: $0, of: recipe, batches) }
        #expect(Set(steps.map(\.batchTokens)) == Set(stride(from: 10, through: 80, by: 10)))
        for step in steps {
            let noise = step.learningRate * step.learningRate / Double(step.batchTokens)
            #expect(abs(noise / (9e-6 / 80) - 1) < 1e-14)
            #expect(step.weightDecay == 0.1)
        }
        #expect(steps[99].learningRate == 3e-3)
    }

    @Test func aStepPlanJoinsScheduleAndRamp() throws {
        let recipe = try recipe([
            "train.steps=100", "train.batch_ramp={start_tokens: 20, tokens: 1000}",
            "schedule.warmup_tokens=400", "schedule.stable=effective_power",
            "schedule.power_start_tokens=2000", "schedule.decay_tokens=1000",
            "optimizer.weight_decay=0.2",
        ])
        let plan = RunPlan(recipe)
        for number in 1...100 {
            let step = StepPlan(step: number, of: recipe, plan.batches)
            let rates = recipe.schedule.rates(at: step.tokens, totalTokens: plan.totalTokens)
            let (eta, lambda) = (step.learningRate, step.weightDecay)
            let ramp = (Double(step.batchTokens) / 80).squareRoot()
            #expect(abs(eta - 1e-3 * rates.learningRateFactor * ramp) < 1e-18)
            #expect(abs(lambda - 0.2 * rates.weightDecayFactor) < 1e-16)
            #expect(abs(step.effectiveLearningRate - (eta * lambda).squareRoot()) < 1e-16)
            #expect(abs(step.effectiveWeightDecay / (lambda / eta).squareRoot() - 1) < 1e-14)
        }
        let samples = StepPlan.samples(of: recipe, plan.batches, count: 101)
        #expect(samples.count == 101 && samples[0].step == 1 && samples[100].step == 100)
        #expect(zip(samples, samples.dropFirst()).allSatisfy { $0.step <= $1.step })
        #expect(StepPlan.samples(of: recipe, plan.batches, count: 2).map(\.step) == [1, 100])
    }

    /// The same bits as from a constant schedule with the rates of that step.
    @Test func theTrainerTakesThePlannedRates() throws {
        let device = Device(threadCount: 1)
        let moving = try Trainer(
            recipe([
                "train.batch_ramp={start_tokens: 40, tokens: 1000}", "schedule.warmup_tokens=20",
                "schedule.stable=effective_power", "schedule.power_start_tokens=20",
                "optimizer.weight_decay=3.0",
            ]), on: device)
        let batch = Batch(
            sequences: [[5, 6, 7, 8, 9, 10], [11, 5, 12, 6, 13, 7]], endOfDocumentID: -1)
        for _ in 0..<3 { _ = try moving.step([batch]) }
        let planned = moving.nextStep
        #expect(planned.step == 4 && planned.tokens == 160 && planned.weightDecay < 2)
        let fixed = try Trainer(
            recipe([
                "optimizer.learning_rate=\(planned.learningRate)",
                "optimizer.weight_decay=\(planned.weightDecay)",
            ]), on: device)
        for index in moving.model.table.parameters.indices {
            device.backend.copy(
                from: moving.model.table.parameters[index].value,
                to: fixed.model.table.parameters[index].value, scale: 1)
        }
        #expect(moving.trainedTensors.count == fixed.trainedTensors.count)
        for (from, to) in zip(moving.trainedTensors, fixed.trainedTensors) {
            let elements = moving.model.table.elements(of: from.parameter)
            device.backend.copy(
                from: moving.values(of: from, elements), to: fixed.values(of: to, elements),
                scale: 1)
        }
        fixed.restoreCounters(step: moving.step, appliedSteps: moving.step)
        #expect(try moving.step([batch]).learningRate == fixed.step([batch]).learningRate)
        #expect(moving.model.table.parameters.count == fixed.model.table.parameters.count)
        for (a, b) in zip(moving.model.table.parameters, fixed.model.table.parameters) {
            #expect(a.value.toArray() == b.value.toArray(), "\(a.name)")
        }
    }

    @Test(arguments: [
        ("{start_tokens: 80, tokens: 100}", "start_tokens is 80, want less than batch_tokens = 80"),
        ("{start_tokens: 15, tokens: 100}", "start_tokens is 15, want a multiple of"),
        ("{start_tokens: 0, tokens: 100}", "got 0, want at least 1"),
        ("{start_tokens: 10, tokens: 0}", "got 0, want at least 1"),
        ("{start_tokens: 10, tokens: 2e15}", "want at most 1000000000000000"),
        ("{start_tokens: 10}", "train.batch_ramp.tokens: missing"),
        ("{start_tokens: 10, tokens: 10, steps: 3}", "train.batch_ramp.steps: unknown key"),
        ("7", "train.batch_ramp"),
    ]) func impossibleRampsAreNamed(ramp: String, message: String) throws {
        let error = #expect(throws: RecipeError.self) {
            try recipe(["train.batch_ramp=" + ramp])
        }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }

    @Test func aRampOfTooManySizesIsRefused() throws {
        let error = #expect(throws: RecipeError.self) {
            try recipe([
                "train.batch_tokens=1000000", "train.batch_ramp={start_tokens: 10, tokens: 1e9}",
            ])
        }
        #expect(error?.description.contains("99999 micro-batches, want at most 65536") == true)
    }
}
