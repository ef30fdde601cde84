import FalconJSON

/// GPQA: four answers to a question of a doctoral student, in an order that is drawn.
///
/// Records: `Question`, `Correct Answer`, `Incorrect Answer 1` to `3`. The harness shuffles the answers with
/// Python's global generator, which it seeds with 0; here a file begins with that generator, so that scores do
/// not depend on what ran before.
///
/// - SeeAlso: Rein et al., arXiv 2311.12022.
public struct GPQA: EvaluationTask {
    private let part: String

    /// The name on the command line.
    public var name: String { "leaderboard_gpqa_" + part }
    /// The scored file.
    public var files: [String] { ["gpqa/gpqa_\(part).jsonl"] }
    /// The other questions, in their order.
    public let sampling = ExampleSampling.firstOthers
    /// Accuracy after division by the answers' lengths, and bits per byte of the right letter.
    public let metrics: [Metric] = [.accNorm, .answerBitsPerByte]

    /// A part of the set.
    ///
    /// - Parameter part: of `parts`.
    public init(_ part: String) { self.part = part }

    /// The parts, from the smallest.
    public static let parts = ["diamond", "main", "extended"]

    /// A question; the letters are the answers.
    ///
    /// - Parameters:
    ///   - record: one record.
    ///   - random: draws the order of the answers.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(
        from record: Record, random: inout PythonRandom
    ) throws -> TaskDocument {
        let right = try answer(record, "Correct Answer")
        var answers =
            try (1...3).map { try answer(record, "Incorrect Answer \($0)") } + [right]
        random.shuffle(&answers)
        let letters = ["(A)", "(B)", "(C)", "(D)"]
        let lines = zip(letters, answers).map { "\($0) \($1)" }
        let question = try record.text("Question")
        return TaskDocument(
            question: ([
                "What is the correct answer to this question:\(question)", "Choices:",
            ] + lines + ["Answer: "]).joined(separator: "\n"), answers: letters,
            right: answers.firstIndex(of: right) ?? 0)
    }

    /// A question, as the first of its file.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        var random = PythonRandom(seed: 0)
        return try document(from: record, random: &random)
    }

    /// An answer, cleaned as HellaSwag's texts are; a blank for null.
    private func answer(_ record: Record, _ key: String) throws -> String {
        try record.value(key) == .null ? " " : HellaSwag.cleaned(record.text(key))
    }
}
