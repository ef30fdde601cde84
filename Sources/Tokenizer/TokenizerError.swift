import FalconSystem

/// A problem with a tokenizer or with its input.
public enum TokenizerError: FalconError, Equatable {
    /// A file is not a SentencePiece model.
    case invalidModel(path: String, reason: String)
    /// A file of a tokenizer holds something impossible, or asks for something unknown.
    case unsupported(path: String, part: String, got: String, wanted: String)
    /// The SentencePiece trainer failed, for instance because of the vocabulary size.
    case trainingFailed(reason: String)
    /// The text has too few different words for the vocabulary of a byte-level tokenizer.
    case tooFewPairs(got: Int, wanted: Int, minimumCount: Int)
    /// The tokenizer lacks a piece that is needed.
    case missingPiece(path: String, piece: String)
    /// The tokenizer library refused a text or some ids.
    case failed(action: String, reason: String)
    /// A token id is not in the vocabulary.
    case tokenOutOfRange(id: Int32, vocabularyCount: Int)
    /// An option has an impossible value.
    case invalidOption(name: String, got: String, wanted: String)

    /// The message: what failed, what was found and wanted, where, and what to do.
    public var description: String {
        switch self {
        case .invalidModel(let path, let reason):
            return "\(path) is not a SentencePiece model: \(reason); "
                + "make one with falcon tokenizer train"
        case .unsupported(let path, let part, let got, let wanted):
            return "\(path): \(part) is \(got), want \(wanted); "
                + "use a tokenizer of a kind that this program knows"
        case .trainingFailed(let reason):
            return "cannot train the tokenizer: \(reason) "
                + "(options: --vocab-size, --character-coverage)"
        case .tooFewPairs(let got, let wanted, let minimumCount):
            let less = minimumCount > 1 ? ", or lower --min-frequency" : ""
            return "cannot train the tokenizer: the text gives \(got) tokens, of pairs seen "
                + "\(minimumCount) times or more; wanted \(wanted); give more text or a smaller "
                + "--vocab-size\(less)"
        case .missingPiece(let path, let piece):
            return "\(path): no file of the tokenizer names its \(piece) token, which ends every "
                + "document; put the tokenizer_config.json that belongs to it beside it, with "
                + "\"eos_token\", or train a tokenizer with falcon tokenizer train"
        case .failed(let action, let reason):
            return "cannot \(action): \(reason)"
        case .tokenOutOfRange(let id, let vocabularyCount):
            return "token \(id) is not in the vocabulary: ids run from 0 to \(vocabularyCount - 1)"
        case .invalidOption(let name, let got, let wanted):
            return "\(name) is \(got), want \(wanted)"
        }
    }

    /// 65 for a tokenizer or ids that are wrong, 64 for an impossible option, 70 for a failure of
    /// the library.
    public var exitStatus: ExitStatus {
        switch self {
        case .invalidOption: .usage
        case .failed: .internalError
        default: .badData
        }
    }
}
