import ArgumentParser
import FalconConcurrency
import FalconSystem
import FalconTensor

/// Options that every command has.
struct CommonOptions: ParsableArguments {
    @Option(help: "Threads to use; results do not depend on it. Default: one per processor.")
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

    /// The device to compute on; says so if the system gives fewer threads than were asked for.
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
                + "limit of processes); this takes longer, but the results are the same")
    }

    /// Prints a result: the table, or with `--json` the value.
    func printResult(_ value: some Encodable, table: [(String, String)]) throws {
        if json { return try printJSON(value) }
        let width = table.map(\.0.count).max() ?? 0
        for (name, text) in table {
            print(name + String(repeating: " ", count: width - name.count + 2) + text)
        }
    }

    /// A line that shows the progress of a job.
    ///
    /// Only a terminal shows it, unless there are seconds between lines for other outputs.
    func progressLine(secondsBetweenLines: Double? = nil) -> ProgressLine {
        ProgressLine(isQuiet: quiet, secondsBetweenLines: secondsBetweenLines)
    }

    /// Writes a line to standard error, unless `--quiet` is given.
    func talk(_ text: String) {
        if !quiet { writeToStandardError(text + "\n") }
    }
}

/// Bytes in a binary unit that keeps the number short: "1.4 GiB".
func memory(_ bytes: Int) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(bytes) / 1024, 0)
    while value >= 1024 && unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return decimal(value, places: 1) + " " + units[unit]
}
