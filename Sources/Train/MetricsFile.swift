import FalconRunRecord
import FalconSystem

/// Lines of a run's metrics that could not be read, and where they are now.
public struct DamagedMetrics: Equatable, Sendable, CustomStringConvertible {
    /// The file they were in.
    public let path: String
    /// Their numbers in that file, from 1.
    public let lines: [Int]
    /// The file that keeps them.
    public let keptIn: String

    /// The line shown to a person.
    public var description: String {
        let shown = lines.prefix(5).map(String.init).joined(separator: ", ")
        return
            "\(path): \(lines.count) line\(lines.count == 1 ? "" : "s") cannot be read (line \(shown)"
            + (lines.count > 5 ? ", …" : "") + "); kept in \(keptIn)"
    }
}

/// A run's `metrics.jsonl`, written by the one process that holds the run.
///
/// Lines are kept byte for byte. Lines that cannot be read move to `metrics.damaged.jsonl`, so that
/// every line left is a step.
struct MetricsFile {
    let path: String
    /// The newest step that is kept.
    private(set) var last: StepMetrics?
    /// The lines that could not be read when the file was opened.
    private(set) var damage: DamagedMetrics?

    /// Opens the file for a run that has done `step` steps: lines of later steps, which a stopped run
    /// left and which will be written again, are dropped.
    init(path: String, damagedPath: String, keepingStepsTo step: Int) throws {
        self.path = path
        var old: [UInt8] = []
        if fileKind(of: path) != .missing { old = try InputFile.contents(of: path) }
        var lines = MetricsLines(old).lines
        // Among steps that are done, a later one is a wrong number.
        let lastDone = lines.lastIndex { ($0.metrics?.step ?? .max) <= step } ?? 0
        for place in lines.indices
        where place < lastDone && (lines[place].metrics?.step ?? 0) > step {
            lines[place].metrics = nil
        }
        let damaged = lines.filter { $0.metrics == nil }
        if !damaged.isEmpty {
            try appendToFile(path: damagedPath, Self.joined(damaged.map(\.bytes)))
            damage = DamagedMetrics(path: path, lines: damaged.map(\.number), keptIn: damagedPath)
        }
        let kept = lines.filter { ($0.metrics?.step ?? .max) <= step }
        last = kept.last?.metrics
        let new = Self.joined(kept.map(\.bytes))
        if new != old || fileKind(of: path) == .missing { try replace(by: new) }
    }

    /// Lines with a line break after each.
    private static func joined(_ lines: [ArraySlice<UInt8>]) -> [UInt8] {
        var result: [UInt8] = []
        for line in lines { result += line + [0x0A] }
        return result
    }

    private func replace(by bytes: [UInt8]) throws(FileError) {
        var file = try AtomicFile(path: path)
        try file.write(bytes)
        try file.commit()
    }

    private static func line(of metrics: StepMetrics) throws -> [UInt8] {
        try CheckedLine.bytes(of: metrics) + [0x0A]
    }

    /// Appends one line.
    mutating func append(_ metrics: StepMetrics) throws {
        try appendToFile(path: path, Self.line(of: metrics))
        last = metrics
    }

    /// Writes the newest line again, with more values.
    mutating func completeLast(with metrics: StepMetrics) throws {
        let lines = try InputFile.contents(of: path).split(separator: 0x0A)
        try replace(by: Self.joined(Array(lines.dropLast())) + Self.line(of: metrics))
        last = metrics
    }
}
