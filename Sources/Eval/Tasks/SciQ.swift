/// SciQ: questions of science with a paragraph that supports the answer; the right one is always the last.
///
/// Records: `support`, `question`, `distractor1` to `distractor3`, `correct_answer`.
///
/// - SeeAlso: Welbl et al., arXiv 1707.06209.
public struct SciQ: EvaluationTask {
    /// The name on the command line.
    public let name = "sciq"
    /// The scored file.
    public let files = ["sciq/test.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["sciq/train.jsonl"]

    /// The task.
    public init() {}

    /// A paragraph, a question and four answers.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let support = try record.text("support").leftStrippedAsPython()
        let keys = ["distractor1", "distractor2", "distractor3", "correct_answer"]
        return TaskDocument(
            question: "\(support)\nQuestion: \(try record.text("question"))\nAnswer:",
            answers: try keys.map(record.text), right: 3)
    }
}
