import FalconConcurrency
import FalconData
import FalconEval
import FalconRanks
import FalconRunRecord
import FalconSystem

// Validation and tasks.
extension PretrainingRun {
    /// Whether the step just done is to be scored.
    var isEvaluationDue: Bool {
        isDue(recipe.evaluation.everySteps) && (data.hasValidation || tasks != nil)
    }

    /// Whether the line of a step has all scores that are due.
    private func hasScores(_ line: StepMetrics?) -> Bool {
        (!data.hasValidation || line?.validationLoss != nil)
            && (tasks == nil || line?.taskScores != nil)
    }

    /// Scores the validation split and the tasks for the line of a step.
    ///
    /// - Returns: false if a stop came before the end; the line is then as it was.
    func addScores(to line: inout StepMetrics) throws -> Bool {
        let start = monotonicSeconds()
        var scored = line
        if data.hasValidation, try !addValidation(to: &scored) { return false }
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

    /// Scores the validation splits of all sources, each on its own and all together.
    ///
    /// - Returns: false if a stop came before the end.
    private func addValidation(to line: inout StepMetrics) throws -> Bool {
        let sources = data.sources.filter(\.hasValidation)
        let batches = try sources.map {
            try ValidationBatches(
                dataset: $0, sequenceLength: recipe.data.sequenceLength,
                sequencesPerBatch: recipe.train.microBatchSequences,
                tokenLimit: recipe.evaluation.tokens)
        }
        let (start, count) = (monotonicSeconds(), batches.reduce(0) { $0 + $1.batchCount })
        var done = 0
        var scores: [TextScore] = []
        for (source, batches) in zip(sources, batches) {
            let iterator = batches.makeIterator()
            let score = try evaluator.score {
                if Signals.stopRequested { return nil }
                onEvent(
                    .progress(
                        RunProgress(
                            phase: .validation, step: trainer.step, done: done, count: count,
                            seconds: monotonicSeconds() - start)))
                // The call after the last batch only ends the split.
                guard let batch = try iterator.next() else { return nil }
                done += 1
                return batch
            }
            if try ranks.agree(Signals.stopRequested) { return false }
            guard let score else { continue }
            scores.append(score)
            if score.loss.isFinite {
                line.sources?[source.path]?.validationLoss = score.loss
                line.sources?[source.path]?.validationBitsPerByte = score.bitsPerByte
            }
        }
        validationProblem = nil
        let score = TextScore(combining: scores)
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
    /// - Parameter metrics: the file; nil where another rank writes it.
    /// - Returns: false if a stop came before the end.
    /// - Throws: `FileError`; errors of scoring.
    func finishLastLine(of metrics: inout MetricsFile?) throws -> Bool {
        guard trainer.step > firstStep else { return true }
        let last = metrics?.last.flatMap { $0.step == trainer.step ? $0 : nil }
        let wantsWork = try ranks.fromLeader {
            [last == nil || isEvaluationDue && !hasScores(last) ? 1 : 0]
        }
        guard wantsWork == [1] else { return true }
        let planned = StepPlan(step: trainer.step, of: recipe, trainer.plan.batches)
        var line =
            last
            ?? StepMetrics(
                planned, loss: nil, gradientNorm: nil, tokensPerSecond: 0, elapsedSeconds: 0,
                dataWaitSeconds: 0, peakMemoryBytes: peakMemoryByteCount(), skipReason: nil)
        if last == nil { line.sources = sourceMetrics(at: trainer.tokens) }
        let isWhole = try !isEvaluationDue || addScores(to: &line)
        if last == nil {
            try metrics?.append(line)
        } else if isWhole {
            try metrics?.completeLast(with: line)
        }
        if isWhole { onEvent(.step(line)) }
        return isWhole
    }
}
