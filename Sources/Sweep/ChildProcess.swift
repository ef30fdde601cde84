import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// A program that was started, with a pipe as its standard input that closes when this process ends.
///
/// The child is told to save and stop at the end of its input, so that it does not outlive a parent
/// that was killed.
final class ChildProcess {
    let pid: pid_t
    private let input: Int32

    /// Starts a program; what it says goes to a file.
    init(_ program: String, _ arguments: [String], logPath: String) throws(FileError) {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else {
            throw FileError(action: "open", path: "a pipe", code: errno)
        }
        // No other child may hold the end whose closing tells this one to stop.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let log = unsafe open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard log >= 0 else { throw FileError(action: "create", path: logPath, code: errno) }
        defer {
            close(ends[0])
            close(log)
        }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, log, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, log, 2)
        let words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var pid = pid_t()
        let code = unsafe posix_spawn(&pid, program, &actions, nil, words, environ)
        guard code == 0 else {
            close(ends[1])
            throw FileError(action: "start", path: program, code: code)
        }
        self.pid = pid
        input = ends[1]
    }

    deinit { close(input) }

    /// Asks it to save and stop.
    func stop() { kill(pid, SIGTERM) }

    /// Its exit status if it has ended, 128 and the signal's number if one ended it; nil if it runs.
    func endedStatus() -> Int32? {
        var status: Int32 = 0
        guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
}

/// This program.
func runningProgramPath() throws(FileError) -> String {
    guard let path = unsafe realpath("/proc/self/exe", nil) else {
        throw FileError(action: "find", path: "/proc/self/exe", code: errno)
    }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
}

/// Whether a process is alive and has a word among its arguments.
func isRunning(pid: Int, withArgument word: String) -> Bool {
    guard let bytes = try? readBytes(ofFile: "/proc/\(pid)/cmdline") else { return false }
    return bytes.split(separator: 0).contains { $0.elementsEqual(word.utf8) }
}

/// Waits a little.
func pause(milliseconds: UInt32) { usleep(1000 * milliseconds) }
