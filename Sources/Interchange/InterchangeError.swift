import FalconModel
import FalconSystem

/// A foreign file that does not fit what this program can represent.
public enum InterchangeError: FalconError, Equatable {
    /// A `config.json` that describes another model, with every reason.
    case configuration(path: String, problems: [ConfigurationProblem])
    /// A tokenizer that the foreign format cannot express.
    case tokenizer(reason: String, advice: String)
    /// A model that the foreign format cannot express.
    case model(reason: String, advice: String)
    /// A weight that is infinite or NaN.
    case notFinite(path: String, tensor: String, element: Int, value: Float)
    /// A model without the tokenizer needed for text.
    case noTokenizer(path: String, origin: ModelFiles.Origin)
    /// A folder or file that a killed command left behind.
    case unfinished(path: String)
    /// A path that is neither a checkpoint, nor a run, nor a Hugging Face folder.
    case notAModel(path: String)
    /// A run without a whole checkpoint, with the problem of each.
    case noCheckpoint(path: String, reasons: [String])
    /// An export that differs from its source.
    case differs(model: String, check: ExportCheck, tolerance: ExportTolerance)

    /// The message for a person.
    public var description: String {
        switch self {
        case .configuration(let path, let problems):
            let names = Architecture.huggingFaceClasses.map { $0.name }.joined(separator: ", ")
            let advice =
                "this program reads models of the classes \(names) that have only parts it trains"
            if problems.count == 1 { return "\(path): \(problems[0]); \(advice)" }
            let list = problems.map { "\n  - \($0)" }.joined()
            return "\(path): \(problems.count) problems; \(advice)\(list)"
        case .tokenizer(let reason, let advice), .model(let reason, let advice):
            return "\(reason); \(advice)"
        case .notFinite(let path, let tensor, let element, let value):
            return
                "\(path): element \(element) of \(tensor) is \(value), want finite weights: the model "
                + "is damaged or its training diverged; use an earlier checkpoint (`falcon ckpt info "
                + "MODEL --tensors` counts such weights)"
        case .noTokenizer(let path, let origin):
            let advice =
                origin == .gguf
                ? "convert it again with its vocabulary"
                : "put the model's tokenizer.model or tokenizer.json into the folder"
            return
                "\(path) has no tokenizer, so it cannot read text; \(advice), or use token ids: "
                + "`falcon generate` and `falcon logits` take --ids"
        case .unfinished(let path):
            return
                "\(path) is unfinished: a stopped command left it, or a command is still writing "
                + "it; run that command again"
        case .notAModel(let path):
            return "\(path) is not a model: it is not a GGUF file, and holds neither manifest.json "
                + "(a checkpoint), nor checkpoints/ (a run), nor config.json (a Hugging Face "
                + "folder); check the path"
        case .noCheckpoint(let path, let reasons):
            if reasons.isEmpty { return "\(path) has no checkpoint yet; train first" }
            let list = reasons.map { "\n  - \($0)" }.joined()
            return "\(path) has no whole checkpoint; restore one from a copy\(list)"
        case .differs(let model, let check, let tolerance):
            return
                "the export differs from \(model): the logits by "
                + "\(scientific(check.relativeDifference, places: 2)) of their deviation (want at most "
                + "\(tolerance.relative)) and by \(scientific(check.largestDifference, places: 2)) at "
                + "most (limit \(tolerance.largest)); nothing was written"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus {
        switch self {
        case .notAModel: .missingInput
        case .noCheckpoint(_, let reasons): reasons.isEmpty ? .missingInput : .badData
        case .configuration, .tokenizer, .model, .notFinite, .unfinished: .badData
        case .noTokenizer: .missingInput
        case .differs: .checkFailed
        }
    }
}

/// One field of a `config.json` that cannot be used.
public struct ConfigurationProblem: Equatable, Sendable, CustomStringConvertible {
    /// The key in the file.
    public let key: String
    /// The message: the value found and the value wanted.
    public let message: String

    /// A problem of one field.
    ///
    /// - Parameters:
    ///   - key: the key in the file.
    ///   - message: the value found and the value wanted.
    public init(key: String, message: String) {
        self.key = key
        self.message = message
    }

    /// The message for a person.
    public var description: String { "\(key): \(message)" }
}
