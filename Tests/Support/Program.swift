import Foundation

/// The built program, run as a shell would run it.
package enum Program {
    /// The `falcon` beside the running test bundle, and so of the same configuration.
    package static let path: String = {
        let tests = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var folder = URL(fileURLWithPath: tests ?? CommandLine.arguments[0])
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            let program = folder.appendingPathComponent("falcon").path
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: program, isDirectory: &isFolder),
                !isFolder.boolValue
            {
                return program
            }
        }
        preconditionFailure("no program falcon above \(tests ?? "the test bundle"); build it first")
    }()

    /// Starts a program in a folder; output goes to files, standard input is a file or empty.
    package static func start(
        _ arguments: [String], of program: String = path, in folder: String, input: Data? = nil,
        outputTo outputPath: String? = nil, blockingSignals: Bool = false
    ) throws -> RunningProgram {
        let scratch = FileManager.default.temporaryDirectory.path
        let name = scratch + "/falcon-io-\(UUID().uuidString)"
        let files = try ["in", "out", "err"].map { kind in
            let file = "\(name).\(kind)"
            try (kind == "in" ? input ?? Data() : Data()).write(to: URL(fileURLWithPath: file))
            return file
        }
        func handle(_ path: String, writing: Bool = true) throws -> FileHandle {
            let url = URL(fileURLWithPath: path)
            return writing
                ? try FileHandle(forWritingTo: url) : try FileHandle(forReadingFrom: url)
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardInput = try handle(files[0], writing: false)
        process.standardOutput = try handle(outputPath ?? files[1])
        process.standardError = try handle(files[2])
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        if blockingSignals { try process.runWithoutSignals() } else { try process.runWithSignals() }
        return RunningProgram(process: process, ended: ended, files: files)
    }
}

/// A program that was started.
package struct RunningProgram {
    /// The process itself.
    package let process: Process
    fileprivate let ended: DispatchSemaphore
    fileprivate let files: [String]

    /// Whether it has not ended yet.
    package var isRunning: Bool { process.isRunning }

    /// Sends it a signal.
    package func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits for the end, and ends a program that hangs.
    package func outcome() throws -> Outcome {
        if ended.wait(timeout: .now() + .seconds(120)) == .timedOut {
            send(SIGKILL)
            ended.wait()
        }
        defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
        return Outcome(
            status: process.terminationStatus,
            endedBySignal: process.terminationReason == .uncaughtSignal,
            outputBytes: try load(files[1]),
            errors: String(decoding: try load(files[2]), as: UTF8.self))
    }
}

/// The end of a program and its output.
package struct Outcome {
    /// The exit status, or the signal's number.
    package let status: Int32
    /// Whether a signal ended it.
    package let endedBySignal: Bool
    /// Standard output.
    package let outputBytes: [UInt8]
    /// Standard error.
    package let errors: String

    /// Standard output as text.
    package var output: String { String(decoding: outputBytes, as: UTF8.self) }

    /// Standard output as one JSON object.
    package func json() throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any] ?? [:]
    }
}

extension Process {
    /// Starts the process as a shell does, with signals unblocked: the threads that run tests block
    /// signals, which a child would inherit.
    package func runWithSignals() throws {
        var none = sigset_t()
        sigemptyset(&none)
        try run(withMask: none)
    }

    /// Starts the process as some parents do: with all signals blocked.
    package func runWithoutSignals() throws {
        var all = sigset_t()
        sigfillset(&all)
        try run(withMask: all)
    }

    private func run(withMask mask: sigset_t) throws {
        var mask = mask
        var old = sigset_t()
        pthread_sigmask(SIG_SETMASK, &mask, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        try run()
    }
}
