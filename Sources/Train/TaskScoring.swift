import FalconConcurrency
import FalconData
import FalconEval
import FalconModel
import FalconRanks
import FalconSystem
import FalconTensor
import FalconTokenizer

/// The tasks that a run scores when it validates.
public struct TaskScoring {
    /// A signal asked to stop.
    private struct Stop: Error {}

    private let parts: [(key: String, data: TaskData)]
    private let selection: TaskSelection
    private let tokenizer: any Tokenizer
    private let everySteps: Int

    /// Reads the documents of a recipe's tasks; nil if there are none.
    ///
    /// - Parameters:
    ///   - section: the recipe's part.
    ///   - tokenizer: gives the data's tokenizer; asked only if there are tasks.
    /// - Throws: `FileError` or `EvaluationError` about the data; errors of `tokenizer`.
    public init?(_ section: EvaluationSection, tokenizer: () throws -> any Tokenizer) throws {
        guard let everySteps = section.everySteps, let selection = try section.selection else {
            return nil
        }
        self.everySteps = everySteps
        self.selection = selection
        self.tokenizer = try tokenizer()
        parts = try selection.data(in: section.tasksPath, limit: section.documents)
    }

    /// What is scored, as a digest of the names and documents.
    var digest: String {
        SHA256.hex(
            of: Array(parts.map { "\($0.key) \($0.data.digest)" }.joined(separator: "\n").utf8))
    }

    /// Reads the documents of a recipe's tasks, with the tokenizer of its data.
    ///
    /// - Parameter recipe: a decoded recipe.
    /// - Throws: `FileError`, `EvaluationError`, `DataError` or `TokenizerError` about what is not there.
    public init?(_ recipe: TrainingRecipe) throws {
        try self.init(recipe.evaluation) {
            try TokenDataset(path: recipe.data.paths[0]).tokenizer()
        }
    }

    /// Counts what the tasks take.
    ///
    /// - Parameter recipe: the recipe.
    /// - Returns: the cost in a run.
    /// - Throws: `TokenizerError`, `EvaluationError`.
    public func cost(in recipe: TrainingRecipe) throws -> TaskCost {
        let device = Device.rehearsal(threadCount: 1, precision: .f32)
        let model = recipe.parametrization.makeModel(recipe.model)
        let evaluator = Evaluator(model: model, tokenizer: tokenizer, device: device)
        let tokens = try parts.reduce(0) { sum, part in
            sum + (try evaluator.tokensRead(part.data))
        }
        return TaskCost(RunPlan(recipe), everySteps: everySteps, tokens: tokens)
    }

    /// Answers the tasks on a device that computes nothing, to count memory; of those whose answers are
    /// written, which take long even there, as many documents as are answered side by side.
    ///
    /// - Parameter trainer: on such a device, between two steps.
    /// - Throws: `TokenizerError`, `EvaluationError`.
    func rehearse(with trainer: Trainer) throws {
        let evaluator = Evaluator(
            model: trainer.model, tokenizer: tokenizer, device: trainer.device)
        for part in parts {
            var documents = part.data.documents.indices
            if case .generation = part.data.documents.first?.request {
                documents = documents.prefix(Evaluator.writtenTogether)
            }
            try evaluator.answer(part.data, documents: documents) { _ in }
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
                    if try evaluator.ranks.agree(Signals.stopRequested) { throw Stop() }
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
