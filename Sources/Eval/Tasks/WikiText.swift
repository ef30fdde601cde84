/// The perplexity of WikiText-2's pages, detokenized, by the words and bytes of the original pages.
///
/// Records: `page`; or the raw text of the split, which is cut at first-level headings.
///
/// - SeeAlso: Merity et al., arXiv 1609.07843.
public struct WikiText: EvaluationTask {
    /// The name on the command line.
    public let name = "wikitext"
    /// The version of the harness's task.
    public let version = "2.0"
    /// False.
    public let takesExamples = false
    /// The scored file.
    public let files = ["wikitext/test.jsonl", "wikitext/wiki.test.raw", "wikitext2/wiki.test.raw"]
    /// Perplexities of words and bytes.
    public let metrics: [Metric] = [.wordPerplexity, .bytePerplexity, .bitsPerByte]

    /// The task.
    public init() {}

    /// The lines of JSON, or the pages of a raw text.
    ///
    /// - Parameter bytes: the file.
    /// - Returns: each record.
    public func records(in bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        let first = bytes.first { $0 != 0x20 && $0 != 0x0A }
        if first == UInt8(ascii: "{") { return bytes.split(separator: 0x0A) }
        return Self.pages(of: bytes)
    }

    /// A page.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let page =
            record.isObject
            ? try record.text("page") : String(decoding: record.bytes, as: UTF8.self)
        return TaskDocument(
            .rolling(
                text: Detokenizer.wikiText(page), words: Self.wordCount(page),
                bytes: page.utf8.count))
    }

    /// The parts of a text between runs of white space; empty parts at the ends count.
    static func wordCount(_ text: String) -> Int {
        var (count, isInSpace) = (1, false)
        for scalar in text.unicodeScalars {
            if scalar.isPythonSpace {
                if !isInSpace { count += 1 }
                isInSpace = true
            } else {
                isInSpace = false
            }
        }
        return count
    }

    /// The pages of a raw text: each begins at a line " = Heading = ".
    private static func pages(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var pages: [ArraySlice<UInt8>] = []
        var (start, line) = (0, 0)
        func end(at place: Int) {
            // The line break before the next page belongs to neither.
            let page = bytes[start..<max(start, place)]
            if !String(decoding: page, as: UTF8.self).strippedAsPython().isEmpty {
                pages.append(page)
            }
        }
        while line < bytes.count {
            let next = bytes[line...].firstIndex(of: 0x0A) ?? bytes.count
            if isHeading(String(decoding: bytes[line..<next], as: UTF8.self)) {
                end(at: line - 1)
                start = line
            }
            line = next + 1
        }
        end(at: bytes.count)
        return pages
    }

    private static func isHeading(_ line: String) -> Bool {
        let text = line.replacingAsPython("= = =", with: "===").replacingAsPython("= =", with: "==")
            .strippedAsPython()
        return text.hasPrefix("= ") && text.hasSuffix(" =")
    }
}
