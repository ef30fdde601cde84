/// PIQA: which of two ways reaches a goal.
///
/// Records: `goal`, `sol1`, `sol2`, `label` (0 or 1). Blanks around a solution are part of it.
///
/// - SeeAlso: Bisk et al., arXiv 1911.11641.
public struct PIQA: EvaluationTask {
    /// The name on the command line.
    public let name = "piqa"
    /// The scored file.
    public let files = ["piqa/validation.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["piqa/train.jsonl"]
    /// The set has no test split.
    public let sampling = ExampleSampling.randomWithSpare

    /// The task.
    public init() {}

    /// A goal and two ways.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        TaskDocument(
            question: "Question: \(try record.text("goal"))\nAnswer:",
            answers: [try record.text("sol1"), try record.text("sol2")],
            right: try record.label("label", below: 2))
    }
}
