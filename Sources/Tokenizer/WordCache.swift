/// Remembers the tokens of words; a new word takes the place of an old one.
///
/// Each word has one place, chosen by a hash, so that no text makes it slow or large.
struct WordCache {
    /// Longer words are not remembered.
    static let longestWord = 64

    private var words: [(scalars: [UInt32], ids: [Int32])]
    private let mask: Int

    /// A memory for texts of a length.
    init(textCount: Int) {
        // A word for every eight characters, in powers of two; 2^16 words are most of a language.
        var count = 16
        while count < 1 << 16 && count < textCount / 8 { count <<= 1 }
        words = Array(repeating: ([], []), count: count)
        mask = count - 1
    }

    /// The place of a word.
    func slot(of text: [UInt32], _ start: Int, _ end: Int) -> Int {
        // FNV-1a over characters; the upper bits depend on all of them.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for place in start..<end { hash = (hash ^ UInt64(text[place])) &* 0x100_0000_01b3 }
        return Int(truncatingIfNeeded: (hash ^ hash >> 32) & UInt64(mask))
    }

    /// Appends the tokens of a word if they are known.
    func append(
        slot: Int, _ text: [UInt32], _ start: Int, _ end: Int, to ids: inout [Int32]
    ) -> Bool {
        guard words[slot].scalars.count == end - start else { return false }
        var place = start
        for scalar in words[slot].scalars {
            guard text[place] == scalar else { return false }
            place += 1
        }
        ids += words[slot].ids
        return true
    }

    /// Remembers the tokens of a word that is not empty.
    mutating func store(slot: Int, scalars: ArraySlice<UInt32>, ids: ArraySlice<Int32>) {
        words[slot] = (Array(scalars), Array(ids))
    }
}
