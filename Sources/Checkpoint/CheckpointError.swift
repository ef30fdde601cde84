import FalconSystem

/// An error about damaged or unsuitable files of weights, with every problem found.
public struct CheckpointError: FalconError, Equatable {
    /// The file or folder that was read.
    public let path: String
    /// The problems, in the order of the file; never empty.
    public let problems: [CheckpointProblem]
    /// The advice to the reader of the message.
    public let advice: String

    /// An error over one or more problems.
    ///
    /// - Parameters:
    ///   - path: the file or folder that was read.
    ///   - problems: at least one.
    ///   - advice: a remedy, as a sentence without a full stop.
    public init(
        path: String, problems: [CheckpointProblem],
        advice: String = "copy or download the file again, or use another checkpoint"
    ) {
        self.path = path
        self.problems = problems
        self.advice = advice
    }

    /// The message for a person.
    public var description: String {
        if problems.count == 1 { return "\(path): \(problems[0]); \(advice)" }
        let shown = problems.prefix(Self.shownProblemLimit).map { "\n  - \($0)" }.joined()
        let hidden = problems.count - Self.shownProblemLimit
        let rest = hidden > 0 ? "\n  - and \(hidden) more" : ""
        return "\(path): \(problems.count) problems; \(advice)\(shown)\(rest)"
    }

    /// The most problems that a message lists: enough to see the pattern, few enough to read.
    private static let shownProblemLimit = 40

    /// The code that the program exits with.
    public var exitStatus: ExitStatus { .badData }
}

/// One problem with files of weights; the message prints the payloads.
public enum CheckpointProblem: Equatable, Sendable, CustomStringConvertible {
    // The container (safetensors).
    case fileTooShort(byteCount: Int)
    case headerTooLong(byteCount: UInt64, limit: Int)
    case headerOutsideFile(headerBytes: UInt64, fileBytes: Int)
    case headerNotJSON(String)
    case metadataNotText(key: String)
    case malformedEntry(tensor: String, reason: String)
    case unknownType(tensor: String, type: String)
    case sizeMismatch(tensor: String, got: Int, want: Int)
    case outsideBuffer(tensor: String, end: Int, bufferBytes: Int)
    case hole(tensor: String, begin: Int, want: Int)
    case overlap(tensor: String, begin: Int, previousEnd: Int)
    case bytesAfterLastTensor(got: Int, want: Int)

    // Several files that belong together.
    case indexMalformed(String)
    case tensorNotInShard(tensor: String, file: String)
    case tensorNotInIndex(tensor: String, file: String)
    case tensorInTwoFiles(tensor: String, first: String, second: String)

    // The tensors that a model needs.
    case missingTensor(String, like: String?)
    case extraTensor(String)
    case wrongShape(tensor: String, got: [Int], want: [Int])
    case unreadableType(tensor: String, got: ElementType, want: String)

    // The folder of a checkpoint.
    case missingFile(String)
    case wrongFileSize(file: String, got: Int, want: Int)
    case wrongDigest(file: String)
    case manifestMalformed(String)
    case unsupportedSchema(got: Int, want: Int)
    case stepDisagrees(folder: String, step: Int)

    /// The message for a person.
    public var description: String {
        switch self {
        case .fileTooShort(let byteCount):
            "\(byteCount) bytes are too few for a safetensors file, which has at least 10"
        case .headerTooLong(let byteCount, let limit):
            "the header claims \(byteCount) bytes, more than the format's limit of \(limit); "
                + "this is not a safetensors file"
        case .headerOutsideFile(let headerBytes, let fileBytes):
            "the header claims \(headerBytes) bytes, but the file has only \(fileBytes) in all; "
                + "it is cut off or not a safetensors file"
        case .headerNotJSON(let reason): "the header is \(reason)"
        case .metadataNotText(let key): "metadata \"\(key)\" is not a string"
        case .malformedEntry(let tensor, let reason): "tensor \(tensor): \(reason)"
        case .unknownType(let tensor, let type): "tensor \(tensor): unknown dtype \"\(type)\""
        case .sizeMismatch(let tensor, let got, let want):
            "tensor \(tensor): its range holds \(got) bytes, its shape and dtype need \(want)"
        case .outsideBuffer(let tensor, let end, let bufferBytes):
            "tensor \(tensor): ends at byte \(end) of the data, which has only \(bufferBytes); "
                + "the file is cut off"
        case .hole(let tensor, let begin, let want):
            "tensor \(tensor): begins at byte \(begin) of the data, leaving a hole after \(want)"
        case .overlap(let tensor, let begin, let previousEnd):
            "tensor \(tensor): begins at byte \(begin) of the data, "
                + "inside the tensor that ends at \(previousEnd)"
        case .bytesAfterLastTensor(let got, let want):
            "the data has \(got) bytes, but the tensors need \(want)"
        case .indexMalformed(let reason): "the index is malformed: \(reason)"
        case .tensorNotInShard(let tensor, let file):
            "tensor \(tensor): the index places it in \(file), which does not contain it"
        case .tensorNotInIndex(let tensor, let file):
            "tensor \(tensor): \(file) contains it, but the index does not place it there"
        case .tensorInTwoFiles(let tensor, let first, let second):
            "tensor \(tensor): is in both \(first) and \(second)"
        case .missingTensor(let tensor, let like):
            "tensor \(tensor) is missing" + (like.map { "; did you mean \($0)?" } ?? "")
        case .extraTensor(let tensor): "tensor \(tensor) is not part of the model"
        case .wrongShape(let tensor, let got, let want):
            "tensor \(tensor): its shape is \(got), want \(want)"
        case .unreadableType(let tensor, let got, let want):
            "tensor \(tensor): its dtype is \(got.rawValue), want \(want)"
        case .missingFile(let file): "\(file) is missing"
        case .wrongFileSize(let file, let got, let want):
            "\(file) has \(got) bytes, want \(want)"
        case .wrongDigest(let file): "\(file) is damaged: its SHA-256 is not the one written"
        case .manifestMalformed(let reason): "manifest.json is malformed: \(reason)"
        case .unsupportedSchema(let got, let want):
            "manifest.json has schema version \(got), but this program reads \(want)"
        case .stepDisagrees(let folder, let step):
            "manifest.json is of step \(step), but the folder is named \(folder)"
        }
    }
}
