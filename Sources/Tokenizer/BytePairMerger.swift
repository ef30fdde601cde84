/// Merges the symbols of a word: always the pair of the lowest rank, the leftmost first.
///
/// A value is used again and again, for one word at a time, so that it seldom allocates.
///
/// - Complexity: O(n log n) for n symbols; of short words O(n²), which takes less time.
/// - SeeAlso: `Word::merge_all` of huggingface/tokenizers, whose result it gives.
struct BytePairMerger {
    /// Symbols of a word in which the next pair is looked for from its start.
    private static let shortWord = 24
    private static let noRank = UInt32.max

    private var symbols: [Int32] = []
    /// Of a short word, the rank of each symbol with the next one.
    private var ranks: [UInt32] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    // A binary heap, the smallest first: rank in the upper half, place in the lower.
    private var heap: [UInt64] = []

    /// Starts a word.
    mutating func removeAll() {
        symbols.removeAll(keepingCapacity: true)
    }

    /// Appends a symbol to the word.
    mutating func append(_ id: Int32) { symbols.append(id) }

    /// Merges, and appends the remaining tokens to some ids.
    ///
    /// - Parameters:
    ///   - merges: of pairs of ids.
    ///   - ids: the tokens of the word are appended.
    mutating func merge(_ merges: MergeTable, into ids: inout [Int32]) {
        if symbols.count > Self.shortWord {
            mergeLong(merges, into: &ids)
        } else {
            mergeShort(merges)
            ids += symbols
        }
    }

    private mutating func mergeShort(_ merges: MergeTable) {
        ranks.removeAll(keepingCapacity: true)
        for place in symbols.indices.dropLast() {
            ranks.append(merges[symbols[place], symbols[place + 1]]?.rank ?? Self.noRank)
        }
        while true {
            var best = 0
            var lowest = Self.noRank
            for place in ranks.indices where ranks[place] < lowest {
                (best, lowest) = (place, ranks[place])
            }
            guard lowest < Self.noRank, let merge = merges[symbols[best], symbols[best + 1]] else {
                return
            }
            symbols[best] = merge.id
            symbols.remove(at: best + 1)
            ranks.remove(at: best)
            if best > 0 {
                ranks[best - 1] = merges[symbols[best - 1], merge.id]?.rank ?? Self.noRank
            }
            if best < ranks.count {
                ranks[best] = merges[merge.id, symbols[best + 1]]?.rank ?? Self.noRank
            }
        }
    }

    private mutating func mergeLong(_ merges: MergeTable, into ids: inout [Int32]) {
        let count = symbols.count
        heap.removeAll(keepingCapacity: true)
        next.removeAll(keepingCapacity: true)
        previous.removeAll(keepingCapacity: true)
        for place in 0..<count {
            next.append(Int32(place + 1))
            previous.append(Int32(place - 1))
        }
        for place in 0..<count - 1 { pushPair(at: place, merges) }
        while let top = popSmallest() {
            let place = Int(top & 0xFFFF_FFFF)
            guard symbols[place] >= 0, Int(next[place]) < count else { continue }
            let right = Int(next[place])
            // Another merge may have changed the pair since.
            guard let merge = merges[symbols[place], symbols[right]],
                UInt64(merge.rank) == top >> 32
            else { continue }
            symbols[place] = merge.id
            symbols[right] = -1
            let after = next[right]
            next[place] = after
            if Int(after) < count { previous[Int(after)] = Int32(place) }
            if previous[place] >= 0 { pushPair(at: Int(previous[place]), merges) }
            pushPair(at: place, merges)
        }
        var place = 0
        while place < count {
            ids.append(symbols[place])
            place = Int(next[place])
        }
    }

    private mutating func pushPair(at place: Int, _ merges: MergeTable) {
        let right = Int(next[place])
        guard right < symbols.count, let merge = merges[symbols[place], symbols[right]] else {
            return
        }
        heap.append(UInt64(merge.rank) << 32 | UInt64(place))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent] <= heap[child] { break }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func popSmallest() -> UInt64? {
        guard let smallest = heap.first, let last = heap.popLast() else { return nil }
        if heap.isEmpty { return smallest }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            if child >= heap.count { break }
            if child + 1 < heap.count && heap[child + 1] < heap[child] { child += 1 }
            if heap[parent] <= heap[child] { break }
            heap.swapAt(parent, child)
            parent = child
        }
        return smallest
    }
}
