/// LAMBADA in OpenAI's version: the last word of a passage.
///
/// Records: `text`; or `context` and `continuation`. Texts are split at spaces only, so that a line break
/// counts as part of a word.
///
/// - SeeAlso: Paperno et al., arXiv 1606.06031.
public struct Lambada: EvaluationTask {
    /// The name on the command line.
    public let name = "lambada_openai"
    /// The scored file.
    public let files = ["lambada_openai/test.jsonl"]
    /// Whether all tokens of the word are the most probable ones, and the perplexity of the words.
    public let metrics: [Metric] = [.greedyAcc, .perplexity, .answerBitsPerByte]

    /// The task.
    public init() {}

    /// A passage and its last word.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        if try record.has("continuation") {
            return TaskDocument(
                .continuation(
                    context: try record.text("context"),
                    text: " " + (try record.text("continuation"))))
        }
        let words = try record.text("text").splitAsPython(" ")
        return TaskDocument(
            .continuation(
                context: words.dropLast().joined(separator: " "), text: " " + (words.last ?? "")))
    }
}
