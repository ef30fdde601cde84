import FalconSystem

/// A parameter without a group, or a group without parameters.
public enum OptimizerError: FalconError, Equatable {
    case unmatchedParameters([String])
    case emptyGroup(place: Int, rule: String)

    /// The message for a person.
    public var description: String {
        switch self {
        case .unmatchedParameters(let names):
            let shown = names.prefix(5).joined(separator: ", ")
            return "optimizer.groups: no rule matches \(names.count) parameters (\(shown)"
                + (names.count > 5 ? ", …" : "") + "); add a group for their role"
        case .emptyGroup(let place, let rule):
            return
                "optimizer.groups[\(place)] (\(rule)) matches no parameter that is left by the "
                + "groups before it; remove it or correct its roles and names"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus { .badRecipe }
}
