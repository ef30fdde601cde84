import FalconJSON
import FalconRunRecord
import FalconSystem

/// The answer to a document as one line of a samples file, in the fields of lm-evaluation-harness.
struct TaskSample {
    /// The line, without its end.
    let line: String

    /// The line of an answer.
    ///
    /// - Parameters:
    ///   - answer: the answer.
    ///   - index: the document's place in the file.
    ///   - data: the task's documents.
    /// - Throws: errors of the encoder of JSON.
    init(_ answer: ModelAnswer, document index: Int, of data: TaskData) throws {
        let document = data.documents[index]
        let prompts = document.prompts(after: data.prefixes[index])
        let record = String(decoding: data.records[index].bytes, as: UTF8.self)
        let target = document.target
        var fields: [(String, String)] = [
            ("doc_id", "\(index)"),
            ("doc", data.records[index].isObject ? record : try jsonText(["page": record])),
            ("target", try jsonText(target)),
            ("arguments", try Self.arguments(prompts)),
        ]
        let replies = Self.replies(answer)
        fields.append(("resps", try jsonText(replies.map { [$0] })))
        fields.append(("filtered_resps", try jsonText(replies)))
        fields.append(("filter", try jsonText("none")))
        fields.append(("metrics", try jsonText(data.task.metrics.map(\.name))))
        fields.append(("doc_hash", try jsonText(Self.digest(record))))
        fields.append(("prompt_hash", try jsonText(Self.digest(prompts.first?.first ?? ""))))
        fields.append(("target_hash", try jsonText(Self.digest(target))))
        for metric in data.task.metrics {
            let value = metric.value(document.request, answer)
            let text = try jsonText(value.number)
            let isSum = metric.aggregation != .mean && metric.aggregation != .perplexity
            fields.append((metric.name, isSum ? "[\(text), \(Int(value.weight))]" : text))
        }
        let object = "{" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
        line = String(
            decoding: CheckedLine.bytes(ofObject: Array(object.utf8)), as: UTF8.self)
    }

    private static func arguments(_ prompts: [[String]]) throws -> String {
        let parts = try prompts.enumerated().map { place, prompt in
            let texts = try prompt.enumerated().map { "\"arg_\($0)\": \(try jsonText($1))" }
            return "\"gen_args_\(place)\": {\(texts.joined(separator: ", "))}"
        }
        return "{\(parts.joined(separator: ", "))}"
    }

    /// Each reply as texts: a log-likelihood and whether it is the most probable text, or the text written.
    private static func replies(_ answer: ModelAnswer) -> [[String]] {
        if let text = answer.text { return [[text]] }
        return zip(answer.logLikelihoods, answer.isGreedy).map { ["\($0)", $1 ? "True" : "False"] }
    }

    private static func digest(_ text: String) -> String {
        SHA256.hex(of: Array(text.utf8))
    }

    /// Reads the answer of a line back.
    ///
    /// - Parameter bytes: a line that this type wrote.
    /// - Returns: the document's place and the answer; nil for a line that is not as it was written.
    static func answer(from bytes: ArraySlice<UInt8>) -> (document: Int, answer: ModelAnswer)? {
        guard CheckedLine.isIntact(Array(bytes)),
            let sample = try? JSONValue(parsing: Array(bytes)).object,
            let document = sample["doc_id"]?.integer,
            let replies = sample["filtered_resps"]?.array?.map({ $0.array?.map(\.string) })
        else { return nil }
        var answer = ModelAnswer()
        for reply in replies {
            guard let texts = reply as? [String], let first = texts.first else { return nil }
            if texts.count == 1 {
                answer.text = first
            } else if let sum = Double(first) {
                answer.logLikelihoods.append(sum)
                answer.isGreedy.append(texts[1] == "True")
            } else {
                return nil
            }
        }
        return (document, answer)
    }
}

extension TaskDocument {
    /// The arguments of each request, as the harness lists them.
    fileprivate func prompts(after prefix: String) -> [[String]] {
        switch request {
        case .choices, .continuation:
            return pairs(after: prefix).map { [$0.context, $0.continuation] }
        case .rolling(let text, _, _): return [[text]]
        case .generation(let writing): return [[prefix + writing.question]]
        }
    }

    /// The right answer as a text: its place, or itself.
    fileprivate var target: String {
        switch request {
        case .choices(_, _, let right):
            let places = right.sorted()
            return places.count == 1 ? "\(places[0])" : "\(places)"
        case .continuation(_, let text): return text
        case .rolling(let text, _, _): return text
        case .generation(let writing): return writing.example
        }
    }
}
