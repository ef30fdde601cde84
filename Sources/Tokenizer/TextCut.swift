/// A text in parts of about a mebibyte whose tokens are those of the whole, so that the memory for cutting
/// it into words does not grow with it.
///
/// A part begins with a space behind a visible character of the ASCII.
struct TextCut: Sequence, IteratorProtocol {
    private let partBytes: Int
    private var rest: Substring.UTF8View
    private let isCutBeforeSpaces: Bool

    /// - Parameters:
    ///   - text: any text.
    ///   - isCutBeforeSpaces: whether it may be cut at all.
    ///   - partBytes: bytes of a part, at least.
    init(_ text: String, isCutBeforeSpaces: Bool, partBytes: Int = 1 << 20) {
        self.partBytes = partBytes
        rest = text[...].utf8
        self.isCutBeforeSpaces = isCutBeforeSpaces
    }

    /// The characters of the next part, at least one.
    mutating func next() -> [UInt32]? {
        guard !rest.isEmpty else { return nil }
        var end = rest.endIndex
        if isCutBeforeSpaces,
            var place = rest.index(
                rest.startIndex, offsetBy: partBytes, limitedBy: rest.endIndex)
        {
            var before: UInt8 = 0
            while place < end {
                let byte = rest[place]
                if byte == 0x20 && (0x21...0x7E).contains(before) { break }
                before = byte
                rest.formIndex(after: &place)
            }
            end = place
        }
        let part = Self.scalars(of: rest[..<end])
        rest = rest[end...]
        return part
    }

    /// The characters of a text, several times faster than its `unicodeScalars`.
    private static func scalars(of text: Substring.UTF8View) -> [UInt32] {
        let scalars = unsafe text.withContiguousStorageIfAvailable { bytes in
            unsafe [UInt32](unsafeUninitializedCapacity: bytes.count) { scalars, count in
                var place = 0
                while place < bytes.count {
                    let byte = unsafe UInt32(bytes[place])
                    // A text is valid: behind its first byte a character has as many as that says.
                    let more = byte < 0x80 ? 0 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3
                    var scalar = more == 0 ? byte : byte & (0x3F >> UInt32(more))
                    for next in 0..<more {
                        scalar = unsafe scalar << 6 | UInt32(bytes[place + 1 + next]) & 0x3F
                    }
                    unsafe scalars[count] = scalar
                    count += 1
                    place += 1 + more
                }
            }
        }
        return scalars ?? Substring(text).unicodeScalars.map(\.value)
    }

    /// Whether a tokenizer's ids of a text are those of such parts, one after the other.
    ///
    /// No token that is found by its whole text may hold a space behind its first character, and no word
    /// may: because a pattern cuts there, or because no token of the vocabulary reaches across.
    ///
    /// `added` are the texts of the tokens that are found whole.
    static func isBeforeSpaces(
        _ normalizer: TextNormalizer, _ preTokenizer: PreTokenizer, _ model: BytePairModel,
        _ added: [[UInt32]]
    ) -> Bool {
        let space = normalizer.normalized([0x20], isContinued: true)
        guard space.count == 1,
            !added.contains(where: { $0.dropFirst().contains { $0 == 0x20 || $0 == space[0] } })
        else { return false }
        for case .replacement(let pattern, _) in normalizer.steps
        where pattern.count > 1 && pattern.contains(0x20) {
            return false
        }
        var isCovered = false
        for case .split(let pattern) in preTokenizer.steps {
            if case .literal(let text) = pattern, text.count > 1,
                text.contains(where: { $0 == 0x20 || $0 == space[0] })
            {
                return false
            }
            if pattern.coversEverything {
                // A character that stands for a space is a symbol like others to a pattern.
                guard space[0] == 0x20 else { return false }
                isCovered = true
            }
        }
        if isCovered { return true }
        // The characters of bytes are others than those of the text.
        guard !preTokenizer.mapsBytes else { return false }
        return model.entries.allSatisfy { text, _ in
            let characters = text.unicodeScalars.drop { $0.value == space[0] }
            return !characters.contains { $0.value == space[0] }
        }
    }
}
