import ArgumentParser
import FalconConcurrency
import FalconSystem

@main
struct Falcon: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "falcon",
        abstract: "From raw text to an evaluated, exported language model.",
        version: "0.1.0",
        subcommands: [
            TokenizerCommand.self, TokenizeCommand.self, DataCommand.self,
            DocumentsCommand.self,
            PretrainCommand.self, SweepCommand.self,
            ReportCommand.self,
            PlanCommand.self,
            CoordCheckCommand.self, EvalCommand.self, GenerateCommand.self,
            ExportCommand.self, ImportCommand.self, CheckpointCommand.self,
            LogitsCommand.self, VerifyCommand.self, BenchCommand.self,
        ])

    static func main() {
        Signals.makeWritesFail()
        holdStandardStreams()
        var code = runCommand()
        do {
            try flushStandardOutput()
        } catch {
            // A result that was not written is no result; other codes already name a problem.
            if code == ExitStatus.done.rawValue || code == ExitStatus.checkFailed.rawValue {
                code = report(error)
            }
        }
        exit(withError: ExitCode(code))
    }

    /// Runs the command of the command line and reports its errors.
    ///
    /// - Returns: the exit code.
    private static func runCommand() -> Int32 {
        do {
            if let problem = CommandNames.problem(in: Array(CommandLine.arguments.dropFirst())) {
                throw problem
            }
            var command = try parseAsRoot()
            try command.run()
            return ExitStatus.done.rawValue
        } catch let error as any FalconError {
            return report(error)
        } catch {
            let code = exitCode(for: error)
            if code == .failure && !(error is ExitCode) {
                writeToStandardError("falcon: internal error: \(error)\n")
                return ExitStatus.internalError.rawValue
            }
            let message = fullMessage(for: error)
            if code.isSuccess {
                // Help and the version are results like others.
                print(message)
            } else if !message.isEmpty {
                writeToStandardError(message + "\n")
            }
            return code.rawValue
        }
    }

    private static func report(_ error: any FalconError) -> Int32 {
        writeToStandardError("falcon: \(error.description)\n")
        return error.exitStatus.rawValue
    }
}
