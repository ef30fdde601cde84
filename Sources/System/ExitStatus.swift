/// The exit codes of the `falcon` program, after sysexits(3).
public enum ExitStatus: Int32, Sendable {
    case done = 0
    /// A check or gate failed: the program worked, the answer is no.
    case checkFailed = 1
    case usage = 64
    case badData = 65
    case missingInput = 66
    /// Something that the machine must provide is not there: a library, a launcher that works.
    case unavailable = 69
    case internalError = 70
    case cannotCreate = 73
    /// Reading or writing failed, or the disk is full.
    case inputOutput = 74
    /// Stopped before the end with everything saved: run again with `--resume`.
    case stoppedButSaved = 75
    case badRecipe = 78
}

/// An error with a message for a person and an exit code for a script.
///
/// The message says what failed, what was found, what was wanted, where, and what to do.
public protocol FalconError: Error, CustomStringConvertible, Sendable {
    /// The code that the program exits with when this error ends it.
    var exitStatus: ExitStatus { get }
}
