/// The objectives by which runs are compared.
public enum RunObjective: Hashable, Sendable {
    /// The last validation loss.
    case validationLoss
    /// The mean training loss of the last 5 % of the steps.
    case loss
    /// The last score of a task, such as `hellaswag` and `acc_norm`.
    case score(task: String, metric: String)

    /// The name in recipes: `validation_loss`, `loss`, or `TASK.METRIC`.
    public var name: String {
        switch self {
        case .validationLoss: "validation_loss"
        case .loss: "loss"
        case .score(let task, let metric): "\(task).\(metric)"
        }
    }

    /// Whether a larger number is better: of scores, all but perplexities and bits per byte.
    public var isHigherBetter: Bool {
        guard case .score(_, let metric) = self else { return false }
        return metric != "bits_per_byte" && !metric.hasSuffix("perplexity")
    }

    /// The number of which less is better, from a value, and back.
    ///
    /// - Parameter value: of this objective.
    /// - Returns: it, or its negative where larger numbers are better.
    public func cost(_ value: Double) -> Double { isHigherBetter ? -value : value }

    /// The objective with a name; nil if it is something else.
    ///
    /// - Parameter name: as in recipes.
    public init?(name: String) {
        switch name {
        case "validation_loss": self = .validationLoss
        case "loss": self = .loss
        default:
            guard let dot = name.lastIndex(of: "."), dot != name.startIndex,
                name.index(after: dot) != name.endIndex
            else { return nil }
            self = .score(
                task: String(name[..<dot]), metric: String(name[name.index(after: dot)...]))
        }
    }

    /// The objective measured in one run: the training loss if nothing was validated.
    ///
    /// - Parameter result: the result of the run.
    /// - Returns: this objective, or `loss`.
    public func measured(in result: RunResult) -> RunObjective {
        self == .validationLoss && result.validationLoss == nil ? .loss : self
    }
}

extension RunObjective: Decodable {
    /// From its name.
    ///
    /// - Parameter decoder: of a text.
    /// - Throws: `DecodingError` for another text.
    public init(from decoder: any Decoder) throws {
        let name = try decoder.singleValueContainer().decode(String.self)
        guard let objective = RunObjective(name: name) else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath,
                    debugDescription:
                        "got \"\(name)\", wanted validation_loss, loss, or TASK.METRIC such as "
                        + "hellaswag.acc_norm"))
        }
        self = objective
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
    /// The last scores of tasks, by `TASK.METRIC`.
    public let scores: [String: Double]
    /// Seconds of training.
    public let elapsedSeconds: Double?

    /// A result with known numbers.
    ///
    /// - Parameters:
    ///   - loss: the mean training loss of the last 5 % of the steps, in nats.
    ///   - validationLoss: the last validation loss, in nats.
    ///   - validationBitsPerByte: the same validation in bits per byte.
    ///   - scores: the last scores of tasks, by `TASK.METRIC`.
    ///   - elapsedSeconds: seconds of training.
    public init(
        loss: Double?, validationLoss: Double?, validationBitsPerByte: Double?,
        scores: [String: Double] = [:], elapsedSeconds: Double?
    ) {
        func finite(_ number: Double?) -> Double? { number.flatMap { $0.isFinite ? $0 : nil } }
        self.loss = finite(loss)
        self.validationLoss = validationLoss.map { $0.isFinite ? $0 : .infinity }
        self.validationBitsPerByte = finite(validationBitsPerByte)
        self.scores = scores.filter(\.value.isFinite)
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
            scores: Self.scores(metrics), elapsedSeconds: Self.trainingSeconds(metrics))
    }

    /// The run's value of an objective.
    ///
    /// - Parameter objective: the objective by which runs are compared.
    /// - Returns: a finite number; nil for a run that cannot be compared.
    public func value(_ objective: RunObjective) -> Double? {
        let value: Double?
        switch objective.measured(in: self) {
        case .loss: value = loss
        case .validationLoss: value = validationLoss
        case .score: value = scores[objective.name]
        }
        return value.flatMap { $0.isFinite ? $0 : nil }
    }

    /// The number of which less is better.
    ///
    /// - Parameter objective: the objective by which runs are compared.
    /// - Returns: a finite number; nil for a run that cannot be compared.
    public func cost(_ objective: RunObjective) -> Double? {
        value(objective).map(objective.cost)
    }

    /// The scores of the last step that has some.
    private static func scores(_ metrics: [StepMetrics]) -> [String: Double] {
        let last = metrics.last { $0.taskScores != nil }?.taskScores ?? [:]
        return last.reduce(into: [:]) { all, task in
            for (metric, value) in task.value { all["\(task.key).\(metric)"] = value }
        }
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
