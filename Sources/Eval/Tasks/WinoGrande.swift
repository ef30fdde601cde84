/// WinoGrande: which of two names a gap stands for; the text after the gap is scored, once behind each.
///
/// Records: `sentence` with a gap `_`, `option1`, `option2`, `answer` ("1" or "2").
///
/// - SeeAlso: Sakaguchi et al., arXiv 1907.10641; Trinh & Le, arXiv 1806.02847, for the partial
///   evaluation.
public struct WinoGrande: EvaluationTask {
    /// The name on the command line.
    public let name = "winogrande"
    /// The scored file.
    public let files = ["winogrande/validation.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["winogrande/train.jsonl"]
    /// The set has no test split.
    public let sampling = ExampleSampling.randomWithSpare
    /// Accuracy: the scored texts are the same.
    public let metrics: [Metric] = [.acc, .answerBitsPerByte]

    /// The task.
    public init() {}

    /// The sentence up to the gap with each name in it, and the rest.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let sentence = try record.text("sentence").splitAsPython("_")
        guard sentence.count > 1 else { throw RecordError("sentence has no gap _") }
        let rest = sentence.dropFirst().joined(separator: "_").strippedAsPython()
        let options = [try record.text("option1"), try record.text("option2")]
        return TaskDocument(
            .choices(
                questions: options.map { sentence[0] + $0 }, answers: [rest, rest],
                right: [try record.label("answer", below: 2, first: 1)]))
    }
}
