#if canImport(Glibc)
    import Glibc
#endif

/// Remembers the tokens of words, until there are too many.
///
/// Words and tokens lie in two lists one after the other; a table of places in them is filled to a half at most, and
/// begins anew then. So no text makes it slow or large.
struct WordCache {
    /// Longer words are not remembered.
    static let longestWord = 64

    private struct Slot {
        var hash: UInt64 = 0
        var word: UInt32 = 0
        var ids: UInt32 = 0
        /// 0: empty.
        var wordCount: UInt16 = 0
        var idCount: UInt16 = 0
    }

    private var slots: [Slot]
    private var words: [UInt32] = []
    private var ids: [Int32] = []
    private var count = 0

    /// A memory for texts of a length.
    init(textCount: Int) {
        // Two places for every eight characters, in powers of two; 2^18 words are more than most languages have.
        var slotCount = 16
        while slotCount < 1 << 19 && slotCount < textCount / 4 { slotCount <<= 1 }
        slots = Array(repeating: Slot(), count: slotCount)
    }

    /// The hash of a word.
    static func hash(of word: UnsafeBufferPointer<UInt32>) -> UInt64 {
        // Two characters at a time, multiplied and folded (constants: odd, from the golden ratio and pi).
        var hash = UInt64(word.count) &* 0x9E37_79B9_7F4A_7C15
        var place = 0
        while place < word.count {
            let high = unsafe place + 1 < word.count ? UInt64(word[place + 1]) << 32 : 0
            unsafe hash = (hash ^ (UInt64(word[place]) | high)) &* 0x517C_C1B7_2722_0A95
            hash ^= hash >> 32
            place += 2
        }
        return hash
    }

    /// Appends the tokens of a word if they are known.
    func append(
        _ word: UnsafeBufferPointer<UInt32>, hash: UInt64, to ids: inout [Int32]
    ) -> Bool {
        let slot = unsafe slots[place(of: word, hash)]
        if slot.wordCount == 0 { return false }
        let first = Int(slot.ids)
        unsafe self.ids.withUnsafeBufferPointer {
            unsafe ids.append(
                contentsOf: UnsafeBufferPointer(
                    rebasing: $0[first..<first + Int(slot.idCount)]))
        }
        return true
    }

    /// Remembers the tokens of a word that is not empty and not known.
    mutating func store(
        _ word: UnsafeBufferPointer<UInt32>, hash: UInt64, ids new: ArraySlice<Int32>
    ) {
        if 2 * count >= slots.count {
            for place in slots.indices { slots[place].wordCount = 0 }
            words.removeAll(keepingCapacity: true)
            ids.removeAll(keepingCapacity: true)
            count = 0
        }
        unsafe slots[place(of: word, hash)] = Slot(
            hash: hash, word: UInt32(words.count), ids: UInt32(ids.count),
            wordCount: UInt16(word.count), idCount: UInt16(new.count))
        unsafe words.append(contentsOf: word)
        ids += new
        count += 1
    }

    /// The slot of a word, or the empty one where it belongs.
    private func place(of word: UnsafeBufferPointer<UInt32>, _ hash: UInt64) -> Int {
        let mask = slots.count - 1
        var place = Int(truncatingIfNeeded: hash) & mask
        while slots[place].wordCount > 0 {
            if slots[place].hash == hash, unsafe holds(word, slots[place]) { break }
            place = (place + 1) & mask
        }
        return place
    }

    private func holds(_ word: UnsafeBufferPointer<UInt32>, _ slot: Slot) -> Bool {
        guard Int(slot.wordCount) == word.count, let first = word.baseAddress else {
            return false
        }
        return unsafe words.withUnsafeBufferPointer { words in
            guard let known = words.baseAddress else { return false }
            return unsafe memcmp(known + Int(slot.word), first, 4 * word.count) == 0
        }
    }
}
