/// Documents in a batch: consecutive ranges of rows that do not see each other.
///
/// A batch of B sequences of T tokens is B·T rows; every sequence start and every document start
/// begins a segment. Attention, convolution and the state-space scan never cross a segment border.
public struct Segments: Equatable, Sendable {
    /// The first row of each segment, and the number of rows last: `0 = o₀ < o₁ < … = rowCount`.
    public let offsets: [Int]

    /// Segments from cumulative offsets.
    ///
    /// - Parameter offsets: strictly increasing, first 0, last the number of rows.
    public init(offsets: [Int]) {
        precondition(
            offsets.count >= 2 && offsets[0] == 0
                && zip(offsets, offsets.dropFirst()).allSatisfy(<),
            "Segments: offsets \(offsets) do not increase from 0")
        self.offsets = offsets
    }

    /// One segment over all rows.
    ///
    /// - Parameter rowCount: at least 1.
    public init(rowCount: Int) { self.init(offsets: [0, rowCount]) }

    /// The number of segments.
    public var count: Int { offsets.count - 1 }
    /// The number of rows in all.
    public var rowCount: Int { offsets[offsets.count - 1] }

    /// The rows of one segment.
    ///
    /// - Parameter index: in `0..<count`.
    /// - Returns: its range of rows.
    public subscript(index: Int) -> Range<Int> { offsets[index]..<offsets[index + 1] }

    /// The rows of each segment.
    public var ranges: [Range<Int>] { (0..<count).map { self[$0] } }

    /// The position of every row within its segment: `[rowCount]`.
    ///
    /// - Returns: positions, row by row, each segment's from 0.
    public func positions() -> [Int32] {
        ranges.flatMap { range in (0..<range.count).map(Int32.init) }
    }
}
