/// TriviaQA without context: a short answer, written by the model, that is one of its aliases.
///
/// Records: `question`, `answer` with `aliases`.
///
/// - SeeAlso: Joshi et al., arXiv 1705.03551.
public struct TriviaQA: EvaluationTask {
    /// The name on the command line.
    public let name = "triviaqa"
    /// The version of the harness's task.
    public let version = "3.0"
    /// The scored file.
    public let files = ["triviaqa/validation.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["triviaqa/train.jsonl"]
    /// The set has no test split.
    public let sampling = ExampleSampling.randomWithSpare
    /// Whether the answer is an alias, but for case and punctuation.
    public let metrics = [
        Metric("exact_match") { request, answer in
            guard case .generation(let writing) = request else { return Metric.Value(.nan) }
            let text = bare((answer.text ?? "").strippedAsPython())
            return Metric.Value(writing.references.contains { bare($0) == text } ? 1 : 0)
        }
    ]

    /// The task.
    public init() {}

    /// A question.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        TaskDocument(
            .generation(
                .init(
                    question: "Question: \(try record.text("question"))?\nAnswer:",
                    until: ["\n", ".", ","],
                    references: try record.part("answer").texts("aliases"))))
    }

    private static let punctuation = Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".unicodeScalars)

    private static func bare(_ text: String) -> String {
        let kept = text.lowercased().unicodeScalars.filter { !punctuation.contains($0) }
        return String(String.UnicodeScalarView(kept))
    }
}
