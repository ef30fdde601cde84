/// The repetition rules of Gopher's data.
///
/// Words are runs without blanks; lines stand between line feeds, paragraphs between two or more; empty ones do not
/// count. All lengths are characters, as shares of the text's. A document is left out if
///
/// - 30 % of its paragraphs or lines, or paragraphs or lines with 20 % of its characters, stand in it before;
/// - its most frequent run of 2, 3 or 4 words, blanks between them included, makes up 20, 18 or 16 %;
/// - runs of 5, 6, 7, 8, 9 or 10 words that stand in it before make up 15, 14, 13, 12, 11 or 10 %.
///
/// Each limit must be exceeded. Of runs that overlap, each character counts once.
///
/// - SeeAlso: Rae et al., arXiv 2112.11446, appendix A.1.1, "Repetition Removal", and table A1.
enum GopherRepetition {
    static let duplicateParagraphs = 0.3
    static let duplicateParagraphCharacters = 0.2
    static let duplicateLines = 0.3
    static let duplicateLineCharacters = 0.2
    static let topRuns = [(2, 0.20), (3, 0.18), (4, 0.16)]
    static let duplicateRuns = [(5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)]

    /// The first rule that a text breaks; nil if none.
    static func finding(in parts: TextParts) -> FilterFinding? {
        let characters = Double(max(1, parts.characters))
        for (least, name, countLimit, characterLimit) in [
            (2, "paragraph", duplicateParagraphs, duplicateParagraphCharacters),
            (1, "line", duplicateLines, duplicateLineCharacters),
        ] {
            let pieces = parts.pieces(betweenLineFeeds: least)
            let (count, length) = duplicates(of: pieces, in: parts)
            if let finding = FilterFinding.above(
                countLimit, Double(count) / Double(max(1, pieces.count)),
                "gopher_repetition_\(name)s", "\(name)s that stand there before")
                ?? .above(
                    characterLimit, Double(length) / characters,
                    "gopher_repetition_\(name)_characters",
                    "characters in \(name)s that stand there before")
            {
                return finding
            }
        }
        let hashes = parts.words.map { hash(of: parts.bytes[$0]) }
        var ends = [0]
        for word in parts.words { ends.append(ends[ends.count - 1] + parts.characters(in: word)) }
        for (length, limit) in topRuns where hashes.count >= length {
            let share = Double(topRun(of: length, hashes, ends)) / characters
            if let finding = FilterFinding.above(
                limit, share, "gopher_repetition_top_\(length)_words",
                "characters in the most frequent run of \(length) words")
            {
                return finding
            }
        }
        for (length, limit) in duplicateRuns where hashes.count >= length {
            let share = Double(duplicateRun(of: length, hashes, ends)) / characters
            if let finding = FilterFinding.above(
                limit, share, "gopher_repetition_\(length)_words",
                "characters in runs of \(length) words that stand there before")
            {
                return finding
            }
        }
        return nil
    }

    /// The number and the characters of pieces that stand before.
    private static func duplicates(
        of pieces: [Range<Int>], in parts: TextParts
    ) -> (count: Int, characters: Int) {
        var seen: Set<UInt64> = []
        var (count, characters) = (0, 0)
        for piece in pieces where !seen.insert(hash(of: parts.bytes[piece])).inserted {
            count += 1
            characters += parts.characters(in: piece)
        }
        return (count, characters)
    }

    /// Characters in all places of the most frequent run; of several the first.
    private static func topRun(of length: Int, _ hashes: [UInt64], _ ends: [Int]) -> Int {
        var counts: [UInt64: (count: Int, first: Int)] = [:]
        let runs = WordHashes.runs(of: hashes, length: length)
        for (place, run) in runs.enumerated() { counts[run, default: (0, place)].count += 1 }
        let top = counts.values.max { ($0.count, $1.first) < ($1.count, $0.first) }
        guard let top else { return 0 }
        return top.count * (ends[top.first + length] - ends[top.first] + length - 1)
    }

    /// Characters in runs that stand before; one that does is passed over whole.
    private static func duplicateRun(of length: Int, _ hashes: [UInt64], _ ends: [Int]) -> Int {
        let runs = WordHashes.runs(of: hashes, length: length)
        var seen: Set<UInt64> = []
        var characters = 0
        var place = 0
        while place < runs.count {
            if seen.insert(runs[place]).inserted {
                place += 1
            } else {
                characters += ends[place + length] - ends[place]
                place += length
            }
        }
        return characters
    }

    private static func hash(of bytes: ArraySlice<UInt8>) -> UInt64 {
        // FNV-1a; wrapping is meant.
        WordHashes.mixed(
            bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    }
}
