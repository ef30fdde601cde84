/// The free parts of one stretch of memory: best fit, with splitting and joining.
///
/// The smallest free part that is large enough is used, the lowest among equals, so that the end of
/// the stretch stays untouched for as long as possible.
struct FreeBlocks {
    /// Free parts in the order of their place; no two touch.
    private var parts: [Range<Int>]
    /// One past the last byte that was ever handed out.
    private(set) var extent = 0

    /// A stretch that is all free.
    ///
    /// - Parameter byteCount: its length, at least 1.
    init(byteCount: Int) { parts = [0..<byteCount] }

    /// Hands out a part.
    ///
    /// - Parameter byteCount: at least 1.
    /// - Returns: where it starts, or nil if no free part is large enough.
    /// - Complexity: linear in the number of free parts.
    mutating func take(_ byteCount: Int) -> Int? {
        var best: Int?
        for (place, part) in parts.enumerated() where part.count >= byteCount {
            if let best, parts[best].count <= part.count { continue }
            best = place
            if part.count == byteCount { break }
        }
        guard let best else { return nil }
        let part = parts[best]
        if part.count == byteCount {
            parts.remove(at: best)
        } else {
            parts[best] = part.lowerBound + byteCount..<part.upperBound
        }
        extent = max(extent, part.lowerBound + byteCount)
        return part.lowerBound
    }

    /// Takes a part back and joins it with its free neighbours.
    ///
    /// - Parameter range: was handed out and not given back since.
    mutating func give(_ range: Range<Int>) {
        // The first free part after the range.
        var (low, high) = (0, parts.count)
        while low < high {
            let middle = (low + high) / 2
            if parts[middle].lowerBound < range.upperBound {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var joined = range
        var neighbours = low..<low
        if low < parts.count, parts[low].lowerBound == range.upperBound {
            joined = joined.lowerBound..<parts[low].upperBound
            neighbours = low..<low + 1
        }
        if low > 0, parts[low - 1].upperBound == range.lowerBound {
            joined = parts[low - 1].lowerBound..<joined.upperBound
            neighbours = low - 1..<neighbours.upperBound
        }
        precondition(
            neighbours.lowerBound == 0
                || parts[neighbours.lowerBound - 1].upperBound <= range.lowerBound,
            "FreeBlocks: \(range) was given back twice")
        parts.replaceSubrange(neighbours, with: CollectionOfOne(joined))
    }

    /// Forgets that free parts at the end were ever handed out.
    ///
    /// - Returns: every free part below the former extent, for its memory to be discarded.
    mutating func trim() -> [Range<Int>] {
        let used = parts.map { $0.clamped(to: 0..<extent) }.filter { !$0.isEmpty }
        if let last = used.last, last.upperBound == extent { extent = last.lowerBound }
        return used
    }
}
