/// OpenBookQA: how a fact of science goes on.
///
/// Records: `question_stem`, `choices` with `text` and `label`, `answerKey`; or, as AI2's evaluation package
/// has them, `query` (the stem between "Question: " and "Answer:"), `choices` (texts) and `gold`.
///
/// - SeeAlso: Mihaylov et al., arXiv 1809.02789.
public struct OpenBookQA: EvaluationTask {
    /// The name on the command line.
    public let name = "openbookqa"
    /// The scored file.
    public let files = ["openbookqa/test.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["openbookqa/train.jsonl"]

    /// The task.
    public init() {}

    /// A stem and its ends.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        if try record.has("query") {
            let (start, end) = ("Question: ", "\nAnswer:")
            let query = try record.text("query")
            guard query.hasPrefix(start), query.hasSuffix(end) else {
                throw RecordError("query: want \"Question: …\\nAnswer:\"")
            }
            let answers = try record.texts("choices")
            return TaskDocument(
                question: String(query.dropFirst(start.count).dropLast(end.count)),
                answers: answers, right: try record.label("gold", below: answers.count))
        }
        let (answers, right) = try record.letteredChoices()
        return TaskDocument(
            question: try record.text("question_stem"), answers: answers, right: right)
    }
}
