import FalconTestSupport
import Foundation

/// Runs a program of the system and gives what it wrote to standard output.
func output(of program: String, _ arguments: [String]) throws -> [UInt8] {
    let outcome = try Program.start(
        [program] + arguments, of: "/usr/bin/env", in: FileManager.default.currentDirectoryPath
    ).outcome()
    guard outcome.status == 0 else { throw ProgramFailure(program: program, outcome.errors) }
    return outcome.outputBytes
}

struct ProgramFailure: Error {
    let program: String
    let errors: String

    init(program: String, _ errors: String) { (self.program, self.errors) = (program, errors) }
}
