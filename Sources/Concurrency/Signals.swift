import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// The user's requests by signals since the handlers were installed.
///
/// SIGINT, SIGTERM and SIGHUP ask to save and stop, SIGUSR1 to save and continue. A second SIGINT
/// ends the program at once, unless a parent directs it, whose request may come in several ways.
public enum Signals {
    // Written by the handler and read by the program: one machine word each, no locks in a handler.
    nonisolated(unsafe) private static let flags: UnsafeMutablePointer<sig_atomic_t> = {
        // Stop; save; interrupted once; directed by a parent.
        let flags = UnsafeMutablePointer<sig_atomic_t>.allocate(capacity: 4)
        flags.initialize(repeating: 0, count: 4)
        return flags
    }()

    /// The handler's message at the first request to stop; written before the handler is installed.
    nonisolated(unsafe) private static var notice: UnsafeMutableRawBufferPointer?

    /// Turns writing to a closed pipe, or beyond the limit on the size of a file, into an error of the
    /// write that can be reported; by default either would end the program silently.
    public static func makeWritesFail() {
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
    }

    /// Starts to listen.
    ///
    /// - Parameter notice: written to standard error at once when a signal asks to stop, while the program
    ///   may be busy for long; nil for nothing.
    public static func install(notice: String? = nil) {
        _ = flags
        if let notice {
            let bytes = Array(notice.utf8)
            let buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: bytes.count, alignment: 1)
            buffer.copyBytes(from: bytes)
            Signals.notice = buffer
        }
        // A parent's blocked signals are inherited; these must arrive.
        var wanted = sigset_t()
        sigemptyset(&wanted)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] {
            // Under nohup the signal stays ignored.
            if number == SIGHUP && isIgnored(number) { continue }
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                if number == SIGUSR1 {
                    Signals.flags[1] = 1
                } else {
                    if number == SIGINT {
                        if Signals.flags[2] != 0 && Signals.flags[3] == 0 { _exit(130) }
                        Signals.flags[2] = 1
                    }
                    if Signals.flags[0] == 0, let notice = Signals.notice {
                        let code = errno
                        _ = write(STDERR_FILENO, notice.baseAddress, notice.count)
                        errno = code
                    }
                    Signals.flags[0] = 1
                }
            }
            // Without SA_RESTART a blocking read ends, so that the program sees the request.
            sigaction(number, &action, nil)
            sigaddset(&wanted, number)
        }
        pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var current = sigaction()
        sigaction(number, nil, &current)
        return unsafeBitCast(current.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Asks to save and stop when standard input ends.
    ///
    /// A parent that holds the other end of a pipe takes its children with it, even if it is killed. From
    /// now on no number of signals ends the program before it has saved.
    ///
    /// - Throws: `FileError` if the system gives no thread to wait.
    public static func requestStopAtEndOfInput() throws(FileError) {
        flags[3] = 1
        _ = try WorkerThread {
            var bytes = [UInt8](repeating: 0, count: 256)
            var count = 1
            while count > 0 || (count < 0 && errno == EINTR) {
                count = bytes.withUnsafeMutableBytes {
                    read(STDIN_FILENO, $0.baseAddress, $0.count)
                }
            }
            Signals.flags[0] = 1
        }
    }

    /// Whether the program should save and stop.
    public static var stopRequested: Bool { flags[0] != 0 }

    /// Whether the program should save and continue; asking clears the request.
    public static func takeSaveRequest() -> Bool {
        let requested = flags[1] != 0
        flags[1] = 0
        return requested
    }
}
