import FalconRunRecord

/// A configuration at its best learning rate.
public struct SweepSummary: Encodable, Equatable, Sendable {
    /// The values of its axes by key path.
    public let configuration: [String: SweepValue]
    /// The best rate, by the seeds that all rates have; nil if no run has an objective.
    public let learningRate: Double?
    /// Whether no smaller or no larger rate was tried.
    public let isAtEdge: Bool
    /// The mean of the objective over all seeds at that rate that did not diverge.
    public let mean: Double?
    /// The standard error of the mean; nil for one seed.
    public let standardError: Double?
    /// Seeds in that mean.
    public let seeds: Int
    /// Runs of any rate that diverged.
    public let diverged: Int
    /// Runs of any rate that failed.
    public let failed: Int

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case configuration
        case learningRate = "learning_rate"
        case isAtEdge = "at_edge"
        case mean
        case standardError = "standard_error"
        case seeds, diverged, failed
    }

    /// Every configuration of some runs.
    ///
    /// - Parameters:
    ///   - records: of one sweep.
    ///   - objective: the objective by which rates are compared.
    /// - Returns: in the order in which configurations first appear.
    public static func all(_ records: [SweepRecord], by objective: RunObjective) -> [SweepSummary] {
        var configurations: [[String: SweepValue]] = []
        for record in records where !configurations.contains(record.configuration) {
            configurations.append(record.configuration)
        }
        return configurations.map { configuration in
            SweepSummary(
                configuration, records.filter { $0.configuration == configuration }, objective)
        }
    }

    private init(
        _ configuration: [String: SweepValue], _ records: [SweepRecord],
        _ objective: RunObjective
    ) {
        self.configuration = configuration
        diverged = records.count { $0.status == .diverged }
        failed = records.count { $0.status == .failed }
        let ended = records.filter { [.finished, .diverged].contains($0.status) }.map { record in
            let value = record.status == .finished ? record.cost(objective) : nil
            return RatedRun(
                learningRate: record.learningRate, seed: record.seed, objective: value ?? .infinity)
        }
        let best = RatedRun.best(ended, tried: records.map(\.learningRate))
        let values = ended.filter { $0.learningRate == best?.learningRate }.map(\.objective)
            .filter(\.isFinite)
        let mean = values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        learningRate = best?.learningRate
        isAtEdge = best?.isAtEdge ?? false
        self.mean = mean.map(objective.cost)
        seeds = values.count
        standardError = mean.flatMap { center in
            guard values.count > 1 else { return nil }
            let squares = values.reduce(0) { $0 + ($1 - center) * ($1 - center) }
            return (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
        }
    }
}
