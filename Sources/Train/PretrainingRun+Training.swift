import FalconCheckpoint
import FalconConcurrency
import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconRunRecord
import FalconSystem

/// The micro-batches that a step has read, of which only the first and the last are kept.
private struct StepReading {
    private(set) var first: Batch?
    private(set) var last: Batch?
    private(set) var count = 0
    /// Seconds spent waiting for them.
    private(set) var waitSeconds = 0.0

    /// Reads one more.
    mutating func take(_ next: () throws -> Batch) rethrows -> Batch {
        let start = monotonicSeconds()
        let batch = try next()
        waitSeconds += monotonicSeconds() - start
        if first == nil { first = batch }
        last = batch
        count += 1
        return batch
    }
}

// The loop.
extension PretrainingRun {
    /// Trains to the end of the recipe, or until a signal asks to stop.
    ///
    /// A stop comes between micro-batches; the step that has begun is discarded and done again when
    /// the run is resumed. A stop during a validation leaves the score to the resumed run.
    ///
    /// - Parameter untilTokens: stop after the step that reaches this many; nil for the end.
    /// - Returns: how it ended; either way the state is saved.
    /// - Throws: `TrainError.diverged`, `DataError`, `FileError`; the last save then remains.
    public func run(untilTokens: Int? = nil) throws -> RunOutcome {
        var metrics = try MetricsFile(
            path: folder.metricsPath, damagedPath: folder.damagedMetricsPath,
            keepingStepsTo: trainer.step)
        if let damage = metrics.damage { onEvent(.damagedMetrics(damage)) }
        try judge.removeEvents(after: trainer.step)
        let start = monotonicSeconds()
        guard try finishLastLine(of: &metrics, start: start) else { return .stopped }
        let loader = try BatchLoader(
            dataset: dataset, split: .train, sequenceLength: recipe.data.sequenceLength,
            sequencesPerBatch: recipe.train.microBatchSequences, seed: recipe.seed,
            position: dataPosition)
        while trainer.step < trainer.plan.steps {
            if trainer.tokens >= untilTokens ?? .max { return try stop() }
            let stepStart = monotonicSeconds()
            let planned = trainer.nextStep
            var reading = StepReading()
            guard let result = try step(planned, of: loader, &reading, start: stepStart) else {
                return try stop()
            }
            let firstPosition = dataPosition
            dataPosition = loader.position
            lastBatch = reading.last
            var line = StepMetrics(
                planned,
                loss: result.loss.isFinite ? result.loss : nil,
                gradientNorm: result.gradientNorm.isFinite ? result.gradientNorm : nil,
                tokensPerSecond: Double(planned.batchTokens) / (monotonicSeconds() - stepStart),
                elapsedSeconds: 0, dataWaitSeconds: reading.waitSeconds,
                peakMemoryBytes: peakMemoryByteCount(), skipReason: result.skipReason)
            let isInterrupted = try isEvaluationDue && !addScores(to: &line)
            line.multiplierGradientNorm = result.multiplierGradientNorm.flatMap {
                $0.isFinite ? $0 : nil
            }
            if isDue(recipe.monitor.everySteps), let first = reading.first {
                let monitor = Monitor(trainer: trainer)
                line.matrices = monitor.matrices()
                line.activations = Dictionary(
                    uniqueKeysWithValues: monitor.activations(first).map {
                        ($0.key.name, $0.value)
                    })
            }
            line.elapsedSeconds = monotonicSeconds() - start
            try metrics.append(line)
            onEvent(.step(line))
            try lookAt(result, planned, firstPosition: firstPosition)
            if let problem = validationProblem, result.isApplied { throw try divergence(problem) }
            if isInterrupted { return try stop() }
            if isDue(recipe.checkpoint.everySteps) || Signals.takeSaveRequest() { isSaveDue = true }
            try saveIfDue()
        }
        return try finish()
    }

    private func stop() throws -> RunOutcome {
        try saveIfSound()
        return .stopped
    }

    /// One step, which a stop may interrupt; nil then, and nothing of it is left.
    private func step(
        _ planned: StepPlan, of loader: BatchLoader, _ reading: inout StepReading, start: Double
    ) throws -> StepResult? {
        let result = try trainer.step(microBatches: planned.microBatches) { done in
            if Signals.stopRequested { return false }
            // Until the update, the state is that of the last step.
            if done > 0 && Signals.takeSaveRequest() {
                isSaveDue = true
                try saveIfDue()
            }
            onEvent(
                .progress(
                    RunProgress(
                        phase: .training, step: planned.step, done: done,
                        count: planned.microBatches, seconds: monotonicSeconds() - start)))
            return true
        } next: {
            try reading.take(loader.next)
        }
        if result == nil && reading.count > 0 {
            onEvent(
                .givenUp(
                    step: planned.step, microBatchesDone: reading.count,
                    microBatches: planned.microBatches))
        }
        return result
    }

    /// Whether something done at an interval is due now; at the last step it always is.
    func isDue(_ interval: Int?) -> Bool {
        guard let interval else { return false }
        return trainer.step % interval == 0 || trainer.step == trainer.plan.steps
    }

    /// Reports a step that was not applied, and ends a run that cannot continue.
    private func lookAt(_ result: StepResult, _ planned: StepPlan, firstPosition: Int) throws {
        let skipped = try judge.judge(result, planned, firstPosition: firstPosition, trainer)
        if let skipped { onEvent(.skipped(skipped)) }
        if judge.isOver { throw try divergence() }
    }

    /// Ends the run at the end of its recipe.
    ///
    /// A run whose last steps were skipped, or that cannot be saved, is no result.
    private func finish() throws -> RunOutcome {
        if judge.lastReason == .notFinite { throw try divergence() }
        if trainer.optimizer.stepCount == 0 {
            throw TrainError.nothingToLearn(path: recipe.data.path, steps: trainer.step)
        }
        try saveIfSound(isEnd: true)
        return .finished
    }
}

// Validation and tasks.
extension PretrainingRun {
    /// Whether the step just done is to be scored.
    private var isEvaluationDue: Bool {
        isDue(recipe.evaluation.everySteps) && (dataset.hasValidation || tasks != nil)
    }

    /// Whether the line of a step has all scores that are due.
    private func hasScores(_ line: StepMetrics?) -> Bool {
        (!dataset.hasValidation || line?.validationLoss != nil)
            && (tasks == nil || line?.taskScores != nil)
    }

    /// Scores the validation split and the tasks for the line of a step.
    ///
    /// - Returns: false if a stop came before the end; the line is then as it was.
    private func addScores(to line: inout StepMetrics) throws -> Bool {
        let start = monotonicSeconds()
        var scored = line
        if dataset.hasValidation, try !addValidation(to: &scored) { return false }
        if let tasks {
            let scores = try tasks.scores(by: evaluator) { name, done, count in
                onEvent(
                    .progress(
                        RunProgress(
                            phase: .task(name), step: trainer.step, done: done, count: count,
                            seconds: monotonicSeconds() - start)))
            }
            guard let scores else { return false }
            scored.taskScores = scores
        }
        scored.evaluationSeconds = monotonicSeconds() - start
        line = scored
        return true
    }

    /// Scores the validation split.
    ///
    /// - Returns: false if a stop came before the end.
    private func addValidation(to line: inout StepMetrics) throws -> Bool {
        let batches = try ValidationBatches(
            dataset: dataset, sequenceLength: recipe.data.sequenceLength,
            sequencesPerBatch: recipe.train.microBatchSequences,
            tokenLimit: recipe.evaluation.tokens)
        let (iterator, start) = (batches.makeIterator(), monotonicSeconds())
        var done = 0
        let score = try evaluator.score {
            if Signals.stopRequested { return nil }
            onEvent(
                .progress(
                    RunProgress(
                        phase: .validation, step: trainer.step, done: done,
                        count: batches.batchCount, seconds: monotonicSeconds() - start)))
            done += 1
            return try iterator.next()
        }
        if Signals.stopRequested { return false }
        validationProblem = nil
        if let score, !score.loss.isFinite {
            validationProblem = "the validation loss is \(decimal(score.loss, places: 2))"
        } else {
            line.validationLoss = score?.loss
            line.validationBitsPerByte = score?.bitsPerByte
        }
        return true
    }

    /// Completes the line of the last step done before this run resumed.
    ///
    /// A stop during its validation left it without a score. A line that was lost is written again
    /// without the values that only the step itself knew.
    ///
    /// - Returns: false if a stop came before the end.
    private func finishLastLine(of metrics: inout MetricsFile, start: Double) throws -> Bool {
        guard trainer.step > firstStep else { return true }
        let isThere = metrics.last?.step == trainer.step
        guard !isThere || isEvaluationDue && !hasScores(metrics.last) else { return true }
        let planned = StepPlan(step: trainer.step, of: recipe, trainer.plan.batches)
        var line =
            metrics.last.flatMap { isThere ? $0 : nil }
            ?? StepMetrics(
                planned, loss: nil, gradientNorm: nil, tokensPerSecond: 0, elapsedSeconds: 0,
                dataWaitSeconds: 0, peakMemoryBytes: peakMemoryByteCount(), skipReason: nil)
        let isWhole = try !isEvaluationDue || addScores(to: &line)
        if isThere && isWhole {
            try metrics.completeLast(with: line)
        } else if !isThere {
            try metrics.append(line)
        }
        if isWhole { onEvent(.step(line)) }
        return isWhole
    }
}
