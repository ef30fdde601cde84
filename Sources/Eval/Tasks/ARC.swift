/// ARC-Easy and ARC-Challenge: questions of school examinations in science.
///
/// Records: `question`, `choices` with `text` and `label`, `answerKey`; or, as AI2's evaluation package
/// has them, `query` (the prompt), `choices` (texts) and `gold`.
///
/// - SeeAlso: Clark et al., arXiv 1803.05457.
public struct ARC: EvaluationTask {
    /// The name on the command line.
    public let name: String
    /// The scored file.
    public var files: [String] { [name + "/test.jsonl"] }
    /// The file of the examples.
    public var exampleFiles: [String] { [name + "/train.jsonl"] }

    /// One of the two sets.
    ///
    /// - Parameter name: `arc_easy` or `arc_challenge`.
    public init(_ name: String) { self.name = name }

    /// A question and its answers.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        if try record.has("query") {
            let answers = try record.texts("choices")
            return TaskDocument(
                question: try record.text("query"), answers: answers,
                right: try record.label("gold", below: answers.count))
        }
        let (answers, right) = try record.letteredChoices()
        return TaskDocument(
            question: "Question: \(try record.text("question"))\nAnswer:", answers: answers,
            right: right)
    }
}
