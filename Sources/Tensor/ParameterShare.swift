/// Elements of the flat buffers of a `ParameterTable`: those that one rank of a run updates.
///
/// A rank keeps masters, moments and sums of gradients of its share only, next to each other in buffers of
/// `count` elements.
public struct ParameterShare: Equatable, Sendable {
    /// The elements, ascending; neighbours are joined, none is empty.
    public let ranges: [Range<Int>]
    /// The place of each range's first element in a buffer of the share; the count last.
    private let starts: [Int]

    /// A share of ranges.
    ///
    /// - Parameter ranges: disjoint, in any order.
    public init(_ ranges: [Range<Int>]) {
        var joined: [Range<Int>] = []
        for range in ranges.filter({ !$0.isEmpty }).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard let last = joined.last, last.upperBound >= range.lowerBound else {
                joined.append(range)
                continue
            }
            precondition(
                last.upperBound == range.lowerBound, "ParameterShare: \(last) overlaps \(range)")
            joined[joined.count - 1] = last.lowerBound..<range.upperBound
        }
        self.ranges = joined
        starts = joined.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    }

    /// The number of elements.
    public var count: Int { starts[starts.count - 1] }

    /// The parts of a stretch of elements that belong to the share, ascending.
    ///
    /// - Parameter elements: of the flat buffers.
    /// - Returns: none of them empty.
    public func parts(of elements: Range<Int>) -> [Range<Int>] {
        guard !elements.isEmpty else { return [] }
        return ranges[place(of: elements.lowerBound)...]
            .prefix { $0.lowerBound < elements.upperBound }
            .map { $0.clamped(to: elements) }.filter { !$0.isEmpty }
    }

    /// Whether all of some elements belong to the share.
    ///
    /// - Parameter elements: of the flat buffers.
    /// - Returns: false if one is missing.
    public func contains(_ elements: Range<Int>) -> Bool { parts(of: elements) == [elements] }

    /// The places of elements in a buffer of the share.
    ///
    /// - Parameter elements: of the flat buffers, all in one range of the share.
    /// - Returns: within `0..<count`.
    public func places(of elements: Range<Int>) -> Range<Int> {
        let index = place(of: elements.lowerBound)
        precondition(
            index < ranges.count && ranges[index].lowerBound <= elements.lowerBound
                && elements.upperBound <= ranges[index].upperBound,
            "ParameterShare: \(elements) are not of this share")
        let start = starts[index] + elements.lowerBound - ranges[index].lowerBound
        return start..<start + elements.count
    }

    /// The first range that ends behind an element.
    private func place(of element: Int) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= element { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
