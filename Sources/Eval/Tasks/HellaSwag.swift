/// HellaSwag.
///
/// Records: `activity_label`, `ctx_a`, `ctx_b`, `endings` (four) and `label` ("0" to "3", or the
/// number).
///
/// - SeeAlso: Zellers et al., arXiv 1905.07830.
public struct HellaSwag: EvaluationTask {
    /// The name on the command line.
    public let name = "hellaswag"
    /// The scored file.
    public let files = ["hellaswag/validation.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["hellaswag/train.jsonl"]
    /// The set has no test split.
    public let sampling = ExampleSampling.randomWithSpare

    /// The task.
    public init() {}

    /// The start of a description and its four ends.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let endings = try record.texts("endings")
        let right = try record.label("label", below: endings.count)
        let question =
            try record.text("activity_label") + ": " + record.text("ctx_a") + " "
            + record.text("ctx_b").capitalizedAsPython()
        return TaskDocument(
            question: Self.cleaned(question), answers: endings.map(Self.cleaned), right: right)
    }

    /// Strips, turns the mark for titles into a full stop, deletes bracketed marks, folds pairs of spaces once.
    static func cleaned(_ text: String) -> String {
        let titled = text.strippedAsPython().replacingAsPython(" [title]", with: ". ")
        let kept = withoutBrackets(Array(titled.unicodeScalars))
        return String(String.UnicodeScalarView(kept)).replacingAsPython("  ", with: " ")
    }

    /// Deletes every `[…]` within a line, shortest match first.
    private static func withoutBrackets(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        var index = 0
        while index < scalars.count {
            if scalars[index] == "[",
                let end = scalars[index...].firstIndex(where: { $0 == "]" || $0 == "\n" }),
                scalars[end] == "]"
            {
                index = end + 1
            } else {
                result.append(scalars[index])
                index += 1
            }
        }
        return result
    }
}
