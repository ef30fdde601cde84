import FalconJSON

/// BoolQ: yes or no, after a passage.
///
/// Records: `passage`, `question`, and `label` (0 is no) or `answer` (true is yes).
///
/// - SeeAlso: Clark et al., arXiv 1905.10044; the harness's task is SuperGLUE's.
public struct BoolQ: EvaluationTask {
    /// The name on the command line.
    public let name = "boolq"
    /// The version of the harness's task.
    public let version = "2.0"
    /// The scored file.
    public let files = ["boolq/validation.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["boolq/train.jsonl"]
    /// The set has no test split.
    public let sampling = ExampleSampling.randomWithSpare
    /// Accuracy.
    public let metrics: [Metric] = [.acc, .answerBitsPerByte]

    /// The task.
    public init() {}

    /// A passage with a question.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let right: Int
        if try record.has("label") {
            right = try record.label("label", below: 2)
        } else {
            let value = try record.value("answer")
            guard let answer = value.bool else {
                throw RecordError("answer is \(value.serialized()), want true or false")
            }
            right = answer ? 1 : 0
        }
        return TaskDocument(
            question: """
                \(try record.text("passage"))
                Question: \(try record.text("question"))?
                Answer:
                """, answers: ["no", "yes"], right: right)
    }
}
