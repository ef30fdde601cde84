/// What the ranks of a run did in a step.
public struct RankMetrics: Codable, Equatable, Sendable {
    /// The number of ranks.
    public var count: Int
    /// The rank that computed longest.
    public var slowestRank: Int
    /// Seconds that it computed: forward and backward passes, waiting left out.
    public var slowestComputeSeconds: Double
    /// The mean over the ranks.
    public var meanComputeSeconds: Double
    /// The most seconds that a rank spent on the exchange with others and on nothing else, from the end of the
    /// passes of the step before to that of this one's.
    public var communicationSeconds: Double
    /// Bytes that all ranks sent in that time.
    public var communicationBytes: Int

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case count
        case slowestRank = "slowest_rank"
        case slowestComputeSeconds = "slowest_compute_seconds"
        case meanComputeSeconds = "mean_compute_seconds"
        case communicationSeconds = "communication_seconds"
        case communicationBytes = "communication_bytes"
    }

    /// What was measured in a step.
    ///
    /// - Parameters:
    ///   - computeSeconds: of each rank; at least one.
    ///   - communicationSeconds: of the rank that spent most.
    ///   - communicationBytes: sent by all ranks.
    public init(
        computeSeconds: [Double], communicationSeconds: Double, communicationBytes: Int
    ) {
        count = computeSeconds.count
        let slowest = computeSeconds.indices.max { computeSeconds[$0] < computeSeconds[$1] } ?? 0
        slowestRank = slowest
        slowestComputeSeconds = computeSeconds[slowest]
        meanComputeSeconds = computeSeconds.reduce(0, +) / Double(computeSeconds.count)
        self.communicationSeconds = communicationSeconds
        self.communicationBytes = communicationBytes
    }
}
