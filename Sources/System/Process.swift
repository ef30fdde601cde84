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

/// Physical memory that can be had without swapping, in bytes; 0 where the system does not tell.
///
/// - Returns: `MemAvailable` of /proc/meminfo.
public func availableMemoryByteCount() -> Int {
    guard let file = fopen("/proc/meminfo", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    while fgets(&line, Int32(line.count), file) != nil {
        let text = String(
            decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard text.hasPrefix("MemAvailable:") else { continue }
        let digits = text.filter(\.isNumber)
        return (Int(digits) ?? 0) * 1024
    }
    return 0
}

/// Seconds on a clock that only goes forward.
///
/// - Returns: seconds since an arbitrary start.
public func monotonicSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + 1e-9 * Double(now.tv_nsec)
}

/// Whether a stream is a terminal.
///
/// - Parameter descriptor: 0, 1 or 2.
/// - Returns: whether somebody watches it.
public func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

/// Writes a text to standard error.
///
/// - Parameter text: written as it is, without a line break.
public func writeToStandardError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Appends bytes to a file, creating it if needed.
///
/// - Parameters:
///   - path: the file.
///   - bytes: written with one call, so that lines of several processes do not mix.
/// - Throws: `FileError`, for instance when the disk is full.
public func appendToFile(path: String, _ bytes: [UInt8]) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError(action: "create", path: path, code: errno) }
    defer { close(descriptor) }
    let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    guard written == bytes.count else {
        throw FileError(action: "write", path: path, code: written < 0 ? errno : ENOSPC)
    }
}

/// Hands over what has been printed so far to whoever reads standard output.
///
/// - Throws: `FileError` if it could not be written, for instance to a full disk.
public func flushStandardOutput() throws(FileError) {
    guard fflush(nil) == 0 else {
        throw FileError(action: "write", path: "standard output", code: errno)
    }
}
