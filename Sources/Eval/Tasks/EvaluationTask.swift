/// A task: its data, and how a record becomes requests, exactly as lm-evaluation-harness builds them.
///
/// A conformance is one file; `PIQA` is a short example.
public protocol EvaluationTask: Sendable {
    /// The name on the command line: the harness's.
    var name: String { get }
    /// The version of the harness's task.
    var version: String { get }
    /// The scored file below the data folder; the first of several names that is there.
    var files: [String] { get }
    /// The file of the examples below the data folder, by the same rule; empty if they are drawn from
    /// the scored file.
    var exampleFiles: [String] { get }
    /// Whether it takes examples; the harness leaves them out where a task says so, whatever is asked for.
    var takesExamples: Bool { get }
    /// The way in which examples are drawn.
    var sampling: ExampleSampling { get }
    /// The number of examples unless asked for otherwise.
    var defaultShots: Int { get }
    /// The text before all examples.
    var preamble: String { get }
    /// The scores, the first one first in tables.
    var metrics: [Metric] { get }

    /// Splits a file into records.
    ///
    /// - Parameter bytes: the file.
    /// - Returns: the bytes of each record, in order.
    func records(in bytes: [UInt8]) -> [ArraySlice<UInt8>]

    /// Turns a record into a document.
    ///
    /// - Parameters:
    ///   - record: one record of the file.
    ///   - random: draws what the task leaves to chance; seeded with 0 at the start of a file. Most tasks have
    ///     the form without it.
    /// - Returns: the document with its requests.
    /// - Throws: `RecordError` for a record that is not one of this task.
    func document(from record: Record, random: inout PythonRandom) throws -> TaskDocument

    /// Turns a record into a document, with nothing left to chance.
    ///
    /// - Parameter record: one record of the file.
    /// - Returns: the document with its requests.
    /// - Throws: `RecordError` for a record that is not one of this task.
    func document(from record: Record) throws -> TaskDocument
}

extension EvaluationTask {
    /// The first version of a task in the harness.
    public var version: String { "1.0" }
    /// Examples come from the scored file.
    public var exampleFiles: [String] { [] }
    /// True.
    public var takesExamples: Bool { true }
    /// The harness's default sampler.
    public var sampling: ExampleSampling { .random }
    /// None.
    public var defaultShots: Int { 0 }
    /// None.
    public var preamble: String { "" }
    /// Accuracy, also after division by the answers' lengths, and bits per byte of the right answer.
    public var metrics: [Metric] { [.acc, .accNorm, .answerBitsPerByte] }

    /// The form without chance.
    public func document(
        from record: Record, random: inout PythonRandom
    ) throws -> TaskDocument { try document(from: record) }

    /// One record a line.
    public func records(in bytes: [UInt8]) -> [ArraySlice<UInt8>] { lines(in: bytes) }

    /// The lines that are not blank; they end at byte 0x0A only, as records may hold other Unicode line breaks.
    func lines(in bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: 0x0A).filter { line in
            !line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        }
    }
}

/// The way in which examples are drawn for a document.
public enum ExampleSampling: String, Sendable {
    /// By Python's generator, seeded with 1234 and continued from document to document.
    case random
    /// The same with one more than wanted, so that the document itself can be left out; the harness does so where
    /// a set has no test split, although the examples come from another file.
    case randomWithSpare
    /// The first ones of the file, the same for every document.
    case firstN
    /// The first ones of the file that are not the document itself.
    case firstOthers
}
