/// COPA: the more plausible cause or effect.
///
/// Records: `premise`, `question` ("cause" or "effect"), `choice1`, `choice2`, `label` (0 or 1). The harness
/// puts two spaces before an answer.
///
/// - SeeAlso: Roemmele et al., AAAI Spring Symposium 2011; the harness's task is SuperGLUE's.
public struct COPA: EvaluationTask {
    /// The name on the command line.
    public let name = "copa"
    /// The scored file.
    public let files = ["copa/validation.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["copa/train.jsonl"]
    /// The set has no test split.
    public let sampling = ExampleSampling.randomWithSpare
    /// Accuracy.
    public let metrics: [Metric] = [.acc, .answerBitsPerByte]

    /// The task.
    public init() {}

    /// A premise without its full stop, "because" or "therefore", and two ends.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let connectors = ["cause": "because", "effect": "therefore"]
        guard let connector = connectors[try record.text("question")] else {
            throw RecordError("question: want \"cause\" or \"effect\"")
        }
        let premise = try record.text("premise").strippedAsPython().unicodeScalars.dropLast()
        let answers = try ["choice1", "choice2"].map { key in
            let choice = try record.text(key)
            guard let first = choice.unicodeScalars.first else {
                throw RecordError("\(key) is empty")
            }
            let rest = String(String.UnicodeScalarView(choice.unicodeScalars.dropFirst()))
            return " " + String(first).lowercased() + rest
        }
        return TaskDocument(
            question: "\(String(String.UnicodeScalarView(premise))) \(connector)", answers: answers,
            right: try record.label("label", below: 2))
    }
}
