/// Counts of words, which are bytes.
///
/// What it holds is a function of the words that were added, not of their order.
struct WordCounts: Sendable {
    /// A place of the table.
    private struct Slot: Sendable {
        var hash: UInt32 = 0
        var block: UInt32 = 0
        var offset: UInt32 = 0
        /// Bytes of the word; 0 for an empty place.
        var size: UInt32 = 0
        var count = 0

        /// The place in the block.
        var range: Range<Int> { Int(offset)..<Int(offset) + Int(size) }
    }

    private static let blockBytes = 1 << 20

    private var slots: [Slot]
    // Words lie in blocks, which are never moved: growing copies the table alone.
    private var blocks: [[UInt8]] = []
    private var wordBytes = 0
    /// Different words.
    private(set) var wordCount = 0

    /// No words.
    init() { slots = Array(repeating: Slot(), count: 1 << 10) }

    /// Bytes of memory, but for what the blocks have left.
    var byteCount: Int { slots.count * MemoryLayout<Slot>.stride + wordBytes }

    /// Adds to the count of a word.
    ///
    /// - Parameters:
    ///   - word: 1 to 2^32 - 1 bytes.
    ///   - count: the times that it was seen, at least 1.
    mutating func add(_ word: Span<UInt8>, count: Int = 1) {
        let hash = Self.hash(word)
        var place = Int(hash) & (slots.count - 1)
        while slots[place].size > 0 {
            if slots[place].hash == hash && isWord(slots[place], word) {
                slots[place].count += count
                return
            }
            place = (place + 1) & (slots.count - 1)
        }
        if 2 * (wordCount + 1) > slots.count {
            resize(2 * slots.count)
            place = Int(hash) & (slots.count - 1)
            while slots[place].size > 0 { place = (place + 1) & (slots.count - 1) }
        }
        if blocks.isEmpty || blocks[blocks.count - 1].count + word.count > Self.blockBytes {
            var block: [UInt8] = []
            block.reserveCapacity(max(Self.blockBytes, word.count))
            blocks.append(block)
        }
        let last = blocks.count - 1
        slots[place] = Slot(
            hash: hash, block: UInt32(last), offset: UInt32(blocks[last].count),
            size: UInt32(word.count), count: count)
        for index in word.indices { blocks[last].append(word[index]) }
        wordBytes += word.count
        wordCount += 1
    }

    /// Calls a closure with every word, in any order.
    func forEach(_ body: (_ word: Span<UInt8>, _ count: Int) -> Void) {
        for slot in slots where slot.size > 0 {
            let block = blocks[Int(slot.block)]
            body(block.span.extracting(slot.range), slot.count)
        }
    }

    /// Adds the counts of others.
    mutating func add(_ other: WordCounts) {
        other.forEach { add($0, count: $1) }
    }

    /// Forgets the rarest words, all of one count or none, until little more than half of the room is taken.
    ///
    /// - Parameter byteLimit: the room, in bytes.
    /// - Returns: the number of words forgotten.
    mutating func forgetRarest(beyond byteLimit: Int) -> Int {
        guard byteCount > byteLimit else { return 0 }
        var bytesOfCount: [Int: Int] = [:]
        // A place of the table is taken by two words at most.
        let ownBytes = 2 * MemoryLayout<Slot>.stride
        for slot in slots where slot.size > 0 {
            bytesOfCount[slot.count, default: 0] += Int(slot.size) + ownBytes
        }
        var kept = 0
        var rarest = Int.max
        for (count, bytes) in bytesOfCount.sorted(by: { $0.key > $1.key }) {
            kept += bytes
            if kept > byteLimit / 2 { break }
            rarest = count
        }
        var left = WordCounts()
        forEach { if $1 >= rarest { left.add($0, count: $1) } }
        defer { self = left }
        return wordCount - left.wordCount
    }

    private func isWord(_ slot: Slot, _ word: Span<UInt8>) -> Bool {
        guard Int(slot.size) == word.count else { return false }
        let block = blocks[Int(slot.block)]
        let known = block.span.extracting(slot.range)
        for index in word.indices where known[index] != word[index] { return false }
        return true
    }

    private mutating func resize(_ count: Int) {
        var larger = [Slot](repeating: Slot(), count: count)
        for slot in slots where slot.size > 0 {
            var place = Int(slot.hash) & (count - 1)
            while larger[place].size > 0 { place = (place + 1) & (count - 1) }
            larger[place] = slot
        }
        slots = larger
    }

    /// FNV-1a with 64 bits, folded.
    private static func hash(_ word: Span<UInt8>) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in word.indices { hash = (hash ^ UInt64(word[index])) &* 0x100_0000_01B3 }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
