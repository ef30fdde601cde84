/// A task's scores over all its documents, or a group's over its tasks.
public struct TaskScore: Equatable, Sendable {
    /// What a metric's name ends in where its standard error stands.
    public static let errorEnding = "_stderr"

    /// The task's or the group's name.
    public let task: String
    /// The version of the task in lm-evaluation-harness; nil in results of older versions.
    public let version: String?
    /// The number of examples before each document; nil in results of older versions.
    public let shots: Int?
    /// The number of documents answered.
    public let documents: Int
    /// SHA-256 of the scored file; of a group, over those of its tasks.
    public let dataDigest: String
    /// SHA-256 of the file of the examples; nil without examples.
    public let examplesDigest: String?
    /// The scores by the names of their metrics.
    public let metrics: [String: MetricScore]

    /// The scores of a task.
    ///
    /// - Parameters:
    ///   - task: its name.
    ///   - version: its version.
    ///   - shots: the number of examples before each document.
    ///   - documents: the number of documents answered.
    ///   - dataDigest: SHA-256 of the scored file.
    ///   - examplesDigest: SHA-256 of the file of the examples.
    ///   - metrics: the scores by the names of their metrics.
    public init(
        task: String, version: String?, shots: Int?, documents: Int, dataDigest: String,
        examplesDigest: String?, metrics: [String: MetricScore]
    ) {
        self.task = task
        self.version = version
        self.shots = shots
        self.documents = documents
        self.dataDigest = dataDigest
        self.examplesDigest = examplesDigest
        self.metrics = metrics
    }
}

extension TaskScore: Codable {
    /// A key of the object: one of the fixed ones, a metric, or its error.
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ text: String) { stringValue = text }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }

        static let task = Key("task")
        static let version = Key("version")
        static let shots = Key("shots")
        static let documents = Key("documents")
        static let dataDigest = Key("data_sha256")
        static let examplesDigest = Key("examples_sha256")
        static let fixed = [task, version, shots, documents, dataDigest, examplesDigest]
    }

    /// From JSON: an object with a key for each metric.
    ///
    /// - Parameter decoder: of the object.
    /// - Throws: for missing keys and wrong types.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        task = try container.decode(String.self, forKey: .task)
        version = try container.decodeIfPresent(String.self, forKey: .version)
        shots = try container.decodeIfPresent(Int.self, forKey: .shots)
        documents = try container.decode(Int.self, forKey: .documents)
        dataDigest = try container.decode(String.self, forKey: .dataDigest)
        examplesDigest = try container.decodeIfPresent(String.self, forKey: .examplesDigest)
        let fixed = Set(Key.fixed.map(\.stringValue))
        let names = container.allKeys.map(\.stringValue).filter {
            !fixed.contains($0) && !$0.hasSuffix(TaskScore.errorEnding)
        }
        metrics = try Dictionary(
            uniqueKeysWithValues: names.map { name in
                (
                    name,
                    MetricScore(
                        value: try container.decode(Double.self, forKey: Key(name)),
                        standardError: try container.decodeIfPresent(
                            Double.self, forKey: Key(name + TaskScore.errorEnding)))
                )
            })
    }

    /// As JSON.
    ///
    /// - Parameter encoder: takes one object.
    /// - Throws: errors of the encoder.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(task, forKey: .task)
        try container.encodeIfPresent(version, forKey: .version)
        try container.encodeIfPresent(shots, forKey: .shots)
        try container.encode(documents, forKey: .documents)
        try container.encode(dataDigest, forKey: .dataDigest)
        try container.encodeIfPresent(examplesDigest, forKey: .examplesDigest)
        for (name, score) in metrics {
            try container.encode(score.value, forKey: Key(name))
            try container.encodeIfPresent(
                score.standardError, forKey: Key(name + TaskScore.errorEnding))
        }
    }
}
