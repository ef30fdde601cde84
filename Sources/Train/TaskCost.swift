/// What scoring a recipe's tasks takes, counted before the run.
public struct TaskCost: Encodable, Equatable, Sendable {
    /// Times that the tasks are scored.
    public let scorings: Int
    /// Tokens that the model reads each time; texts to be written count with their prompts and the most
    /// tokens that they may have.
    public let tokens: Int
    /// Operations of all scorings, in proportion to those of training; forward is a third of a training step.
    public let share: Double

    /// Counts.
    ///
    /// - Parameters:
    ///   - plan: the numbers of the run.
    ///   - everySteps: steps from one scoring to the next; the last step has one too.
    ///   - tokens: tokens that the model reads each time.
    init(_ plan: RunPlan, everySteps: Int, tokens: Int) {
        scorings = (plan.steps + everySteps - 1) / everySteps
        self.tokens = tokens
        share = Double(scorings) * Double(tokens) / 3 / Double(plan.totalTokens)
    }
}

/// The tasks of a recipe that is planned, perhaps before its files are there.
public struct PlannedTasks {
    /// The tasks; nil if there are none, or not yet.
    public let tasks: TaskScoring?
    /// The reason why what they take is not counted; nil if it is.
    public let note: String?

    /// Reads the documents of a recipe's tasks, if they and the data set are there.
    ///
    /// - Parameter recipe: a decoded recipe.
    public init(_ recipe: TrainingRecipe) {
        do {
            tasks = try TaskScoring(recipe)
            note = nil
        } catch {
            tasks = nil
            note = "what evaluation.tasks take is not counted: \(error)"
        }
    }
}
