import FalconSystem

/// The memory that a run needs and that is available, with remedies if it is too little.
public struct MemoryFit: Equatable, Sendable {
    /// The memory that the run needs.
    public let plan: MemoryPlan
    /// Bytes available; 0 if unknown.
    public let available: Int
    /// Changes that save memory; empty if there is enough.
    public let remedies: [MemoryRemedy]
    /// Whether the run fits, as far as is known.
    public let isEnough: Bool

    /// Compares without taking any memory.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: threads that will compute.
    ///   - tasks: the tasks that the run scores; nil for none.
    ///   - rankCount: ranks that train together.
    ///   - available: bytes available to one; 0 is unknown and never too few.
    /// - Throws: as `MemoryPlan.init`.
    public init(
        _ recipe: TrainingRecipe, threadCount: Int, tasks: TaskScoring? = nil,
        rankCount: Int = 1, available: Int = availableMemoryByteCount()
    ) throws {
        plan = try MemoryPlan(
            recipe, threadCount: threadCount, tasks: tasks, rankCount: rankCount)
        self.available = available
        isEnough = available == 0 || plan.totalBytes <= available
        remedies =
            isEnough
            ? []
            : try MemoryRemedy.all(
                for: recipe, threadCount: threadCount, tasks: tasks, rankCount: rankCount)
    }
}
