import ArgumentParser
import FalconSystem

@main
struct Falcon: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "falcon",
        abstract: "Raw text to an evaluated, exported language model.",
        version: "0.1.0",
        subcommands: [
            TokenizerCommand.self, TokenizeCommand.self, PretrainCommand.self, SweepCommand.self,
            ReportCommand.self,
            PlanCommand.self,
            CoordCheckCommand.self, EvalCommand.self, GenerateCommand.self,
            ExportCommand.self, ImportCommand.self, CheckpointCommand.self,
            LogitsCommand.self, VerifyCommand.self, BenchCommand.self,
        ])

    static func main() {
        Signals.makeWritesFail()
        do {
            var command = try parseAsRoot()
            try command.run()
            try flushStandardOutput()
        } catch let error as any FalconError {
            writeToStandardError("falcon: \(error.description)\n")
            Falcon.exit(withError: ExitCode(error.exitStatus.rawValue))
        } catch {
            if exitCode(for: error) == .failure && !(error is ExitCode) {
                writeToStandardError("falcon: internal error: \(error)\n")
                Falcon.exit(withError: ExitCode(ExitStatus.internalError.rawValue))
            }
            Falcon.exit(withError: error)
        }
    }
}
