/// What pairs of tokens become: a table that is looked up several times for every character of a new word.
struct MergeTable: Sendable {
    /// Two neighbouring tokens that become one.
    struct Merge: Sendable {
        /// Lower ones are merged first.
        let rank: UInt32
        /// The token that they become.
        let id: Int32
    }

    private static let none = UInt64.max
    // Open addressing, at most half full.
    private var keys: [UInt64] = []
    private var merges: [Merge] = []

    /// - Parameter list: of a pair that occurs twice, the last one counts.
    init(_ list: [(left: Int32, right: Int32, id: Int32)]) {
        var count = 16
        while count < 2 * list.count { count <<= 1 }
        keys = Array(repeating: Self.none, count: count)
        merges = Array(repeating: Merge(rank: 0, id: 0), count: count)
        for (rank, merge) in list.enumerated() {
            let key = Self.key(merge.left, merge.right)
            let place = place(of: key)
            keys[place] = key
            merges[place] = Merge(rank: UInt32(rank), id: merge.id)
        }
    }

    /// The merge of two tokens; nil if they stay apart.
    subscript(left: Int32, right: Int32) -> Merge? {
        let place = place(of: Self.key(left, right))
        return keys[place] == Self.none ? nil : merges[place]
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func place(of key: UInt64) -> Int {
        let mask = keys.count - 1
        // Fibonacci hashing: the upper half of the product depends on all bits.
        var place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while keys[place] != key && keys[place] != Self.none { place = (place + 1) & mask }
        return place
    }
}
