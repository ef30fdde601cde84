/// CommonsenseQA: five answers with letters; the letter is scored.
///
/// Records: `question`, `choices` with `text` and `label`, `answerKey`.
///
/// - SeeAlso: Talmor et al., arXiv 1811.00937.
public struct CommonsenseQA: EvaluationTask {
    /// The name on the command line.
    public let name = "commonsense_qa"
    /// The version of the harness's task: it has none.
    public let version = "Yaml"
    /// The scored file.
    public let files = ["commonsense_qa/validation.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["commonsense_qa/train.jsonl"]
    /// The set has no test split.
    public let sampling = ExampleSampling.randomWithSpare
    /// Accuracy: all answers have one letter.
    public let metrics: [Metric] = [.acc, .answerBitsPerByte]

    /// The task.
    public init() {}

    /// A question, five answers, and their letters.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let (answers, right) = try record.letteredChoices()
        let letters = ["A", "B", "C", "D", "E"]
        guard answers.count == letters.count else {
            throw RecordError("choices.text has \(answers.count) texts, want 5")
        }
        let lines = zip(letters, answers).map { "\($0). \($1)" }
        let question = try record.text("question").strippedAsPython()
        return TaskDocument(
            question: (["Question: \(question)"] + lines + ["Answer:"]).joined(separator: "\n"),
            answers: letters, right: right)
    }
}
