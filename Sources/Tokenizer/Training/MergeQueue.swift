/// Pairs of tokens that may be merged, the most frequent one first.
struct MergeQueue {
    /// A pair that may be merged.
    struct Candidate {
        /// The count of the pair when it was last looked at.
        var count: Int
        /// The left token's id, shifted by 32 bits, and the right one's.
        let key: UInt64
        /// The number of the list of words that hold the pair.
        let list: Int

        /// Of pairs with one count that of smaller ids comes first.
        func comes(before other: Candidate) -> Bool {
            if count != other.count { return count > other.count }
            return key != other.key ? key < other.key : list < other.list
        }
    }

    // A heap: no candidate comes before the one at half its place.
    private var heap: [Candidate] = []

    /// Adds a candidate.
    mutating func push(_ candidate: Candidate) {
        var place = heap.count
        heap.append(candidate)
        while place > 0 {
            let above = (place - 1) / 2
            guard candidate.comes(before: heap[above]) else { break }
            heap[place] = heap[above]
            place = above
        }
        heap[place] = candidate
    }

    /// Takes the candidate that comes before all others; nil if there is none.
    mutating func pop() -> Candidate? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if heap.isEmpty { return first }
        var place = 0
        while true {
            var below = 2 * place + 1
            guard below < heap.count else { break }
            if below + 1 < heap.count, heap[below + 1].comes(before: heap[below]) { below += 1 }
            guard heap[below].comes(before: last) else { break }
            heap[place] = heap[below]
            place = below
        }
        heap[place] = last
        return first
    }
}
