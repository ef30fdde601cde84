import ArgumentParser
import FalconSystem
import FalconTensor

/// Options that every command has.
struct CommonOptions: ParsableArguments {
    @Option(help: "Processors to use; results do not depend on it. Default: all.")
    var threads: Int?

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    @Flag(help: "Print results and errors only.")
    var quiet = false

    /// The number of threads asked for, or all processors.
    var threadCount: Int { threads ?? min(Device.usableCoreCount, WorkerThread.countLimit) }

    func validate() throws {
        if let threads, threads < 1 {
            throw ValidationError("--threads is \(threads), want at least 1")
        }
        if let threads, threads > WorkerThread.countLimit {
            throw ValidationError(
                "--threads is \(threads), want at most \(WorkerThread.countLimit)")
        }
    }

    /// The processors to compute with; says so if the system gives fewer threads than were asked for.
    func makeDevice(precision: Precision = .f32) -> Device {
        let device = Device(threadCount: threadCount, precision: precision)
        tellThreads(device.threadCount)
        return device
    }

    /// Says so if the system gives fewer threads than were asked for.
    func tellThreads(_ given: Int) {
        guard given < threadCount else { return }
        talk(
            "the system gives \(given) of \(threadCount) threads (see ulimit -u, or the container's "
                + "limit of processes); the results are the same, later")
    }

    /// Prints a result: the table, or with `--json` the value.
    func printResult(_ value: some Encodable, table: [(String, String)]) throws {
        if json { return try printJSON(value) }
        let width = table.map(\.0.count).max() ?? 0
        for (name, text) in table {
            print(name + String(repeating: " ", count: width - name.count + 2) + text)
        }
    }

    /// Says something on standard error.
    func talk(_ text: String) {
        if !quiet { writeToStandardError(text + "\n") }
    }
}

/// Writes an object as one line of JSON to standard output, keys sorted.
func printJSON(_ value: some Encodable) throws {
    print(try jsonText(value))
}

/// A line on the terminal that tells how far a job is; nothing where nobody watches.
final class ProgressLine {
    private static let secondsBetweenUpdates = 0.2

    private let isShown: Bool
    private let start = monotonicSeconds()
    private var lastUpdate = 0.0
    private var lastWidth = 0

    init(_ options: CommonOptions) {
        isShown = !options.quiet && isTerminal(2)
    }

    /// Seconds since the job began.
    var elapsedSeconds: Double { monotonicSeconds() - start }

    /// Shows bytes done, the rate, and the time left if the total is known.
    func update(bytes: Int, of total: Int?, note: String) {
        let elapsed = elapsedSeconds
        guard isShown, elapsed - lastUpdate >= Self.secondsBetweenUpdates else { return }
        lastUpdate = elapsed
        let rate = Double(bytes) / elapsed
        var text = megabytes(bytes)
        if let total { text += " of \(megabytes(total))" }
        text += ", \(megabytes(wholeNumber(rate)))/s, \(note)"
        if let total, rate > 0 {
            let left = wholeNumber((Double(max(0, total - bytes)) / rate).rounded(.up))
            text += ", \(left / 60) min \(left % 60) s left"
        }
        show(text)
    }

    /// Takes the line away.
    func end() {
        if lastWidth > 0 { show("") }
    }

    private func show(_ text: String) {
        let padding = String(repeating: " ", count: max(0, lastWidth - text.count))
        writeToStandardError("\r\(text)\(padding)\r\(text)")
        lastWidth = text.count
    }
}

/// Bytes as "12.3 MB".
func megabytes(_ bytes: Int) -> String { decimal(Double(bytes) / 1e6, places: 1) + " MB" }

/// A count with its digits in groups of three: "12,185,751".
func grouped(_ count: Int) -> String {
    var text = ""
    for (place, digit) in String(abs(count)).reversed().enumerated() {
        if place > 0 && place % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return (count < 0 ? "-" : "") + String(text.reversed())
}

/// Bytes in a binary unit that keeps the number short: "1.4 GiB".
func memory(_ bytes: Int) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(bytes) / 1024, 0)
    while value >= 1024 && unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return decimal(value, places: 1) + " " + units[unit]
}

/// Seconds as "1h02m", "3m20s" or "12s".
func duration(_ seconds: Double) -> String {
    let whole = wholeNumber(max(0, seconds))
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if whole >= 3600 { return "\(whole / 3600)h\(two(whole % 3600 / 60))m" }
    if whole >= 60 { return "\(whole / 60)m\(two(whole % 60))s" }
    return "\(whole)s"
}

/// A number with one digit before the point and a power of ten: "6.62e13".
func scientific(_ value: Double, places: Int) -> String {
    guard value.isFinite, value > 0 else { return "\(value)" }
    var (mantissa, exponent) = (value, 0)
    while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
    let digits = decimal(mantissa, places: places)
    // 9.999 is rounded to 10.00.
    return digits.hasPrefix("10")
        ? decimal(1, places: places) + "e\(exponent + 1)" : digits + "e\(exponent)"
}
