import FalconBench
import FalconProfiling
import FalconSystem
import FalconTensor

/// Rows of cells under a header: the first column to the left, numbers to the right.
struct Table {
    private var rows: [[String]]

    init(_ header: String...) { rows = [header] }

    init(_ header: [String]) { rows = [header] }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    func printed() { for line in lines { print(line) } }

    /// The rows, as wide as the widest cell of each column.
    var lines: [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + padding : padding + cell
            }
            return cells.joined(separator: "  ")
        }
    }
}

/// Seconds in a unit that keeps the number short: "1.23 s", "45.6 ms", "7.8 us".
func shortTime(_ seconds: Double) -> String {
    if seconds >= 1 { return decimal(seconds, places: 2) + " s" }
    if seconds >= 1e-3 { return decimal(seconds * 1e3, places: 1) + " ms" }
    return decimal(seconds * 1e6, places: 1) + " us"
}

/// A share as "12.3 %".
func percent(_ share: Double) -> String { decimal(share * 100, places: 1) + " %" }

/// A rate in billions a second, or a dash for none.
func giga(_ rate: Double) -> String { rate > 0 ? decimal(rate / 1e9, places: 1) : "-" }

/// Prints the lines about the machine above every benchmark.
func printMachine(_ report: MachineReport) {
    let peak = report.peak
    print("\(report.processor), \(peak.threads) threads")
    func line(_ name: String, _ rate: MachinePeak.Rate?, _ unit: String) {
        guard let rate else { return }
        print(
            "\(name): \(giga(rate.allThreads)) \(unit) on all threads, "
                + "\(giga(rate.oneThread)) on one")
    }
    line("float32 peak", peak.float32, "GFLOP/s")
    if peak.bfloat16 == nil { print("bf16 peak: this processor has no bf16 dot products") }
    line("bf16 peak", peak.bfloat16, "GFLOP/s")
    line("memory, copy", peak.copy, "GB/s")
    line("memory, triad", peak.triad, "GB/s")
    print(
        "other processes: \(report.othersShare.map(percent) ?? "unknown") of the processors' time")
}

/// Warns if other processes used the processors.
func warnOfOthers(_ report: MachineReport, _ options: CommonOptions) {
    guard report.isDisturbed, let share = report.othersShare else { return }
    options.talk(
        "warning: other processes took \(percent(share)) of the processors' time (more than "
            + "\(percent(MachineReport.othersShareLimit))); measure again on a quiet machine")
}
