import FalconModel
import FalconSystem

/// A measurement that cannot be made as asked for.
public enum BenchError: FalconError, Equatable {
    /// An architecture that has no form with only attention.
    case noAttention(architecture: Architecture)
    /// No kernel has this in its name.
    case noSuchKernel(filter: String, names: [String])
    /// There is nobody to send messages to.
    case oneRank

    /// The message for a person.
    public var description: String {
        switch self {
        case .noAttention(let architecture):
            "\(architecture.rawValue) has no form with only attention; name a falcon-h1 recipe"
        case .noSuchKernel(let filter, let names):
            "no kernel is named \"\(filter)\"; the kernels are: \(names.joined(separator: ", "))"
        case .oneRank:
            "there is 1 rank, and nothing to measure between ranks; start at least 2, on the hosts between which "
                + "the network is to be measured"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus { .usage }
}
