import FalconSystem

/// The end of a run of several ranks because one of them cannot go on.
public struct RankFailure: FalconError, Equatable {
    /// The rank that failed.
    public let rank: Int
    /// The name of its host.
    public let host: String
    /// What it was doing, as far as is known.
    public let phase: String
    /// The message of its error, or what was seen of it from outside.
    public let reason: String

    /// A failure.
    ///
    /// - Parameters:
    ///   - rank: the rank that failed.
    ///   - host: the name of its host.
    ///   - phase: what it was doing.
    ///   - reason: the message of its error, or what was seen of it from outside.
    public init(rank: Int, host: String, phase: String, reason: String) {
        (self.rank, self.host, self.phase, self.reason) = (rank, host, phase, reason)
    }

    /// The message: which rank, where, what it did, and why.
    public var description: String {
        "rank \(rank) on \(host) has failed"
            + (phase.isEmpty ? "" : " (\(phase))") + ": \(reason)"
    }

    /// 74: what this rank was to receive will not come.
    public var exitStatus: ExitStatus { .inputOutput }
}
