import FalconSystem

/// The lines of a `metrics.jsonl`: the one reader of such files.
public struct MetricsLines: Sendable {
    /// One line as it lies in the file.
    package struct Line: Sendable {
        /// From 1.
        package let number: Int
        package let bytes: ArraySlice<UInt8>
        /// Nil for what cannot be read.
        package var metrics: StepMetrics?
    }

    /// In the order of the file; empty ones are left out.
    package private(set) var lines: [Line] = []
    /// Whether the file ends within a line: its writer was killed, or is at it.
    private let endsWithinLine: Bool

    /// Reads a file's lines.
    ///
    /// - Parameter bytes: the whole file.
    public init(_ bytes: [UInt8]) {
        endsWithinLine = bytes.last != 0x0A
        var number = 0
        for bytes in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            number += 1
            if bytes.isEmpty { continue }
            if let metrics = Self.decoded(bytes) {
                lines.append(Line(number: number, bytes: bytes, metrics: metrics))
            } else if let end = Self.joint(in: bytes) {
                // A line break that has become another byte.
                for part in [bytes[..<end], bytes[(end + 1)...]] where !part.isEmpty {
                    lines.append(Line(number: number, bytes: part, metrics: Self.decoded(part)))
                }
            } else {
                lines.append(Line(number: number, bytes: bytes, metrics: nil))
            }
        }
    }

    /// The steps that the file tells of; what cannot be read is left out.
    public var steps: [StepMetrics] { lines.compactMap(\.metrics) }

    /// The numbers of the lines that cannot be read, from 1; half a line at the end is none of them.
    public var damagedNumbers: [Int] {
        let whole = endsWithinLine && lines.last?.metrics == nil ? lines.dropLast() : lines[...]
        return whole.filter { $0.metrics == nil }.map(\.number)
    }

    /// The last step that a file tells of; half a line behind it does not count.
    static func last(in bytes: [UInt8]) -> StepMetrics? {
        bytes.split(separator: 0x0A).reversed().lazy.compactMap(decoded).first
    }

    private static func decoded(_ line: ArraySlice<UInt8>) -> StepMetrics? {
        try? CheckedLine.decoded(StepMetrics.self, from: line)
    }

    /// The byte between two lines that were one before, if there is such a place.
    private static func joint(in bytes: ArraySlice<UInt8>) -> Int? {
        guard let end = bytes.indices.last else { return nil }
        // At the end of the file nothing follows.
        if bytes[end] != UInt8(ascii: "}") && decoded(bytes[..<end]) != nil { return end }
        return bytes.indices.dropFirst().dropLast().first { place in
            bytes[place - 1] == UInt8(ascii: "}") && bytes[place + 1] == UInt8(ascii: "{")
                && decoded(bytes[..<place]) != nil
        }
    }
}

extension RunFolder {
    /// The lines of the run's metrics.
    ///
    /// - Returns: none where there is no such file.
    /// - Throws: `FileError` if it is there and cannot be read.
    public func metrics() throws(FileError) -> MetricsLines {
        guard fileKind(of: metricsPath) != .missing else { return MetricsLines([]) }
        return MetricsLines(try InputFile.contents(of: metricsPath))
    }

    /// The last step that the run's metrics tell of.
    ///
    /// - Returns: nil where there is no such file, or no whole line in it.
    /// - Throws: `FileError` if it is there and cannot be read.
    public func lastStep() throws(FileError) -> StepMetrics? {
        guard fileKind(of: metricsPath) == .file else { return nil }
        return MetricsLines.last(in: try InputFile.contents(of: metricsPath))
    }
}
