/// What decides between runs; lower is better.
public enum RunObjective: String, Decodable, CaseIterable, Sendable {
    /// The last validation.
    case validationLoss = "validation_loss"
    /// The mean training loss of the last 5 % of the steps.
    case loss

    /// What decides about one run: the training loss where nothing was validated.
    ///
    /// - Parameter result: what the run came to.
    /// - Returns: this objective, or `loss`.
    public func measured(in result: RunResult) -> RunObjective {
        result.validationLoss == nil ? .loss : self
    }
}

/// What a run came to: the numbers by which runs are compared.
public struct RunResult: Equatable, Sendable {
    /// The mean training loss of the last 5 % of the steps, in nats; nil if it is not finite.
    public let loss: Double?
    /// The last validation loss, in nats; infinite if it is not finite, nil where nothing was validated.
    public let validationLoss: Double?
    /// Of the same validation, in bits for each byte.
    public let validationBitsPerByte: Double?
    /// What the training took.
    public let elapsedSeconds: Double?

    /// A result that is known.
    ///
    /// - Parameters:
    ///   - loss: the mean training loss of the last 5 % of the steps, in nats.
    ///   - validationLoss: the last validation loss, in nats.
    ///   - validationBitsPerByte: of the same validation.
    ///   - elapsedSeconds: what the training took.
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

    /// What decides about the run.
    ///
    /// - Parameter objective: what decides between runs.
    /// - Returns: a finite number; nil for a run that cannot be compared.
    public func value(_ objective: RunObjective) -> Double? {
        let value = objective.measured(in: self) == .loss ? loss : validationLoss
        return value.flatMap { $0.isFinite ? $0 : nil }
    }

    /// The mean loss of the last 5 % of the steps, those left out that did not move the weights; not finite
    /// if one of them has none.
    private static func finalLoss(_ metrics: [StepMetrics]) -> Double? {
        let tail = metrics.suffix(max(1, metrics.count / 20)).filter { $0.applied != false }
        guard !tail.isEmpty else { return nil }
        return tail.reduce(0) { $0 + ($1.loss ?? .nan) } / Double(tail.count)
    }

    /// The seconds of all processes that had a part in the run, each of which counts its time from 0; time
    /// of steps that a kill undid is not among them.
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
    /// - Returns: false while there are fewer steps.
    public static func areDiverged(_ metrics: [StepMetrics], limit: Int) -> Bool {
        let last = metrics.lazy.reversed().filter { $0.skipReason != .noTargets }.prefix(limit)
        return last.allSatisfy { $0.applied == false } && last.count == limit
    }
}
