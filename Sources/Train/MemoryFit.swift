import FalconSystem

/// A run's memory beside what there is, with what would help when that is too little.
public struct MemoryFit: Equatable, Sendable {
    /// What the run needs.
    public let plan: MemoryPlan
    /// Bytes that there are; 0 is unknown.
    public let available: Int
    /// Changes that save memory; empty when there is enough.
    public let remedies: [MemoryRemedy]
    /// Whether the run fits, as far as one knows.
    public let isEnough: Bool

    /// Compares without taking any memory.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: threads that will compute.
    ///   - available: bytes that there are; 0 is unknown and never too few.
    /// - Throws: `OptimizerError` if the groups do not fit the model.
    public init(
        _ recipe: TrainingRecipe, threadCount: Int, available: Int = availableMemoryByteCount()
    ) throws {
        plan = try MemoryPlan(recipe, threadCount: threadCount)
        self.available = available
        isEnough = available == 0 || plan.totalBytes <= available
        remedies = isEnough ? [] : try MemoryRemedy.all(for: recipe, threadCount: threadCount)
    }
}
