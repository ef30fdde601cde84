/// The count of every pair of neighbouring tokens, with a number for each pair.
struct PairCounts {
    // Numbers of pairs plus one; 0 for an empty place.
    private var slots = [UInt32](repeating: 0, count: 1 << 12)
    /// The pairs in the order in which they were first seen: the left token above the right one's 32 bits.
    private(set) var keys: [UInt64] = []
    /// The count of each pair.
    var counts: [Int] = []

    /// The number of a pair, which is added with a count of 0 if it is new.
    ///
    /// - Parameter key: the left token's id, shifted by 32 bits, and the right one's.
    /// - Returns: the place of the pair in `keys` and `counts`.
    mutating func index(of key: UInt64) -> Int {
        var place = Self.hash(key) & (slots.count - 1)
        while slots[place] > 0 {
            let index = Int(slots[place]) - 1
            if keys[index] == key { return index }
            place = (place + 1) & (slots.count - 1)
        }
        if 2 * (keys.count + 1) > slots.count {
            grow()
            place = Self.hash(key) & (slots.count - 1)
            while slots[place] > 0 { place = (place + 1) & (slots.count - 1) }
        }
        keys.append(key)
        counts.append(0)
        slots[place] = UInt32(keys.count)
        return keys.count - 1
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: 2 * slots.count)
        for (index, key) in keys.enumerated() {
            var place = Self.hash(key) & (slots.count - 1)
            while slots[place] > 0 { place = (place + 1) & (slots.count - 1) }
            slots[place] = UInt32(index + 1)
        }
    }

    private static func hash(_ key: UInt64) -> Int {
        let mixed = (key ^ key >> 29) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 32)
    }
}
