import FalconSystem

/// What is asked for on the command line: tasks, groups and suites, with their numbers of examples.
public struct TaskSelection: Sendable {
    /// One task with a number of examples.
    public struct Part: Sendable {
        /// The name in results: the task's, with `@SHOTS` if they were asked for there.
        public let key: String
        /// The task.
        public let task: any EvaluationTask
        /// The number of examples; nil for as many as is usual.
        public let shots: Int?
    }

    /// The tasks, each one once.
    public private(set) var parts: [Part] = []
    private var groups: [(key: String, group: TaskGroup, parts: [String])] = []
    private var suites: [(suite: TaskSuite, keys: [String])] = []

    /// Reads a list of names.
    ///
    /// - Parameters:
    ///   - names: tasks, groups and suites, separated by commas; `NAME@5` takes five examples.
    ///   - shots: the number of examples where a name says nothing; nil for as many as is usual.
    /// - Throws: `EvaluationError.unknownTask`.
    public init(_ names: String, shots: Int? = nil) throws(EvaluationError) {
        for part in names.split(separator: ",") {
            let name = String(part).strippedAsPython()
            if name.isEmpty { continue }
            if let suite = TaskCatalog.suites.first(where: { $0.name == name }) {
                var keys: [String] = []
                for item in suite.items {
                    let usual = TaskCatalog.defaultShots(of: item.name)
                    let key = item.name + (item.shots == usual ? "" : "@\(item.shots)")
                    try add(key, shots: item.shots == usual ? usual : nil)
                    keys.append(key)
                }
                suites.append((suite, keys))
            } else {
                try add(name, shots: shots)
            }
        }
        if parts.isEmpty { throw .unknownTask(names, known: TaskCatalog.names) }
    }

    /// Adds the task or group with a key.
    private mutating func add(_ key: String, shots usual: Int?) throws(EvaluationError) {
        let words = key.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(words[0])
        var (shots, ending) = (usual, "")
        if words.count > 1 {
            if TaskCatalog.suites.contains(where: { $0.name == name }) {
                throw .suiteWithShots(name: key)
            }
            guard let count = Int(words[1]), count >= 0 else { throw .badShots(name: key) }
            (shots, ending) = (count, "@\(count)")
        }
        if let group = TaskCatalog.groups.first(where: { $0.name == name }) {
            if groups.contains(where: { $0.key == name + ending }) { return }
            for task in group.tasks {
                try add(task, task.name + ending, shots, isExplicit: !ending.isEmpty)
            }
            groups.append((name + ending, group, group.tasks.map { $0.name + ending }))
        } else if let task = TaskCatalog.task(named: name) {
            try add(task, name + ending, shots, isExplicit: !ending.isEmpty)
        } else {
            throw .unknownTask(key, known: TaskCatalog.names)
        }
    }

    private mutating func add(
        _ task: any EvaluationTask, _ key: String, _ shots: Int?, isExplicit: Bool
    ) throws(EvaluationError) {
        var shots = shots
        if !task.takesExamples, let count = shots, count > 0 {
            if isExplicit { throw .noExamples(task: task.name) }
            shots = nil
        }
        guard !parts.contains(where: { $0.key == key }) else { return }
        parts.append(Part(key: key, task: task, shots: shots))
    }

    /// Reads the documents of all tasks.
    ///
    /// - Parameters:
    ///   - folder: holds the tasks' files.
    ///   - limit: documents of each task, from the start of its file; nil for all.
    /// - Returns: the documents by the tasks' names in results.
    /// - Throws: as `TaskData.init`; files that are missing are named together.
    public func data(in folder: String, limit: Int?) throws -> [(key: String, data: TaskData)] {
        var found: [(key: String, data: TaskData)] = []
        var missing: [EvaluationError] = []
        for part in parts {
            do {
                let data = try TaskData(part.task, in: folder, shots: part.shots, limit: limit)
                found.append((part.key, data))
            } catch let error as EvaluationError {
                guard case .missingFiles = error else { throw error }
                missing.append(error)
            }
        }
        if missing.count > 1 { throw EvaluationError.several(missing) }
        if let error = missing.first { throw error }
        return found
    }

    /// The names in results: of tasks, groups and suites.
    public var names: [String] {
        parts.map(\.key) + groups.map(\.key) + suites.map(\.suite.name)
    }

    /// The metrics of a task, group or suite; nil if it is not among those asked for.
    ///
    /// - Parameter name: in results.
    /// - Returns: their names, the first one first in tables.
    public func metrics(of name: String) -> [String]? {
        if let part = parts.first(where: { $0.key == name }) {
            return part.task.metrics.map(\.name)
        }
        if let entry = groups.first(where: { $0.key == name }) {
            return entry.group.tasks[0].metrics.map(\.name)
        }
        return suites.contains { $0.suite.name == name } ? ["score"] : nil
    }

    /// The reason why there will be no score of a name and a metric; nil if there will be one.
    ///
    /// - Parameters:
    ///   - name: of a task, group or suite in results.
    ///   - metric: its metric.
    /// - Returns: the reason, with a suggestion.
    public func problem(scoreOf name: String, _ metric: String) -> String? {
        guard let metrics = metrics(of: name) else {
            let hint = suggestion(for: name, among: names).map { "; did you mean \($0)?" } ?? ""
            return "there is no score of \(name)\(hint)"
        }
        if metrics.contains(metric) { return nil }
        let hint = suggestion(for: metric, among: metrics).map { "; did you mean \($0)?" } ?? ""
        return "\(name) has no \(metric)\(hint) (it has \(metrics.joined(separator: ", ")))"
    }

    /// The scores of the groups and suites.
    ///
    /// - Parameter tasks: the scores of all tasks, by their keys.
    /// - Returns: groups by their keys, suites by their names.
    public func summaries(
        of tasks: [String: TaskScore]
    ) -> (groups: [String: TaskScore], suites: [String: SuiteScore]) {
        var groupScores: [String: TaskScore] = [:]
        for (key, group, parts) in groups {
            let scores = parts.compactMap { tasks[$0] }
            if scores.count == parts.count { groupScores[key] = group.score(of: scores) }
        }
        var suiteScores: [String: SuiteScore] = [:]
        for (suite, keys) in suites {
            let shares = zip(suite.items, keys).compactMap { item, key -> Double? in
                guard let score = (tasks[key] ?? groupScores[key])?.metrics[item.metric] else {
                    return nil
                }
                return (score.value - item.baseline) / (1 - item.baseline)
            }
            guard !shares.isEmpty else { continue }
            suiteScores[suite.name] = SuiteScore(
                score: shares.reduce(0, +) / Double(shares.count), items: shares.count,
                missing: suite.missing)
        }
        return (groupScores, suiteScores)
    }
}
