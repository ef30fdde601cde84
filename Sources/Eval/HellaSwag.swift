import FalconJSON

/// HellaSwag, validation split, zero-shot, as lm-evaluation-harness scores it.
///
/// The file has one JSON object per line with `activity_label`, `ctx_a`, `ctx_b`, `endings` (four)
/// and `label` ("0" to "3", or the number).
///
/// - SeeAlso: Zellers et al., arXiv 1905.07830.
public struct HellaSwag: MultipleChoiceTask {
    private struct BadRecord: Error, CustomStringConvertible {
        let description: String
    }

    /// The name on the command line.
    public let name = "hellaswag"
    /// The file below the data folder.
    public let file = "hellaswag/validation.jsonl"

    /// The task.
    public init() {}

    /// Builds the harness's context and continuations from one record.
    ///
    /// - Parameter line: one JSON object.
    /// - Returns: the item.
    /// - Throws: an error that names the problem with the record.
    public func item(from line: [UInt8]) throws -> MultipleChoiceItem {
        guard let record = try JSONValue(parsing: line).object else {
            throw BadRecord(description: "want a JSON object")
        }
        func text(_ key: String) throws -> String {
            guard let text = record[key]?.string else {
                throw BadRecord(
                    description: "\(key) is \(record[key]?.kindName ?? "missing"), want a text")
            }
            return text
        }
        guard let texts = record["endings"]?.array?.map(\.string) as? [String] else {
            throw BadRecord(description: "endings: want a list of texts")
        }
        // A text in the published files, a number in others.
        let label = record["label"]?.integer ?? record["label"]?.string.flatMap { Int($0) }
        guard let label, texts.indices.contains(label) else {
            throw BadRecord(
                description:
                    "label is \(record["label"]?.serialized() ?? "missing"), want a number "
                    + "below \(texts.count)")
        }
        let context = Self.cleaned(
            try text("activity_label") + ": " + text("ctx_a") + " "
                + Self.capitalized(text("ctx_b")))
        let endings = texts.map(Self.cleaned)
        return MultipleChoiceItem(
            context: context, continuations: endings.map { " " + $0 },
            lengths: endings.map { $0.unicodeScalars.count }, gold: label)
    }

    /// Python's `str.capitalize`: the first character in title case, the rest in lower case.
    static func capitalized(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return text }
        return first.properties.titlecaseMapping
            + String(String.UnicodeScalarView(text.unicodeScalars.dropFirst())).lowercased()
    }

    /// Strips, turns the mark for titles into a full stop, deletes bracketed marks, folds pairs of spaces once.
    static func cleaned(_ text: String) -> String {
        var scalars = Array(text.unicodeScalars)[...]
        while scalars.first?.properties.isWhitespace == true { scalars.removeFirst() }
        while scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
        let title = Array(" [title]".unicodeScalars)
        var replaced: [Unicode.Scalar] = []
        var rest = scalars
        while let first = rest.first {
            if rest.starts(with: title) {
                replaced += [".", " "]
                rest = rest.dropFirst(title.count)
            } else {
                replaced.append(first)
                rest = rest.dropFirst()
            }
        }
        var folded = String.UnicodeScalarView()
        var kept = withoutBrackets(replaced)[...]
        while let first = kept.first {
            folded.append(first)
            kept = kept.dropFirst(first == " " && kept.dropFirst().first == " " ? 2 : 1)
        }
        return String(folded)
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
