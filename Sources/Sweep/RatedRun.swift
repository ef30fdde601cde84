/// An ended run with all that counts for the choice of a learning rate.
public struct RatedRun: Sendable {
    /// η at the top of the schedule.
    public let learningRate: Double
    /// The seed of weights and data.
    public let seed: UInt64
    /// Lower is better; infinite for a run that diverged.
    public let objective: Double

    /// An ended run.
    ///
    /// - Parameters:
    ///   - learningRate: η at the top of the schedule.
    ///   - seed: of weights and data.
    ///   - objective: lower is better; infinite for a run that diverged.
    public init(learningRate: Double, seed: UInt64, objective: Double) {
        self.learningRate = learningRate
        self.seed = seed
        self.objective = objective
    }

    /// The rate with the least mean objective over the seeds that all rates have.
    ///
    /// More seeds at the rate that is best by one of them do not change the choice: their mean is no
    /// longer the luckiest of many numbers, and the single number of another rate could lie below
    /// it.
    ///
    /// - Parameters:
    ///   - runs: of one configuration.
    ///   - tried: all rates of the configuration, including those of runs that have not ended.
    /// - Returns: the rate, and whether no smaller or no larger one was tried; nil if no mean is finite.
    public static func best(
        _ runs: [RatedRun], tried: [Double]
    ) -> (learningRate: Double, isAtEdge: Bool)? {
        let byRate = Dictionary(grouping: runs, by: \.learningRate)
        let common = byRate.values.map { Set($0.map(\.seed)) }.reduce(Set(runs.map(\.seed))) {
            $0.intersection($1)
        }
        var best: (rate: Double, mean: Double)?
        for rate in byRate.keys.sorted() {
            let all = byRate[rate, default: []]
            let counted = common.isEmpty ? all : all.filter { common.contains($0.seed) }
            let mean = counted.reduce(0) { $0 + $1.objective } / Double(counted.count)
            if mean.isFinite, mean < best?.mean ?? .infinity { best = (rate, mean) }
        }
        guard let best else { return nil }
        let isEdge = best.rate == tried.min() || best.rate == tried.max()
        return (best.rate, isEdge && Set(tried).count > 1)
    }
}
