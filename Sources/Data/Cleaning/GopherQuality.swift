import FalconSystem

/// The quality rules of Gopher's data, for English text.
///
/// Words are runs without blanks. One without a letter or digit is a symbol: it counts in no rule but the shares of
/// words. A document is left out
///
/// - with fewer than 50 or more than 100,000 words,
/// - with a mean length of words outside 3 to 10 characters,
/// - with more than 0.1 `#`, or more than 0.1 ellipses, a word,
/// - if more than 90 % of its lines begin with a bullet, or more than 30 % end with an ellipsis,
/// - if less than 80 % of its words hold a letter,
/// - with fewer than two of the words the, be, to, of, and, that, have, with.
///
/// - SeeAlso: Rae et al., "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", arXiv
///   2112.11446, appendix A.1.1, "Quality Filtering". What a word or a bullet is, it leaves open; bullets are those
///   of Hugging Face's datatrove, and lines without text count as there.
enum GopherQuality {
    static let words = 50.0...100_000.0
    static let meanLength = 3.0...10.0
    static let symbolsAWord = 0.1
    static let bulletLines = 0.9
    static let ellipsisLines = 0.3
    static let wordsWithLetter = 0.8
    static let stopWords: [[UInt8]] = ["the", "be", "to", "of", "and", "that", "have", "with"].map {
        Array($0.utf8)
    }
    static let stopWordCount = 2.0

    private static let ellipses: [[UInt8]] = [Array("...".utf8), Array("\u{2026}".utf8)]
    private static let bullets: [[UInt8]] = [Array("-".utf8), Array("\u{2022}".utf8)]

    /// The first rule that a text breaks; nil if none.
    static func finding(in parts: TextParts) -> FilterFinding? {
        var (wordCount, length, withLetter) = (0, 0, 0)
        var stopWordsFound: Set<Int> = []
        for word in parts.words {
            let kind = kind(of: word, in: parts)
            if kind.hasLetter { withLetter += 1 }
            guard kind.isWord else { continue }
            wordCount += 1
            length += parts.characters(in: word)
            if let found = stopWord(word, in: parts) { stopWordsFound.insert(found) }
        }
        func share(_ count: Int, of all: Int) -> Double { Double(count) / Double(max(1, all)) }
        if let finding = FilterFinding.outside(
            words.lowerBound, words.upperBound, Double(wordCount),
            low: "gopher_quality_few_words", high: "gopher_quality_many_words", "words")
            ?? .outside(
                meanLength.lowerBound, meanLength.upperBound, share(length, of: wordCount),
                low: "gopher_quality_short_words", high: "gopher_quality_long_words",
                "characters a word")
            ?? .above(
                symbolsAWord,
                share(occurrences(of: [0x23], in: parts.bytes), of: parts.words.count),
                "gopher_quality_hashes", "# a word")
            ?? .above(
                symbolsAWord,
                share(
                    ellipses.reduce(0) { $0 + occurrences(of: $1, in: parts.bytes) },
                    of: parts.words.count), "gopher_quality_ellipses", "ellipses a word")
        {
            return finding
        }
        let lines = parts.lines()
        var (bulletCount, ellipsisCount) = (0, 0)
        for line in lines {
            let line = parts.trimmed(line)
            if bullets.contains(where: { parts.bytes[line].starts(with: $0) }) { bulletCount += 1 }
            if ellipses.contains(where: { parts.ends(line, with: $0) }) { ellipsisCount += 1 }
        }
        if let finding = FilterFinding.above(
            bulletLines, share(bulletCount, of: lines.count), "gopher_quality_bullet_lines",
            "lines that begin with a bullet")
            ?? .above(
                ellipsisLines, share(ellipsisCount, of: lines.count),
                "gopher_quality_ellipsis_lines", "lines that end with an ellipsis")
        {
            return finding
        }
        let letters = share(withLetter, of: parts.words.count)
        if letters < wordsWithLetter {
            return FilterFinding(
                "gopher_quality_letters", letters,
                "words with a letter: \(decimal(letters, places: 3)), want 0.80 or more")
        }
        return .outside(
            stopWordCount, .infinity, Double(stopWordsFound.count),
            low: "gopher_quality_stop_words", high: "", "of the 8 stop words")
    }

    /// Whether a word holds a letter, and whether it holds a letter or digit.
    private static func kind(
        of word: Range<Int>, in parts: TextParts
    ) -> (hasLetter: Bool, isWord: Bool) {
        var hasDigit = false
        var isASCII = true
        for byte in parts.bytes[word] {
            if (byte | 0x20) &- 0x61 < 26 { return (true, true) }
            if byte &- 0x30 < 10 { hasDigit = true }
            if byte >= 0x80 { isASCII = false }
        }
        if isASCII { return (false, hasDigit) }
        for scalar in String(decoding: parts.bytes[word], as: UTF8.self).unicodeScalars {
            if scalar.properties.isAlphabetic { return (true, true) }
            if scalar.properties.numericType != nil { hasDigit = true }
        }
        return (false, hasDigit)
    }

    /// Which stop word a word is, its case and the marks around it aside.
    private static func stopWord(_ word: Range<Int>, in parts: TextParts) -> Int? {
        func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte >= 0x80 }
        var range = word
        while let first = range.first, !isLetter(parts.bytes[first]) { range.removeFirst() }
        while let last = range.last, !isLetter(parts.bytes[last]) { range.removeLast() }
        guard (2...4).contains(range.count) else { return nil }
        return stopWords.firstIndex { stop in
            stop.count == range.count
                && zip(stop, parts.bytes[range]).allSatisfy { $0 == $1 | 0x20 }
        }
    }
}
