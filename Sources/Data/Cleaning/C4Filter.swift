/// The rules of C4, the Colossal Clean Crawled Corpus, for English text.
///
/// They change texts.
/// A line is kept, without blanks at its ends and without marks such as [3], [edit] and [citation needed], if it ends
/// with a full stop, question mark, exclamation mark or quotation mark but not with three full stops; has at least 3
/// words, none of more than 1,000 characters; and holds neither "javascript" nor words about cookies and terms of use.
/// A document is left out if a line that reaches that rule holds "lorem ipsum" or a curly bracket, or if fewer than 5
/// sentences are left. The list of bad words is not used.
///
/// - SeeAlso: Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", arXiv
///   1910.10683, section 2.2, for the rules; the authors' program (`c4_utils.py` of TensorFlow Datasets) for the order,
///   long words, marks of citations and the words about cookies. That program has 5 words and 3 sentences where the
///   paper has 3 and 5.
enum C4Filter {
    static let leastWords = 3
    static let longestWord = 1000
    static let leastSentences = 5.0

    private static let ends = [".", "?", "!", "\"", "'", "\u{201D}"].map { Array($0.utf8) }
    private static let ellipsis = Array("...".utf8)
    private static let policies = [
        "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies",
        "use cookies",
    ].map { Array($0.utf8) }
    private static let javascript = Array("javascript".utf8)
    private static let loremIpsum = Array("lorem ipsum".utf8)
    private static let citations = ["[edit]", "[citation needed]"].map { Array($0.utf8) }

    /// What becomes of a text.
    enum Outcome: Equatable {
        /// The lines that are kept.
        case kept(String)
        case leftOut(FilterFinding)
    }

    /// Applies the rules.
    static func outcome(for parts: TextParts) -> Outcome {
        var kept: [UInt8] = []
        var sentences = 0
        for line in parts.lines() {
            let words = TextParts.words(of: parts.bytes[line])
            guard let first = words.first, let last = words.last,
                words.allSatisfy({ parts.characters(in: $0) <= longestWord })
            else { continue }
            let bytes = withoutCitations(parts.bytes[first.lowerBound..<last.upperBound])
            guard ends.contains(where: { bytes.suffix($0.count).elementsEqual($0) }),
                !bytes.suffix(ellipsis.count).elementsEqual(ellipsis), words.count >= leastWords
            else { continue }
            let small = bytes.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
            func has(_ phrase: [UInt8]) -> Bool {
                occurrences(of: phrase, in: small) > 0
            }
            if has(loremIpsum) {
                return .leftOut(FilterFinding("c4_lorem_ipsum", 1, "holds \"lorem ipsum\""))
            }
            if has(javascript) { continue }
            if bytes.contains(0x7B) {
                return .leftOut(FilterFinding("c4_curly_bracket", 1, "holds a curly bracket"))
            }
            if policies.contains(where: has) { continue }
            sentences += sentenceCount(of: bytes)
            if !kept.isEmpty { kept.append(0x0A) }
            kept += bytes
        }
        if let finding = FilterFinding.outside(
            leastSentences, .infinity, Double(sentences), low: "c4_few_sentences", high: "",
            "sentences in lines that are kept")
        {
            return .leftOut(finding)
        }
        return .kept(String(decoding: kept, as: UTF8.self))
    }

    /// A line without "[3]", "[]", "[edit]" and "[citation needed]".
    private static func withoutCitations(_ line: ArraySlice<UInt8>) -> [UInt8] {
        guard line.contains(0x5B) else { return Array(line) }
        var kept: [UInt8] = []
        var place = line.startIndex
        while place < line.endIndex {
            if line[place] == 0x5B {
                var end = place + 1
                while end < line.endIndex && line[end] &- 0x30 < 10 { end += 1 }
                if end < line.endIndex && line[end] == 0x5D {
                    place = end + 1
                    continue
                }
                if let mark = citations.first(where: { line[place...].starts(with: $0) }) {
                    place += mark.count
                    continue
                }
            }
            kept.append(line[place])
            place += 1
        }
        return kept
    }

    /// The number of sentences.
    ///
    /// One ends with a full stop, question mark or exclamation mark, perhaps followed by quotation marks and brackets,
    /// before a blank or the line's end. A rest without one is a sentence too.
    private static func sentenceCount(of line: [UInt8]) -> Int {
        var count = 0
        var isInSentence = false
        for word in TextParts.words(of: line[...]) {
            isInSentence = true
            var end = word.upperBound
            closing: while end > word.lowerBound {
                switch line[end - 1] {
                case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: ")"), UInt8(ascii: "]"):
                    end -= 1
                case 0x9D where end - word.lowerBound >= 3 && line[end - 3] == 0xE2: end -= 3
                default: break closing
                }
            }
            if end > word.lowerBound, [0x2E, 0x3F, 0x21].contains(line[end - 1]) {
                count += 1
                isInSentence = false
            }
        }
        return count + (isInSentence ? 1 : 0)
    }
}
