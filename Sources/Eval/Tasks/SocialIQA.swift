/// Social IQa: what people do, feel and want.
///
/// Records: `context`, `question`, `answerA` to `answerC`, `label` ("1" to "3").
///
/// - SeeAlso: Sap et al., arXiv 1904.09728.
public struct SocialIQA: EvaluationTask {
    /// The name on the command line.
    public let name = "social_iqa"
    /// The version of the harness's task.
    public let version = "0.0"
    /// The scored file.
    public let files = ["social_iqa/validation.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["social_iqa/train.jsonl"]
    /// The set has no test split.
    public let sampling = ExampleSampling.randomWithSpare
    /// Accuracy.
    public let metrics: [Metric] = [.acc, .answerBitsPerByte]

    /// The task.
    public init() {}

    /// A situation, a question and three answers.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        TaskDocument(
            question: "Q: \(try record.text("context")) \(try record.text("question"))\nA:",
            answers: try ["answerA", "answerB", "answerC"].map(record.text),
            right: try record.label("label", below: 3, first: 1))
    }
}
