import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// A program started by this one, whose standard input is a pipe that closes when this one ends.
///
/// The child saves and stops at the end of its input, so that it does not outlive a parent that was
/// killed. It has a process group of its own: a Ctrl-C of the terminal reaches this process alone,
/// which passes it on once.
final class ChildProcess {
    private let pid: pid_t
    private let input: Int32
    private var isAsked = false

    /// Starts a program; its output goes to a file.
    ///
    /// Signals wait until the program listens, so that an early one does not end it.
    init(_ program: String, _ arguments: [String], logPath: String) throws(FileError) {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else {
            throw FileError(action: "open", path: "a pipe", code: errno)
        }
        // No other child may hold the end whose closing stops this one.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let log = unsafe open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard log >= 0 else {
            let code = errno
            close(ends[1])
            throw FileError(action: "create", path: logPath, code: code)
        }
        defer { close(log) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, log, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, log, 2)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var blocked = sigset_t()
        unsafe sigemptyset(&blocked)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] { unsafe sigaddset(&blocked, number) }
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setsigmask(&attributes, &blocked)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        let words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var pid = pid_t()
        let code = unsafe posix_spawn(&pid, program, &actions, &attributes, words, environ)
        guard code == 0 else {
            close(ends[1])
            throw FileError(action: "start", path: program, code: code)
        }
        self.pid = pid
        input = ends[1]
    }

    deinit { close(input) }

    /// Asks it to save and stop; a second time does nothing.
    func stop() {
        guard !isAsked else { return }
        isAsked = true
        kill(pid, SIGTERM)
    }

    /// Its exit status, or 128 plus the number of the signal that ended it; nil while it runs.
    func endedStatus() -> Int32? {
        var status: Int32 = 0
        guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
}

/// Waits for a short time.
func pause(milliseconds: UInt32) { usleep(1000 * milliseconds) }
