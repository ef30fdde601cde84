import FalconCheckpoint
import FalconConcurrency
import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconRanks
import FalconRunRecord
import FalconSystem

/// The micro-batches that a step has read, of which only the first and the last are kept.
private struct StepReading {
    private(set) var first: Batch?
    private(set) var last: Batch?
    private(set) var count = 0

    /// Notes one more.
    mutating func take(_ batch: Batch) -> Batch {
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
        var metrics: MetricsFile?
        if ranks.isLeader {
            metrics = try MetricsFile(
                path: folder.metricsPath, damagedPath: folder.damagedMetricsPath,
                keepingStepsTo: trainer.step)
        }
        if let damage = metrics?.damage { onEvent(.damagedMetrics(damage)) }
        try judge.removeEvents(after: trainer.step)
        let start = monotonicSeconds()
        guard try finishLastLine(of: &metrics) else { return .stopped }
        let loader = makeLoader()
        while trainer.step < trainer.plan.steps {
            if trainer.tokens >= untilTokens ?? .max { return try stop() }
            let stepStart = monotonicSeconds()
            let planned = trainer.nextStep
            var reading = StepReading()
            guard let result = try step(planned, of: loader, &reading, start: stepStart) else {
                return try stop()
            }
            lastBatch = reading.last ?? lastBatch
            var line = StepMetrics(
                planned,
                loss: result.loss.isFinite ? result.loss : nil,
                gradientNorm: result.gradientNorm.isFinite ? result.gradientNorm : nil,
                tokensPerSecond: Double(planned.batchTokens) / (monotonicSeconds() - stepStart),
                elapsedSeconds: 0,
                dataWaitSeconds: result.ranks.map(\.dataWaitSeconds).max() ?? 0,
                peakMemoryBytes: result.ranks.map(\.peakMemoryBytes).max() ?? 0,
                skipReason: result.skipReason)
            if ranks.count > 1 {
                line.ranks = RankMetrics(
                    computeSeconds: result.ranks.map(\.computeSeconds),
                    communicationSeconds: result.ranks.map(\.communicationSeconds).max() ?? 0,
                    communicationBytes: result.ranks.reduce(0) { $0 + $1.sentBytes })
            }
            line.sources = sourceMetrics(at: trainer.tokens)
            let isInterrupted = try isEvaluationDue && !addScores(to: &line)
            line.multiplierGradientNorm = result.multiplierGradientNorm.flatMap {
                $0.isFinite ? $0 : nil
            }
            if isDue(recipe.monitor.everySteps) {
                let monitor = Monitor(trainer: trainer)
                line.matrices = try monitor.matrices()
                // The leader always has the first micro-batch.
                line.activations = reading.first.map { first in
                    Dictionary(
                        uniqueKeysWithValues: monitor.activations(first).map {
                            ($0.key.name, $0.value)
                        })
                }
            }
            line.elapsedSeconds = monotonicSeconds() - start
            try metrics?.append(line)
            onEvent(.step(line))
            try lookAt(result, planned)
            if let problem = validationProblem, result.isApplied { throw try divergence(problem) }
            if isInterrupted { return try stop() }
            let wantsSave = result.ranks.contains(where: \.wantsSave)
            if isDue(recipe.checkpoint.everySteps) || wantsSave { isSaveDue = true }
            try saveIfDue()
        }
        return try finish()
    }

    /// The micro-batches of this rank, from where the run is.
    private func makeLoader() -> BatchLoader {
        let batches = trainer.plan.batches
        var isWanted: (@Sendable (Int) -> Bool)?
        if ranks.count > 1 {
            let (rank, rankCount, leaves) = (ranks.rank, ranks.count, recipe.train.leaves)
            isWanted = { position in
                let (place, count) = batches.microBatch(at: position)
                let own = Leaves.own(
                    ofRank: rank, of: rankCount, microBatches: count, leaves: leaves)
                return own.contains { $0.range.contains(place) }
            }
        }
        return BatchLoader(
            data, batchTokens: batches.microBatchTokens, position: trainer.tokens,
            isWanted: isWanted)
    }

    private func stop() throws -> RunOutcome {
        try saveIfSound()
        return .stopped
    }

    /// One step, which a stop may interrupt; nil then, and nothing of it is left.
    private func step(
        _ planned: StepPlan, of loader: BatchLoader, _ reading: inout StepReading, start: Double
    ) throws -> StepResult? {
        let ownCount = trainer.ownMicroBatches(of: planned.microBatches).count
        let result = try trainer.step(microBatches: planned.microBatches) { done in
            if Signals.stopRequested { return false }
            ranks.note("step \(planned.step), its micro-batch \(done + 1)")
            // Until the update, the state is that of the last step. Ranks save together, behind a step.
            if done > 0 && ranks.count == 1 && Signals.takeSaveRequest() {
                isSaveDue = true
                try saveIfDue()
            }
            onEvent(
                .progress(
                    RunProgress(
                        phase: .training, step: planned.step, done: done,
                        count: ownCount, seconds: monotonicSeconds() - start)))
            return true
        } next: {
            reading.take(try loader.next())
        } wantsSave: {
            Signals.takeSaveRequest()
        }
        if result == nil && reading.count > 0 {
            onEvent(
                .givenUp(
                    step: planned.step, microBatchesDone: reading.count,
                    microBatches: planned.microBatches))
        }
        return result
    }

    /// What each source of a mixture has given; nil for one data set.
    func sourceMetrics(at tokens: Int) -> [String: SourceMetrics]? {
        guard recipe.data.isMixed else { return nil }
        let place = data.cursor(at: tokens)
        return Dictionary(
            uniqueKeysWithValues: zip(
                data.sources, zip(place.tokensBySource, place.epochsBySource)
            ).map { source, drawn in
                (source.path, SourceMetrics(tokens: drawn.0, epochs: drawn.1))
            })
    }

    /// Whether something done at an interval is due now; at the last step it always is.
    func isDue(_ interval: Int?) -> Bool {
        guard let interval else { return false }
        return trainer.step % interval == 0 || trainer.step == trainer.plan.steps
    }

    /// Reports a step that was not applied, and ends a run that cannot continue.
    private func lookAt(_ result: StepResult, _ planned: StepPlan) throws {
        let skipped = try judge.judge(result, planned, trainer)
        if let skipped { onEvent(.skipped(skipped)) }
        if judge.isOver { throw try divergence() }
    }

    /// Ends the run at the end of its recipe.
    ///
    /// A run whose last steps were skipped, or that cannot be saved, is no result.
    private func finish() throws -> RunOutcome {
        if judge.lastReason == .notFinite { throw try divergence() }
        if trainer.optimizer.stepCount == 0 {
            throw TrainError.nothingToLearn(
                path: recipe.data.paths.joined(separator: ", "), steps: trainer.step)
        }
        try saveIfSound(isEnd: true)
        return .finished
    }
}
