import FalconSystem

/// Several tasks with a common score.
public struct TaskGroup: Sendable {
    /// The name on the command line: the harness's.
    public let name: String
    /// The tasks.
    public let tasks: [any EvaluationTask]
    /// Whether a task counts by its documents.
    public let isWeighted: Bool

    /// A group.
    ///
    /// - Parameters:
    ///   - name: on the command line.
    ///   - tasks: at least one.
    ///   - isWeighted: whether a task counts by its documents.
    public init(_ name: String, _ tasks: [any EvaluationTask], isWeighted: Bool) {
        self.name = name
        self.tasks = tasks
        self.isWeighted = isWeighted
    }

    private static func digest(_ digests: [String]) -> String {
        SHA256.hex(of: Array(digests.joined(separator: "\n").utf8))
    }

    /// The scores of the group.
    ///
    /// - Parameter scores: those of its tasks, in their order.
    /// - Returns: the scores of the metrics that all tasks have.
    func score(of scores: [TaskScore]) -> TaskScore {
        let names = scores[0].metrics.keys.filter { name in
            scores.allSatisfy { $0.metrics[name] != nil }
        }
        let sizes = scores.map(\.documents)
        return TaskScore(
            task: name, version: scores[0].version, shots: scores[0].shots,
            documents: sizes.reduce(0, +), dataDigest: Self.digest(scores.map(\.dataDigest)),
            examplesDigest: scores[0].examplesDigest == nil
                ? nil : Self.digest(scores.map { $0.examplesDigest ?? "" }),
            metrics: Dictionary(
                uniqueKeysWithValues: names.map { name in
                    (
                        name,
                        MetricScore(
                            group: scores.compactMap { $0.metrics[name] }, sizes: sizes,
                            isWeighted: isWeighted)
                    )
                }))
    }
}

/// Tasks that belong together with their examples and the metric that counts, and one score of all.
public struct TaskSuite: Sendable {
    /// A task or group of a suite.
    public struct Item: Sendable {
        /// The name of the task or group.
        public let name: String
        /// The number of examples before each document.
        public let shots: Int
        /// The metric that counts.
        public let metric: String
        /// The score of guessing; the item's share is how far it is from there to 1.
        public let baseline: Double

        init(_ name: String, shots: Int = 0, _ metric: String, baseline: Double = 0) {
            self.name = name
            self.shots = shots
            self.metric = metric
            self.baseline = baseline
        }
    }

    /// The name on the command line.
    public let name: String
    /// The tasks and groups that are there.
    public let items: [Item]
    /// Tasks of the published suite that are not there, which every result names.
    public let missing: [String]

    init(_ name: String, _ items: [Item], missing: [String] = []) {
        self.name = name
        self.items = items
        self.missing = missing
    }
}

/// A suite's score.
public struct SuiteScore: Codable, Equatable, Sendable {
    /// The mean over the items, each from its baseline (0) to 1.
    public let score: Double
    /// The number of items in the mean.
    public let items: Int
    /// Tasks of the published suite that are not in the mean.
    public let missing: [String]
}
