import FalconJSON
import FalconRanks
import FalconRunRecord
import FalconSystem

/// One evaluation of a task: answers go to a file as they come, and a later run goes on from it.
public struct TaskRun {
    /// What must be equal for answers to be those of the same evaluation.
    struct Identity: Codable, Equatable {
        var task: String
        var version: String
        var shots: Int
        var limit: Int?
        var dataDigest: String
        var examplesDigest: String?
        /// Of weights, configuration and tokenizer.
        var modelDigest: String

        private enum CodingKeys: String, CodingKey {
            case task, version, shots, limit
            case dataDigest = "data_sha256"
            case examplesDigest = "examples_sha256"
            case modelDigest = "model_sha256"
        }

        /// The first difference to another one, as a text; nil if they are equal.
        func difference(to other: Identity) -> String? {
            func text(_ name: String, _ a: String, _ b: String) -> String? {
                a == b ? nil : "\(name) \(b), now \(a)"
            }
            return text("task", task, other.task) ?? text("version", version, other.version)
                ?? text("shots", "\(shots)", "\(other.shots)")
                ?? text(
                    "limit", limit.map { "\($0)" } ?? "none", other.limit.map { "\($0)" } ?? "none")
                ?? text("data_sha256", dataDigest, other.dataDigest)
                ?? text(
                    "examples_sha256", examplesDigest ?? "none", other.examplesDigest ?? "none")
                ?? text("model_sha256", modelDigest, other.modelDigest)
        }
    }

    /// A finished evaluation, as its file holds it.
    private struct Finished: Codable {
        var identity: Identity
        var score: TaskScore
        /// SHA-256 of the file of samples.
        var samplesDigest: String

        private enum CodingKeys: String, CodingKey {
            case identity, score
            case samplesDigest = "samples_sha256"
        }
    }

    /// The documents.
    public let data: TaskData
    /// The name in results.
    public let key: String
    private let identity: Identity
    private let folder: String?

    /// An evaluation.
    ///
    /// - Parameters:
    ///   - data: the documents.
    ///   - key: the name in results and of files.
    ///   - limit: the number of documents asked for; nil for all.
    ///   - modelDigest: of weights, configuration and tokenizer.
    ///   - folder: receives `samples_KEY.jsonl` and `results_KEY.json`; nil for none.
    public init(
        _ data: TaskData, key: String, limit: Int?, modelDigest: String,
        samplesFolder folder: String?
    ) {
        self.data = data
        self.key = key
        self.folder = folder
        identity = Identity(
            task: data.task.name, version: data.task.version, shots: data.shots, limit: limit,
            dataDigest: data.digest, examplesDigest: data.examplesDigest, modelDigest: modelDigest)
    }

    private var samplesPath: String { (folder ?? "") + "/samples_\(key).jsonl" }
    private var partPath: String { samplesPath + ".part" }
    private var resultPath: String { (folder ?? "") + "/results_\(key).json" }

    /// Answers the documents that have no answer yet, and scores all.
    ///
    /// - Parameters:
    ///   - evaluator: with the model.
    ///   - resumes: whether answers of an earlier run count; without it they are an error.
    ///   - rows: rows of a pass of the model.
    ///   - onAnswer: takes the number of documents answered.
    /// - Returns: the scores.
    /// - Throws: `FileError`; `EvaluationError.otherSamples`; errors of `Evaluator.answer` and `onAnswer`.
    public func run(
        with evaluator: Evaluator, resumes: Bool, rows: Int = Evaluator.usualRows,
        onAnswer: (Int) throws -> Void
    ) throws -> TaskScore {
        let ranks = evaluator.ranks
        let finished = try ranks.fromLeader {
            try finishedScore(resumes: resumes).map { Array(try jsonText($0).utf8) } ?? []
        }
        if !finished.isEmpty {
            try onAnswer(data.documents.count)
            return try decodedJSON(TaskScore.self, from: finished)
        }
        var answers = try ModelAnswer.answers(
            ranks.fromLeader {
                let earlier = try earlierAnswers(resumes: resumes)
                if folder != nil && fileKind(of: partPath) == .missing {
                    try append(try firstLine)
                }
                return ModelAnswer.bytes(of: earlier)
            })
        if folder != nil { try onAnswer(answers.count) }
        let first = answers.count
        let isWriting = folder != nil && ranks.isLeader
        try evaluator.answer(data, documents: first..<data.documents.count, rows: rows) { more in
            var lines = ""
            for answer in more {
                if isWriting {
                    lines += try TaskSample(answer, document: answers.count, of: data).line + "\n"
                }
                answers.append(answer)
            }
            if isWriting { try append(lines) }
            try onAnswer(answers.count)
        }
        return isWriting ? try finish(answers) : score(answers)
    }

    /// The score of an earlier, whole evaluation.
    private func finishedScore(resumes: Bool) throws -> TaskScore? {
        guard folder != nil, fileKind(of: resultPath) != .missing else { return nil }
        guard resumes else {
            throw FileError.exists(
                path: resultPath,
                advice: "--resume takes what is there; or choose another --samples")
        }
        let bytes = try readBytes(ofFile: resultPath)
        let finished: Finished
        do {
            finished = try CheckedLine.decoded(Finished.self, from: bytes.prefix { $0 != 0x0A })
        } catch {
            let reason = (error as? CheckedLine.Damaged)?.description ?? "it is not a result"
            throw EvaluationError.damagedSamples(path: resultPath, reason: reason)
        }
        if let difference = identity.difference(to: finished.identity) {
            throw EvaluationError.otherSamples(path: resultPath, reason: difference)
        }
        guard fileKind(of: samplesPath) == .file,
            SHA256.hex(of: try readBytes(ofFile: samplesPath)) == finished.samplesDigest
        else {
            throw EvaluationError.damagedSamples(
                path: resultPath,
                reason: "\(samplesPath), of which it is the result, is not there as it was")
        }
        return finished.score
    }

    /// The answers of an evaluation that was broken off; a last line that was not written whole is cut.
    private func earlierAnswers(resumes: Bool) throws -> [ModelAnswer] {
        guard folder != nil, fileKind(of: partPath) != .missing else { return [] }
        guard resumes else {
            throw FileError.exists(
                path: partPath, advice: "--resume goes on from it; or choose another --samples")
        }
        let bytes = try readBytes(ofFile: partPath)
        let whole = bytes.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let lines = bytes[..<whole].split(separator: 0x0A)
        if whole < bytes.count || lines.isEmpty { try replacePart(by: bytes[..<whole]) }
        guard let first = lines.first else { return [] }
        guard let earlier = try? CheckedLine.decoded(Identity.self, from: first) else {
            throw EvaluationError.damagedSamples(
                path: partPath, reason: "its first line is not as it was written")
        }
        if let difference = identity.difference(to: earlier) {
            throw EvaluationError.otherSamples(path: partPath, reason: difference)
        }
        return try lines.dropFirst().enumerated().map { index, line in
            guard let (document, answer) = TaskSample.answer(from: line), document == index,
                index < data.documents.count
            else {
                throw EvaluationError.damagedSamples(
                    path: partPath,
                    reason:
                        "line \(index + 2) is not the answer to document \(index) as it was written"
                )
            }
            return answer
        }
    }

    /// The line that says whose answers follow.
    private var firstLine: String {
        get throws {
            String(decoding: try CheckedLine.bytes(of: identity), as: UTF8.self) + "\n"
        }
    }

    private func append(_ lines: String) throws {
        try appendToFile(path: partPath, Array(lines.utf8))
    }

    /// Leaves the whole lines of the file of answers, or the line that begins it.
    private func replacePart(by lines: ArraySlice<UInt8>) throws {
        var file = try AtomicFile(path: partPath)
        try file.write(lines.isEmpty ? firstLine : String(decoding: lines, as: UTF8.self))
        try file.commit()
    }

    private func finish(_ answers: [ModelAnswer]) throws -> TaskScore {
        var samples = try AtomicFile(path: samplesPath)
        for (index, answer) in answers.enumerated() {
            try samples.write(try TaskSample(answer, document: index, of: data).line + "\n")
        }
        let digest = try samples.commit()
        let score = score(answers)
        var result = try AtomicFile(path: resultPath)
        try result.write(
            try CheckedLine.bytes(
                of: Finished(identity: identity, score: score, samplesDigest: digest)) + [0x0A])
        try result.commit()
        try removeFile(partPath)
        return score
    }

    private func score(_ answers: [ModelAnswer]) -> TaskScore {
        let metrics = data.task.metrics.map { metric in
            let values = zip(data.documents, answers).map { metric.value($0.request, $1) }
            return (metric.name, MetricScore(values, metric.aggregation))
        }
        return TaskScore(
            task: data.task.name, version: data.task.version, shots: data.shots,
            documents: answers.count, dataDigest: data.digest, examplesDigest: data.examplesDigest,
            metrics: Dictionary(uniqueKeysWithValues: metrics))
    }
}
