import FalconSystem

/// The lines of a `metrics.jsonl`; the only reader of such files.
public struct MetricsLines: Sendable {
    /// One line as it is in the file.
    package struct Line: Sendable {
        /// The number of the line, from 1.
        package let number: Int
        package let bytes: ArraySlice<UInt8>
        /// The metrics; nil if the line cannot be read.
        package var metrics: StepMetrics?
    }

    /// The lines in the order of the file; empty ones are left out.
    package private(set) var lines: [Line] = []
    /// Whether the file ends within a line: its writer was killed, or is still writing it.
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
                // A line break that was damaged.
                for part in [bytes[..<end], bytes[(end + 1)...]] where !part.isEmpty {
                    lines.append(Line(number: number, bytes: part, metrics: Self.decoded(part)))
                }
            } else {
                lines.append(Line(number: number, bytes: bytes, metrics: nil))
            }
        }
    }

    /// The steps in the file; lines that cannot be read are left out.
    public var steps: [StepMetrics] { lines.compactMap(\.metrics) }

    /// The numbers of the lines that cannot be read, from 1; half a line at the end does not count.
    public var damagedNumbers: [Int] {
        let whole = endsWithinLine && lines.last?.metrics == nil ? lines.dropLast() : lines[...]
        return whole.filter { $0.metrics == nil }.map(\.number)
    }

    /// The last step in a file; half a line after it does not count.
    static func last(in bytes: [UInt8]) -> StepMetrics? {
        bytes.split(separator: 0x0A).reversed().lazy.compactMap(decoded).first
    }

    private static func decoded(_ line: ArraySlice<UInt8>) -> StepMetrics? {
        try? CheckedLine.decoded(StepMetrics.self, from: line)
    }

    /// The place of the damaged byte between two lines that look like one; nil if there is none.
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
    /// - Returns: the lines; none if there is no such file.
    /// - Throws: `FileError` if it is there and cannot be read.
    public func metrics() throws(FileError) -> MetricsLines {
        guard fileKind(of: metricsPath) != .missing else { return MetricsLines([]) }
        return MetricsLines(try InputFile.contents(of: metricsPath))
    }

    /// The last step in the run's metrics.
    ///
    /// - Returns: the step; nil if there is no such file, or no whole line in it.
    /// - Throws: `FileError` if it is there and cannot be read.
    public func lastStep() throws(FileError) -> StepMetrics? {
        guard fileKind(of: metricsPath) == .file else { return nil }
        return MetricsLines.last(in: try InputFile.contents(of: metricsPath))
    }
}
