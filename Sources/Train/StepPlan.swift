import FalconOptim

/// The plan of one optimizer step: a pure function of the recipe and the step's number.
public struct StepPlan: Encodable, Equatable, Sendable {
    /// The step's number, from 1.
    public let step: Int
    /// Tokens seen when it is done.
    public let tokens: Int
    /// Tokens of this step.
    public let batchTokens: Int
    /// Micro-batches of this step.
    public let microBatches: Int
    /// The factor on the optimizer's η: the schedule's times sqrt(b/B).
    public let learningRateFactor: Double
    /// The factor on the optimizer's λ.
    public let weightDecayFactor: Double
    /// η, for groups without a scale or a rate of their own.
    public let learningRate: Double
    /// λ, for groups that do not override it.
    public let weightDecay: Double

    /// sqrt(η·λ): the size of updates relative to the weights.
    ///
    /// - SeeAlso: Falcon-H1, arXiv 2507.22448.
    public var effectiveLearningRate: Double {
        learningRate.squareRoot() * weightDecay.squareRoot()
    }

    /// sqrt(λ/η): its inverse is the scale of the weights' norm.
    public var effectiveWeightDecay: Double {
        weightDecay.squareRoot() / learningRate.squareRoot()
    }

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case step, tokens
        case batchTokens = "batch_tokens"
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
    }

    /// The plan of a step.
    ///
    /// A batch of b tokens has η·sqrt(b/B), which keeps the noise η/sqrt(b) of a step at that of
    /// the full batch B (Falcon Mamba 7B, model card).
    ///
    /// - Parameters:
    ///   - step: its number, from 1.
    ///   - recipe: a decoded recipe.
    ///   - batches: of this recipe.
    public init(step: Int, of recipe: TrainingRecipe, _ batches: BatchPlan) {
        self.step = step
        tokens = batches.tokens(afterStep: step)
        batchTokens = batches.batchTokens(atStep: step)
        microBatches = batches.microBatches(atStep: step)
        let rates = recipe.schedule.rates(at: tokens, totalTokens: batches.totalTokens)
        let full = batches.fullBatchTokens
        learningRateFactor =
            rates.learningRateFactor * (Double(batchTokens) / Double(full)).squareRoot()
        weightDecayFactor = rates.weightDecayFactor
        learningRate = recipe.optimizer.learningRate * learningRateFactor
        weightDecay = recipe.optimizer.weightDecay * weightDecayFactor
    }

    /// The plans of steps at even distances in tokens, from the first step to the last.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - batches: of this recipe.
    ///   - count: at least 2.
    /// - Returns: `count` plans; a run of fewer steps repeats some.
    public static func samples(
        of recipe: TrainingRecipe, _ batches: BatchPlan, count: Int
    ) -> [StepPlan] {
        let total = Double(batches.totalTokens)
        return (0..<count).map { place in
            let tokens = (total * Double(place) / Double(count - 1)).rounded()
            return StepPlan(step: batches.step(reaching: Int(tokens)), of: recipe, batches)
        }
    }
}
