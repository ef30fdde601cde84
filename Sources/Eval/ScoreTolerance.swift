/// How far a score may be from an earlier one.
public struct ScoreTolerance: Equatable, Sendable {
    /// A limit of one metric, or of all.
    public struct Limit: Equatable, Sendable {
        /// The metric; nil for all that have no limit of their own.
        public let metric: String?
        /// The largest difference.
        let amount: Double
        /// Whether it is counted in standard errors of the difference.
        let isInErrors: Bool

        /// Reads a limit; nil if it is something else.
        ///
        /// - Parameter text: `[METRIC=]NUMBER`, or `[METRIC=]NUMBERse` for standard errors.
        public init?(_ text: String) {
            let parts = text.splitAsPython("=")
            guard parts.count <= 2, var number = parts.last else { return nil }
            metric = parts.count == 2 ? parts[0] : nil
            isInErrors = number.hasSuffix("se")
            if isInErrors { number = String(number.dropLast(2)) }
            guard let amount = Double(number), amount >= 0, metric?.isEmpty != true else {
                return nil
            }
            self.amount = amount
        }

        /// A limit relative to the size of a score, if that is more than 1.
        public init(_ amount: Double) {
            (metric, self.amount, isInErrors) = (nil, amount, false)
        }
    }

    private let limits: [Limit]

    /// The metrics that have limits of their own.
    public var metrics: [String] { limits.compactMap(\.metric) }

    /// Limits; the last one given for a metric counts.
    ///
    /// - Parameter limits: of metrics, or of all.
    public init(_ limits: [Limit]) { self.limits = limits }

    /// The difference that a score may have, and how it was come to.
    ///
    /// - Parameters:
    ///   - metric: the score's name.
    ///   - want: the earlier score.
    ///   - got: the new one.
    /// - Returns: the largest difference, and its text for a person; nil for no limit that can be applied,
    ///   because there is no standard error.
    func room(
        _ metric: String, want: MetricScore, got: MetricScore
    ) -> (difference: Double, text: String)? {
        var error: Double?
        if let a = want.standardError, let b = got.standardError {
            error = (a * a + b * b).squareRoot()
        }
        // A limit for all in standard errors is one for those that have them.
        let general = limits.last { $0.metric == nil && !($0.isInErrors && error == nil) }
        guard let limit = limits.last(where: { $0.metric == metric }) ?? general else {
            return (0, "0")
        }
        guard limit.isInErrors else {
            return (limit.amount * max(1, abs(want.value)), "\(limit.amount)")
        }
        guard let error else { return nil }
        return (limit.amount * error, "\(limit.amount) standard errors of \(error)")
    }
}
