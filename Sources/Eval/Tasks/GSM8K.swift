/// GSM8K: word problems whose answers are numbers, written by the model.
///
/// Records: `question`, `answer` (the solution, with the number after `#### `).
///
/// - SeeAlso: Cobbe et al., arXiv 2110.14168.
public struct GSM8K: EvaluationTask {
    /// The name on the command line.
    public let name = "gsm8k"
    /// The version of the harness's task.
    public let version = "3.0"
    /// The scored file.
    public let files = ["gsm8k/test.jsonl"]
    /// The file of the examples.
    public let exampleFiles = ["gsm8k/train.jsonl"]
    /// Five.
    public let defaultShots = 5
    /// Whether the number after `#### ` is right, and whether the last number is.
    public let metrics = [
        Metric("exact_match_strict") { request, answer in
            Self.value(request, strictNumber(answer.text ?? ""))
        },
        Metric("exact_match_flexible") { request, answer in
            Self.value(request, lastNumber(answer.text ?? ""))
        },
    ]

    /// The task.
    public init() {}

    /// A problem.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let answer = try record.text("answer")
        guard answer.splitAsPython("#### ").count > 1 else {
            throw RecordError("answer has no \"#### \" with the number behind it")
        }
        return TaskDocument(
            .generation(
                .init(
                    question: "Question: \(try record.text("question"))\nAnswer:",
                    until: ["Question:", "</s>", "<|im_end|>"], references: [answer])))
    }

    private static func value(_ request: TaskDocument.Request, _ number: String) -> Metric.Value {
        guard case .generation(let writing) = request else { return Metric.Value(.nan) }
        return Metric.Value(writing.references.contains { bare($0) == bare(number) } ? 1 : 0)
    }

    private static let invalid = "[invalid]"

    /// The first match of `#### (\-?[0-9\.\,]+)`.
    static func strictNumber(_ text: String) -> String {
        for part in text.splitAsPython("#### ").dropFirst() {
            let sign = part.hasPrefix("-") ? "-" : ""
            let digits = part.dropFirst(sign.count).prefix { "0123456789.,".contains($0) }
            if !digits.isEmpty { return sign + digits }
        }
        return invalid
    }

    /// The last match of `(-?[$0-9.,]{2,})|(-?[0-9]+)`.
    static func lastNumber(_ text: String) -> String {
        let (scalars, digits) = (Array(text.unicodeScalars), "0123456789".unicodeScalars)
        let marks = "$0123456789.,".unicodeScalars
        var (last, index) = (invalid, 0)
        while index < scalars.count {
            let start = index + (scalars[index] == "-" ? 1 : 0)
            let wide = scalars[start...].prefix { marks.contains($0) }
            let narrow = scalars[start...].prefix { digits.contains($0) }
            let match = wide.count >= 2 ? wide : narrow
            if match.isEmpty {
                index += 1
                continue
            }
            last = String(String.UnicodeScalarView(scalars[index..<match.endIndex]))
            index = match.endIndex
        }
        return last
    }

    /// A number without commas, dollar signs, all up to the last `#### ` and a final full stop, in lower case.
    private static func bare(_ text: String) -> String {
        var number = text.replacingAsPython(",", with: "").replacingAsPython("$", with: "")
        number = number.splitAsPython("#### ").last ?? ""
        // An expression's end also matches before a last line break.
        if number.hasSuffix(".\n") {
            number = number.dropLast(2) + "\n"
        } else if number.hasSuffix(".") {
            number = String(number.dropLast())
        }
        return number.lowercased()
    }
}
