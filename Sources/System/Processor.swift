#if canImport(Glibc)
    import Glibc
#endif

/// The processor's name as the system knows it.
///
/// - Returns: `model name` of /proc/cpuinfo with its family and model numbers; "unknown processor"
///   if the system does not say.
public func processorName() -> String {
    var facts: [String: String] = [:]
    for line in textLines(ofSystemFile: "/proc/cpuinfo") {
        guard let colon = line.firstIndex(of: ":") else { break }
        let key = line[..<colon].split(whereSeparator: \.isWhitespace).joined(separator: " ")
        facts[key] = line[line.index(after: colon)...]
            .split(separator: " ").joined(separator: " ")
    }
    guard let name = facts["model name"] else { return "unknown processor" }
    guard let family = facts["cpu family"], let model = facts["model"] else { return name }
    return "\(name) (family \(family), model \(model))"
}

/// A watch on the load of the processors, to tell whether other processes disturb a measurement.
public struct ProcessorWatch {
    private let startTicks: (busy: Int, all: Int)?
    private let startOwn = ProcessorWatch.ownSeconds()

    /// Starts to watch.
    public init() { startTicks = Self.ticks() }

    /// The share of all processors' time since the start that other processes took: 0 to 1; nil if
    /// the system does not say, or nothing was counted yet.
    public func othersShare() -> Double? {
        guard let start = startTicks, let now = Self.ticks(), now.all > start.all else {
            return nil
        }
        let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        let own = (Self.ownSeconds() - startOwn) * ticksPerSecond
        let busy = Double(now.busy - start.busy)
        return min(1, max(0, busy - own) / Double(now.all - start.all))
    }

    /// Clock ticks of all processors since the system began; what a hypervisor took away is busy.
    private static func ticks() -> (busy: Int, all: Int)? {
        // cpu user nice system idle iowait irq softirq steal: the first line.
        guard let line = textLines(ofSystemFile: "/proc/stat").first, line.hasPrefix("cpu ") else {
            return nil
        }
        let counts = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) }
        guard counts.count == 8 else { return nil }
        let all = counts.reduce(0, +)
        return (all - counts[3] - counts[4], all)
    }

    /// Processor seconds of this process, all threads.
    private static func ownSeconds() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)
        return Double(now.tv_sec) + 1e-9 * Double(now.tv_nsec)
    }
}

/// The most memory this process has held since `resetResidentPeak`, in bytes.
///
/// - Returns: `VmHWM` of /proc/self/status; 0 if the system does not say.
public func residentPeakByteCount() -> Int {
    for line in textLines(ofSystemFile: "/proc/self/status") where line.hasPrefix("VmHWM:") {
        return (Int(line.filter(\.isNumber)) ?? 0) * 1024
    }
    return 0
}

/// Restarts `residentPeakByteCount` at the memory that the process holds now.
///
/// - Returns: false if the system does not allow it; then the peak stays.
public func resetResidentPeak() -> Bool {
    do {
        try appendToFile(path: "/proc/self/clear_refs", Array("5".utf8))
        return true
    } catch {
        return false
    }
}

/// Asks the system to drop a file from its cache, so that the next reading is from disk.
///
/// - Parameter path: a file; contents not yet written to disk stay in memory.
public func dropFromPageCache(path: String) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
}

/// The lines of a file under /proc, empty if it cannot be read.
func textLines(ofSystemFile path: String) -> [Substring] {
    guard let bytes = try? InputFile(path: path) else { return [] }
    var text: [UInt8] = []
    while let more = try? bytes.read(upTo: 1 << 16), !more.isEmpty { text += more }
    return String(decoding: text, as: UTF8.self).split(separator: "\n")
}
