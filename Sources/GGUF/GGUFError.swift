import FalconSystem

/// An error about a damaged or unsuitable GGUF file, or about weights that one cannot hold.
public struct GGUFError: FalconError, Equatable {
    /// The file that was read or was to be written.
    public let path: String
    /// The problem.
    public let problem: GGUFProblem

    /// An error about a file.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - problem: the problem with it.
    public init(path: String, problem: GGUFProblem) {
        self.path = path
        self.problem = problem
    }

    /// The message for a person.
    public var description: String { "\(path): \(problem); \(problem.advice)" }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus { .badData }
}

/// One problem with a GGUF file; the message prints the payloads.
public enum GGUFProblem: Equatable, Sendable, CustomStringConvertible {
    // The container.
    case notGGUF
    case bigEndian
    case unsupportedVersion(UInt32)
    case cutOff(reading: String, offset: Int)
    case tooMany(what: String, got: UInt64, remainingBytes: Int)
    case notText(what: String)
    case emptyKey
    case duplicateKey(String)
    case unknownValueType(key: String, got: UInt32)
    case nestedArray(key: String)
    case notBoolean(key: String, got: UInt8)
    case badAlignment(got: String)

    // The table of tensors.
    case badTensorName(got: Int, limit: Int)
    case duplicateTensor(String)
    case badDimensionCount(tensor: String, got: UInt32)
    case badShape(tensor: String, got: [UInt64])
    case unreadableType(tensor: String, got: UInt32)
    case brokenRows(tensor: String, rowLength: Int, type: GGMLType)
    case unaligned(tensor: String, offset: UInt64, alignment: Int)
    case outsideFile(tensor: String, end: UInt64, dataByteCount: Int)
    case overlap(tensor: String, offset: Int, previousEnd: Int)

    // The files of a split model.
    case partName(number: Int, count: Int)
    case missingPart(String, number: Int, count: Int)
    case wrongPart(want: String)
    case partTensorCount(got: Int, want: Int, parts: Int)

    // The keys and tensors asked for.
    case missingKey(String, want: String)
    case wrongValueType(key: String, got: String, want: String)
    case missingTensor(String)

    // The values to be written.
    case notFinite(tensor: String, type: GGMLType, row: Int, column: Int, value: Float)
    case outOfRange(tensor: String, type: GGMLType)

    /// The message for a person.
    public var description: String {
        switch self {
        case .notGGUF: "the file does not begin with \"GGUF\""
        case .bigEndian: "the file is a big-endian GGUF file; this program reads little-endian ones"
        case .unsupportedVersion(let version):
            "GGUF version \(version); this program reads 2 and 3"
        case .cutOff(let reading, let offset):
            "the file ends inside \(reading) at byte \(offset)"
        case .tooMany(let what, let got, let remainingBytes):
            "the file claims \(got) \(what), but only \(remainingBytes) bytes are left"
        case .notText(let what): "\(what) is not UTF-8 text"
        case .emptyKey: "a metadata key is empty"
        case .duplicateKey(let key): "metadata \(key) occurs twice"
        case .unknownValueType(let key, let got):
            "metadata \(key): unknown value type \(got), want 0 to 12"
        case .nestedArray(let key):
            "metadata \(key): an array of arrays, want an array of plain values"
        case .notBoolean(let key, let got): "metadata \(key): a BOOL of \(got), want 0 or 1"
        case .badAlignment(let got):
            "metadata \(GGUFMetadata.alignmentKey) is \(got), want a U32 that is a power of two"
        case .badTensorName(let got, let limit):
            "a tensor's name has \(got) bytes, want 1 to \(limit)"
        case .duplicateTensor(let tensor): "tensor \(tensor) occurs twice"
        case .badDimensionCount(let tensor, let got):
            "tensor \(tensor): \(got) dimensions, want 1 to 4"
        case .badShape(let tensor, let got):
            "tensor \(tensor): its lengths \(got) include 0 or are larger than any file"
        case .unreadableType(let tensor, let got):
            "tensor \(tensor): its elements are \(GGMLType.description(of: got)); this program reads "
                + GGMLType.allCases.map(\.name).joined(separator: ", ")
        case .brokenRows(let tensor, let rowLength, let type):
            "tensor \(tensor): rows of \(rowLength) elements, "
                + "want a multiple of \(type.blockLength) for \(type.name)"
        case .unaligned(let tensor, let offset, let alignment):
            "tensor \(tensor): begins at byte \(offset) of the data, want a multiple of \(alignment)"
        case .outsideFile(let tensor, let end, let dataByteCount):
            "tensor \(tensor): ends at byte \(end) of the data, which has only \(dataByteCount)"
        case .overlap(let tensor, let offset, let previousEnd):
            "tensor \(tensor): begins at byte \(offset) of the data, "
                + "inside the tensor that ends at \(previousEnd)"
        case .partName(let number, let count):
            "the file is part \(number) of \(count) of a split model, but its name does not say so"
        case .missingPart(let path, let number, let count):
            "the model is split into \(count) files, of which \(path) (part \(number)) is missing"
        case .wrongPart(let want): "the file is not \(want) of the split model that its name says"
        case .partTensorCount(let got, let want, let parts):
            "the \(parts) files of the split model have \(got) tensors in all, want \(want)"
        case .missingKey(let key, let want): "metadata \(key) is missing, want \(want)"
        case .wrongValueType(let key, let got, let want):
            "metadata \(key) is \(got), want \(want)"
        case .missingTensor(let tensor): "tensor \(tensor) is missing"
        case .notFinite(let tensor, let type, let row, let column, let value):
            "tensor \(tensor): the value in row \(row), column \(column) is \(value), "
                + "which \(type.name) cannot hold"
        case .outOfRange(let tensor, let type):
            "tensor \(tensor): a value is too large for \(type.name)"
        }
    }

    /// The advice to the reader of the message, as a sentence without a full stop.
    var advice: String {
        switch self {
        case .notGGUF: "give a .gguf file"
        case .bigEndian, .unsupportedVersion, .unreadableType, .nestedArray:
            "convert the model again with another file type or a newer converter"
        case .missingKey, .wrongValueType, .missingTensor:
            "the file may be of another kind of model; convert it again"
        case .partName:
            "rename it to NAME-00001-of-0000N.gguf, with its numbers, as gguf-split does"
        case .missingPart: "put all files of the model into one folder"
        case .notFinite: "the weights are damaged or training diverged; use an earlier checkpoint"
        case .outOfRange: "choose a file type with a wider range, such as bf16 or f32"
        default: "copy or download the file again"
        }
    }
}
