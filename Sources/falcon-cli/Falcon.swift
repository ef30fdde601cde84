import ArgumentParser
import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

@main
struct Falcon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "falcon", abstract: "Raw text to an evaluated, exported language model.",
        subcommands: [TokenizerCommand.self, TokenizeCommand.self])

    /// Runs the command; the only place where an error becomes text and an exit code.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as any FalconError {
            writeToStandardError("falcon: \(error)\n")
            Glibc.exit(error.exitStatus.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}
