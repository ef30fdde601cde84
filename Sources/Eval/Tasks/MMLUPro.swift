/// MMLU-Pro: up to ten answers with letters, of which the letter is scored; five examples, the first ones.
///
/// Records: `question`, `options`, `answer` (a letter).
///
/// - SeeAlso: Wang et al., arXiv 2406.01574.
public struct MMLUPro: EvaluationTask {
    /// The name on the command line.
    public let name = "leaderboard_mmlu_pro"
    /// The version of the harness's task.
    public let version = "0.1"
    /// The scored file.
    public let files = ["mmlu_pro/test.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["mmlu_pro/validation.jsonl"]
    /// In their order.
    public let sampling = ExampleSampling.firstN
    /// Five.
    public let defaultShots = 5
    /// Accuracy, and bits per byte of the letter.
    public let metrics: [Metric] = [.acc, .answerBitsPerByte]

    /// The task.
    public init() {}

    /// A question with its answers.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let options = try record.texts("options")
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".map(String.init)
        guard options.count <= alphabet.count else {
            throw RecordError("options has \(options.count) texts, want at most 26")
        }
        let letters = Array(alphabet.prefix(options.count))
        let answer = try record.text("answer")
        guard let right = letters.firstIndex(of: answer) else {
            throw RecordError("answer is \"\(answer)\", want one of \(letters)")
        }
        let lines = zip(letters, options).map { "\($0). \($1)" }
        return TaskDocument(
            question: ([try record.text("question")] + lines + ["Answer:"])
                .joined(separator: "\n"), answers: letters, right: right)
    }
}
