/// A configuration at its best learning rate.
public struct SweepSummary: Encodable, Equatable, Sendable {
    /// The values of its axes by key path.
    public let configuration: [String: SweepValue]
    /// The rate with the least mean objective; nil if no run has one.
    public let learningRate: Double?
    /// Whether no smaller or no larger rate was tried.
    public let isAtEdge: Bool
    /// The mean of the objective over the seeds at that rate.
    public let mean: Double?
    /// The standard error of the mean; nil for one seed.
    public let standardError: Double?
    /// Seeds at that rate.
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
    ///   - objective: what decides.
    /// - Returns: in the order in which configurations first appear.
    public static func all(_ records: [SweepRecord], by objective: SweepObjective) -> [SweepSummary]
    {
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
        _ objective: SweepObjective
    ) {
        self.configuration = configuration
        diverged = records.count { $0.status == .diverged }
        failed = records.count { $0.status == .failed }
        let rates = Set(records.map(\.learningRate)).sorted()
        var best: (rate: Double, values: [Double])?
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        for rate in rates {
            let runs = records.filter { $0.learningRate == rate }
            let ended = runs.filter { [.finished, .diverged].contains($0.status) }
            let values = ended.map {
                $0.status == .finished ? $0.objective(objective) ?? .infinity : .infinity
            }
            guard !values.isEmpty, mean(values).isFinite else { continue }
            if mean(values) < best.map({ mean($0.values) }) ?? .infinity { best = (rate, values) }
        }
        learningRate = best?.rate
        isAtEdge = rates.count > 1 && (best?.rate == rates.first || best?.rate == rates.last)
        self.mean = best.map { mean($0.values) }
        seeds = best?.values.count ?? 0
        standardError = best.flatMap { best in
            guard best.values.count > 1 else { return nil }
            let center = mean(best.values)
            let squares = best.values.reduce(0) { $0 + ($1 - center) * ($1 - center) }
            let count = Double(best.values.count)
            return (squares / (count - 1) / count).squareRoot()
        }
    }
}
