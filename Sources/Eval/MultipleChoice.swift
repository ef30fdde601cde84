import FalconModel
import FalconSystem
import FalconTensor

/// A question with answers to choose from, ready to be scored.
public struct MultipleChoiceItem: Equatable, Sendable {
    /// The text before the answer.
    public let context: String
    /// The answers, each with its leading space.
    public let continuations: [String]
    /// Unicode scalars of each answer without its leading delimiter, for `acc_norm`.
    public let lengths: [Int]
    /// The right answer.
    public let gold: Int
}

/// A task whose items are questions with answers; a conformance only says how to read them.
public protocol MultipleChoiceTask: Sendable {
    /// The name on the command line.
    var name: String { get }
    /// The file below the data folder.
    var file: String { get }
    /// Turns one JSON line into an item.
    ///
    /// - Parameter line: the bytes of one record.
    /// - Returns: the item as lm-evaluation-harness builds it.
    /// - Throws: any error that names the problem with the record.
    func item(from line: [UInt8]) throws -> MultipleChoiceItem
}

/// The answer to one item.
public struct MultipleChoiceAnswer: Codable, Equatable, Sendable {
    /// The item's place in the file.
    public let document: Int
    /// Σ log p of each continuation's tokens given the context, in nats.
    public let loglikelihoods: [Double]
    /// Whether the continuation with the largest sum is the right one.
    public let acc: Bool
    /// The same after dividing each sum by the answer's length in characters.
    public let accNorm: Bool

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case document, loglikelihoods, acc
        case accNorm = "acc_norm"
    }
}

/// A task's scores over all its items.
public struct TaskScore: Codable, Equatable, Sendable {
    /// The task's name.
    public let task: String
    /// The number of documents answered.
    public let documents: Int
    /// The share whose largest sum is the right answer.
    public let acc: Double
    /// Sample standard deviation over the root of the number of documents.
    public let accStandardError: Double
    /// The share that is right after dividing by the answer's length.
    public let accNorm: Double
    /// As `accStandardError`, of `accNorm`.
    public let accNormStandardError: Double
    /// SHA-256 of the data file.
    public let dataDigest: String

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case task, documents, acc
        case accStandardError = "acc_stderr"
        case accNorm = "acc_norm"
        case accNormStandardError = "acc_norm_stderr"
        case dataDigest = "data_sha256"
    }

    init(task: String, answers: [MultipleChoiceAnswer], dataDigest: String) {
        self.task = task
        self.dataDigest = dataDigest
        documents = answers.count
        (acc, accStandardError) = Self.meanAndError(answers.map { $0.acc ? 1 : 0 })
        (accNorm, accNormStandardError) = Self.meanAndError(answers.map { $0.accNorm ? 1 : 0 })
    }

    private static func meanAndError(_ values: [Double]) -> (Double, Double) {
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        guard values.count > 1 else { return (mean, 0) }
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
        return (mean, (variance / count).squareRoot())
    }
}

extension Evaluator {
    /// The tasks there are.
    public static let tasks: [any MultipleChoiceTask] = [HellaSwag()]

    /// Runs a multiple-choice task.
    ///
    /// Every document is scored on its own, so results do not depend on batch size or order.
    ///
    /// - Parameters:
    ///   - task: the task.
    ///   - folder: holds the task's file.
    ///   - limit: documents from the start of the file; nil for all.
    ///   - onAnswer: called after each document.
    /// - Returns: the scores.
    /// - Throws: `FileError` or `EvaluationError` about the data.
    public func run(
        _ task: any MultipleChoiceTask, dataIn folder: String, limit: Int? = nil,
        onAnswer: (MultipleChoiceAnswer, _ total: Int) throws -> Void = { _, _ in }
    ) throws -> TaskScore {
        let path = folder + "/" + task.file
        // Lines end at byte 0x0A only: records may hold other Unicode line breaks.
        let lines = try readBytes(ofFile: path).split(separator: 0x0A)
        if lines.isEmpty { throw EvaluationError.noRecords(path: path) }
        let count = min(limit ?? lines.count, lines.count)
        var answers: [MultipleChoiceAnswer] = []
        for (index, line) in lines.prefix(count).enumerated() {
            let item: MultipleChoiceItem
            do {
                item = try task.item(from: Array(line))
            } catch {
                throw EvaluationError.badRecord(path: path, line: index + 1, reason: "\(error)")
            }
            let answer = try answer(item, document: index)
            answers.append(answer)
            try onAnswer(answer, count)
        }
        return TaskScore(
            task: task.name, answers: answers, dataDigest: try SHA256.hex(ofFile: path))
    }

    private func answer(_ item: MultipleChoiceItem, document: Int) throws -> MultipleChoiceAnswer {
        let sums = try logLikelihoods(context: item.context, continuations: item.continuations)
        func best(_ values: [Double]) -> Int {
            values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
        }
        return MultipleChoiceAnswer(
            document: document, loglikelihoods: sums, acc: best(sums) == item.gold,
            accNorm: best(zip(sums, item.lengths).map { $0 / Double($1) }) == item.gold)
    }
}
