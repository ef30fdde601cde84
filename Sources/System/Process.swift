import CSystem

#if canImport(Glibc)
    import Glibc
#endif

/// The most memory this process has held at one time, in bytes.
///
/// - Returns: the peak resident set.
public func peakMemoryByteCount() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
}

/// Memory that is available without swapping, in bytes; 0 if the system does not say.
///
/// - Parameter root: a prefix of `/proc` and `/sys`, empty except in tests.
/// - Returns: the least of the amounts that the system and the control groups have left, caches
///   included.
public func availableMemoryByteCount(root: String = "") -> Int {
    let prefix = "MemAvailable:"
    let line = lines(of: root + "/proc/meminfo").first { $0.hasPrefix(prefix) } ?? ""
    let system = Int(line.filter(\.isNumber)).map { $0 * 1024 }
    let group = ControlGroups(root: root).availableMemoryByteCount
    return [system, group].compactMap { $0 }.min() ?? 0
}

/// Processors that this process may use: those it is bound to, or fewer if its control groups give it
/// less time than that.
///
/// - Parameter root: a prefix of `/proc` and `/sys`, empty except in tests.
/// - Returns: at least 1.
public func usableProcessorCount(root: String = "") -> Int {
    let bound = boundProcessors(root: root).count
    return max(1, min(bound, ControlGroups(root: root).processorLimit ?? bound))
}

/// The processors that this process is bound to: all of the machine if nobody bound it.
///
/// - Parameter root: a prefix of `/proc` and `/sys`, empty except in tests.
/// - Returns: their numbers, ascending; none if the system does not say.
public func boundProcessors(root: String = "") -> [Int] {
    let prefix = "Cpus_allowed_list:"
    let status = lines(of: root + "/proc/self/status").first { $0.hasPrefix(prefix) } ?? ""
    let bound = processors(status.dropFirst(prefix.count))
    // The list may name processors that this machine could have, but has not.
    let online = processors(lines(of: root + "/sys/devices/system/cpu/online").first?[...] ?? "")
    return (online.isEmpty ? bound : bound.intersection(online)).sorted()
}

/// Binds this thread, and those that it starts from now on, to processors; nothing happens if the system refuses.
///
/// - Parameter processors: their numbers, at least one.
public func bindProcess(to processors: [Int]) {
    let numbers = processors.map(Int32.init)
    _ = unsafe csystem_bind(numbers, Int32(numbers.count))
}

/// The numbers in a list like "0-3,8".
private func processors(_ list: Substring) -> Set<Int> {
    var numbers: Set<Int> = []
    for part in list.filter({ !$0.isWhitespace }).split(separator: ",") {
        let ends = part.split(separator: "-").compactMap { Int($0) }
        if let first = ends.first, let last = ends.last, first <= last {
            numbers.formUnion(first...last)
        }
    }
    return numbers
}

/// The path of this program.
///
/// - Returns: the path without links.
/// - Throws: `FileError` if the system does not say.
public func runningProgramPath() throws(FileError) -> String {
    guard let path = unsafe realpath("/proc/self/exe", nil) else {
        throw FileError(action: "find", path: "/proc/self/exe", code: errno)
    }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
}

/// Seconds on a clock that only goes forward.
///
/// - Returns: seconds since an arbitrary start.
public func monotonicSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + 1e-9 * Double(now.tv_nsec)
}

/// Lets this thread sleep.
///
/// - Parameter seconds: below 1.
public func sleepSeconds(_ seconds: Double) { usleep(UInt32(seconds * 1e6)) }

/// The name of this machine.
///
/// - Returns: the name without a domain, as its administrator set it.
public func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    unsafe gethostname(&name, 255)
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Whether a stream is a terminal.
///
/// - Parameter descriptor: 0, 1 or 2.
/// - Returns: true for a terminal.
public func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

/// Writes a text to standard error.
///
/// - Parameter text: written as it is, without a line break.
public func writeToStandardError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Appends bytes to a file, creating it if needed: all of them, or none.
///
/// - Parameters:
///   - path: the file.
///   - bytes: written with one call, so that lines of several processes do not mix.
/// - Throws: `FileError`, for instance when the disk is full; the file then has its old length.
public func appendToFile(path: String, _ bytes: [UInt8]) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError(action: "create", path: path, code: errno) }
    defer { close(descriptor) }
    var status = stat()
    let isSized = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    var offset = 0
    while offset < bytes.count {
        let written = bytes.withUnsafeBytes {
            write(descriptor, $0.baseAddress.map { $0 + offset }, bytes.count - offset)
        }
        if written < 0 {
            if errno == EINTR { continue }
            let code = errno
            if isSized && offset > 0 { ftruncate(descriptor, status.st_size) }
            throw FileError(action: "write", path: path, code: code)
        }
        offset += written
    }
}

/// Flushes standard output: hands all that was printed to its reader.
///
/// - Throws: `FileError` if that, or anything printed before, could not be written, for instance to
///   a full disk or to a program that has ended.
public func flushStandardOutput() throws(FileError) {
    let code = csystem_flush_standard_output()
    guard code == 0 else {
        throw FileError(action: "write", path: "standard output", code: code)
    }
}

/// Takes the numbers of closed standard streams, so that no file that is opened later gets one of
/// them, and with it the printed text.
///
/// Reading from or writing to such a stream stays an error.
public func holdStandardStreams() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
        // The lowest free number is this one.
        _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
}
