/// The objectives by which runs are compared; lower is better.
public enum RunObjective: String, Decodable, CaseIterable, Sendable {
    /// The last validation loss.
    case validationLoss = "validation_loss"
    /// The mean training loss of the last 5 % of the steps.
    case loss

    /// The objective measured in one run: the training loss if nothing was validated.
    ///
    /// - Parameter result: the result of the run.
    /// - Returns: this objective, or `loss`.
    public func measured(in result: RunResult) -> RunObjective {
        result.validationLoss == nil ? .loss : self
    }
}

/// The result of a run: the numbers by which runs are compared.
public struct RunResult: Equatable, Sendable {
    /// The mean training loss of the last 5 % of the steps, in nats; nil if it is not finite.
    public let loss: Double?
    /// The last validation loss, in nats; infinite if not finite, nil if nothing was validated.
    public let validationLoss: Double?
    /// The same validation in bits per byte.
    public let validationBitsPerByte: Double?
    /// Seconds of training.
    public let elapsedSeconds: Double?

    /// A result with known numbers.
    ///
    /// - Parameters:
    ///   - loss: the mean training loss of the last 5 % of the steps, in nats.
    ///   - validationLoss: the last validation loss, in nats.
    ///   - validationBitsPerByte: the same validation in bits per byte.
    ///   - elapsedSeconds: seconds of training.
    public init(
        loss: Double?, validationLoss: Double?, validationBitsPerByte: Double?,
        elapsedSeconds: Double?
    ) {
        func finite(_ number: Double?) -> Double? { number.flatMap { $0.isFinite ? $0 : nil } }
        self.loss = finite(loss)
        self.validationLoss = validationLoss.map { $0.isFinite ? $0 : .infinity }
        self.validationBitsPerByte = finite(validationBitsPerByte)
        self.elapsedSeconds = elapsedSeconds
    }

    /// The result of a run.
    ///
    /// - Parameter metrics: its steps, in order.
    public init(_ metrics: [StepMetrics]) {
        let validation = metrics.last { $0.validationLoss != nil }
        self.init(
            loss: Self.finalLoss(metrics), validationLoss: validation?.validationLoss,
            validationBitsPerByte: validation?.validationBitsPerByte,
            elapsedSeconds: Self.trainingSeconds(metrics))
    }

    /// The run's value of an objective.
    ///
    /// - Parameter objective: the objective by which runs are compared.
    /// - Returns: a finite number; nil for a run that cannot be compared.
    public func value(_ objective: RunObjective) -> Double? {
        let value = objective.measured(in: self) == .loss ? loss : validationLoss
        return value.flatMap { $0.isFinite ? $0 : nil }
    }

    /// The mean loss of the last 5 % of the steps, without those that did not move the weights; not
    /// finite if one of them has no loss.
    private static func finalLoss(_ metrics: [StepMetrics]) -> Double? {
        let tail = metrics.suffix(max(1, metrics.count / 20)).filter { $0.applied != false }
        guard !tail.isEmpty else { return nil }
        return tail.reduce(0) { $0 + ($1.loss ?? .nan) } / Double(tail.count)
    }

    /// The seconds of all processes that took part in the run, each counting its time from 0; the
    /// time of steps that a kill undid does not count.
    private static func trainingSeconds(_ metrics: [StepMetrics]) -> Double {
        var (sum, previous) = (0.0, 0.0)
        for line in metrics where line.elapsedSeconds.isFinite {
            if line.elapsedSeconds < previous { sum += previous }
            previous = line.elapsedSeconds
        }
        return sum + previous
    }
}

extension StepMetrics {
    /// Whether a run ended because too many steps in a row were not applied.
    ///
    /// - Parameters:
    ///   - metrics: its steps, in order.
    ///   - limit: steps in a row that are too many; those without targets neither count nor end the row.
    /// - Returns: whether the run ended so; false if there are fewer steps.
    public static func areDiverged(_ metrics: [StepMetrics], limit: Int) -> Bool {
        let last = metrics.lazy.reversed().filter { $0.skipReason != .noTargets }.prefix(limit)
        return last.allSatisfy { $0.applied == false } && last.count == limit
    }
}
