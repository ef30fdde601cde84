/// The bytes of a text, with the words and lines that rules count.
///
/// A word is a run without blanks; blanks and line breaks are Unicode's, as in Python's `split` and `splitlines`.
/// Lengths are counted in characters, Unicode scalars.
struct TextParts {
    let bytes: [UInt8]
    /// Where words begin and end.
    let words: [Range<Int>]

    init(_ text: String) {
        bytes = Array(text.utf8)
        words = Self.words(of: bytes[...])
    }

    /// Characters of a part.
    func characters(in range: Range<Int>) -> Int {
        var count = 0
        for place in range where bytes[place] & 0xC0 != 0x80 { count += 1 }
        return count
    }

    /// Characters of all.
    var characters: Int { characters(in: bytes.indices) }

    /// The runs without blanks.
    static func words(of bytes: ArraySlice<UInt8>) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start = -1
        var place = bytes.startIndex
        while place < bytes.endIndex {
            let blank = blankLength(bytes, at: place)
            if blank > 0 {
                if start >= 0 { words.append(start..<place) }
                start = -1
                place += blank
            } else {
                if start < 0 { start = place }
                place += 1
            }
        }
        if start >= 0 { words.append(start..<bytes.endIndex) }
        return words
    }

    /// The lines without their ends; an end at the very end begins none.
    func lines() -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var (start, place) = (0, 0)
        while place < bytes.count {
            let length = lineEndLength(at: place)
            if length == 0 {
                place += 1
                continue
            }
            lines.append(start..<place)
            place += length
            start = place
        }
        if start < bytes.count { lines.append(start..<bytes.count) }
        return lines
    }

    /// What stands between runs of at least some line feeds, the empty left out.
    func pieces(betweenLineFeeds least: Int) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var (start, place) = (0, 0)
        while place < bytes.count {
            var end = place
            while end < bytes.count && bytes[end] == 0x0A { end += 1 }
            if end - place >= least {
                if start < place { pieces.append(start..<place) }
                start = end
            }
            place = max(end, place + 1)
        }
        if start < bytes.count { pieces.append(start..<bytes.count) }
        return pieces
    }

    /// A part without blanks at its ends.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        let words = Self.words(of: bytes[range])
        guard let first = words.first, let last = words.last else {
            return range.lowerBound..<range.lowerBound
        }
        return first.lowerBound..<last.upperBound
    }

    /// Whether a part ends with some bytes.
    func ends(_ range: Range<Int>, with ending: [UInt8]) -> Bool {
        range.count >= ending.count && bytes[range].suffix(ending.count).elementsEqual(ending)
    }

    /// Bytes of the line end at a place; 0 if there is none.
    private func lineEndLength(at place: Int) -> Int {
        func byte(_ offset: Int) -> UInt8 {
            place + offset < bytes.count ? bytes[place + offset] : 0
        }
        switch bytes[place] {
        case 0x0D: return byte(1) == 0x0A ? 2 : 1
        case 0x0A...0x0C, 0x1C...0x1E: return 1
        case 0xC2: return byte(1) == 0x85 ? 2 : 0
        case 0xE2: return byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9) ? 3 : 0
        default: return 0
        }
    }

    /// Bytes of the blank at a place; 0 if there is none.
    private static func blankLength(_ bytes: ArraySlice<UInt8>, at place: Int) -> Int {
        let first = bytes[place]
        if first < 0x80 {
            return first == 0x20 || first &- 0x09 < 5 || first &- 0x1C < 4 ? 1 : 0
        }
        func byte(_ offset: Int) -> UInt8 {
            place + offset < bytes.endIndex ? bytes[place + offset] : 0
        }
        switch (first, byte(1), byte(2)) {
        case (0xC2, 0x85, _), (0xC2, 0xA0, _): return 2
        case (0xE1, 0x9A, 0x80), (0xE2, 0x80, 0x80...0x8A), (0xE2, 0x80, 0xA8...0xA9),
            (0xE2, 0x80, 0xAF), (0xE2, 0x81, 0x9F), (0xE3, 0x80, 0x80):
            return 3
        default: return 0
        }
    }
}
