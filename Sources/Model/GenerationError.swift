import FalconSystem

/// The reasons why no next token can be chosen.
public enum GenerationError: FalconError, Equatable {
    /// A logit is infinite or NaN, so there are no probabilities.
    case notFinite(token: Int, logit: Float)
    /// No token is allowed.
    case nothingAllowed

    /// The message for a person.
    public var description: String {
        switch self {
        case .notFinite(let token, let logit):
            "cannot choose the next token: the logit of token \(token) is \(logit); the model's "
                + "activations overflow, so use an earlier checkpoint"
        case .nothingAllowed:
            "cannot choose the next token: no token of the model's vocabulary can be written; use the "
                + "tokenizer that the model was trained with"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus { .badData }
}
