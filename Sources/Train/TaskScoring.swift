import FalconConcurrency
import FalconEval
import FalconSystem

/// The tasks that a run scores when it validates.
struct TaskScoring {
    /// A signal asked to stop.
    private struct Stop: Error {}

    private let parts: [(key: String, data: TaskData)]
    private let selection: TaskSelection

    /// Reads the documents of a recipe's tasks; nil if there are none.
    ///
    /// - Parameter section: the recipe's part.
    /// - Throws: `FileError` or `EvaluationError` about the data.
    init?(_ section: EvaluationSection) throws {
        guard section.everySteps != nil, let selection = try section.selection else { return nil }
        self.selection = selection
        parts = try selection.parts.map { part in
            (
                part.key,
                try TaskData(
                    part.task, in: section.tasksPath, shots: part.shots, limit: section.documents)
            )
        }
    }

    /// Scores the tasks.
    ///
    /// - Parameters:
    ///   - evaluator: with the model.
    ///   - onDocuments: takes the name of a task, the number of its documents answered, and of all.
    /// - Returns: scores and standard errors by the names of tasks and groups; nil if a stop came before the
    ///   end.
    /// - Throws: errors of `Evaluator.answer`.
    func scores(
        by evaluator: Evaluator, onDocuments: (String, Int, Int) -> Void
    ) throws -> [String: [String: Double]]? {
        var scores: [String: TaskScore] = [:]
        for (key, data) in parts {
            let run = TaskRun(data, key: key, limit: nil, modelDigest: "", samplesFolder: nil)
            onDocuments(key, 0, data.documents.count)
            do {
                scores[key] = try run.run(with: evaluator, resumes: false) { done in
                    if Signals.stopRequested { throw Stop() }
                    onDocuments(key, done, data.documents.count)
                }
            } catch is Stop {
                return nil
            }
        }
        let (groups, suites) = selection.summaries(of: scores)
        var numbers = scores.merging(groups) { task, _ in task }.mapValues { score in
            score.metrics.reduce(into: [String: Double]()) { all, metric in
                all[metric.key] = metric.value.value
                all[metric.key + TaskScore.errorEnding] = metric.value.standardError
            }
        }
        for (name, suite) in suites { numbers[name] = ["score": suite.score] }
        // A line of metrics holds finite numbers.
        return numbers.mapValues { $0.filter { $0.value.isFinite } }
    }
}
