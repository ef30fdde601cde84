import FalconParquet
import FalconSystem

/// A problem with documents or shards.
public enum DataError: FalconError, Equatable {
    /// A document cannot be read.
    case invalidDocument(path: String, place: DocumentPlace?, reason: String)
    /// An input holds no document.
    case emptyInput(path: String)
    /// A folder holds no file whose name says that it is text.
    case noReadableFiles(path: String, leftOut: String?)
    /// A file is of a kind that holds no text; what to do depends on the kind.
    case notText(path: String, kind: String, advice: String)
    /// First bytes and name do not decide how documents lie in a file, or show an unknown format.
    case undecidedFormat(path: String, found: String, remedy: String)
    /// A link points to nothing.
    case danglingLink(path: String, target: String)
    /// An entry of a folder is a pipe, socket or device.
    case notAFile(path: String)
    /// Every document was empty or skipped, or all fell in the validation split.
    case noTrainingDocuments(reason: String)
    /// A file that is named as one text cannot be read as such.
    case unreadableText(path: String, reason: String)
    /// A compressed file is damaged or cut short.
    case damagedCompression(path: String, reason: String)
    /// A Parquet file is damaged, of an unknown kind, or lacks the column.
    case unreadableParquet(ParquetError)
    /// A compressed pipe is damaged, and documents before the damage are used already.
    case damagedStream(path: String, reason: String)
    /// One document is larger than the tokenizer can take.
    case documentTooLarge(path: String, place: DocumentPlace?, limitBytes: Int)
    /// Shards and tokenizer do not belong together.
    case tokenizerMismatch(path: String, got: String, wanted: String)
    /// Data sets that are mixed were written with different tokenizers.
    case mixedTokenizers(path: String, got: String, other: String, wanted: String)
    /// Two data sets of a mixture are the same.
    case sameData(path: String, other: String)
    /// A run would read a data set more often than its recipe allows.
    case tooManyRepeats(path: String, tokens: Int, epochs: Double, limit: Double)
    /// A file of the tokenizer beside the shards is not the one that was written.
    case damagedTokenizer(path: String, got: String, wanted: String)
    /// The output folder holds a data set already.
    case outputExists(path: String)
    /// `index.json` lacks something, or holds something impossible.
    case invalidIndex(path: String, reason: String)
    /// A shard is not as long as the index says.
    case wrongShardSize(path: String, got: Int, wanted: Int)
    /// Some bytes of a shard are not those that were written.
    case damagedShard(path: String, bytes: Range<Int>, reason: String)
    /// A split has too few tokens for one sample.
    case splitTooShort(path: String, split: Split, tokenCount: Int, wanted: Int)
    /// A list of documents to leave out was made of other documents.
    case otherInput(path: String, differences: [String])
    /// An input that must be read twice can be read only once.
    case readOnce(path: String, advice: String)
    /// A file was written to or replaced while it was read.
    case changedInput(path: String)
    /// There are more documents than can be compared.
    case tooManyDocuments(limit: Int)
    /// An option has an impossible value.
    case invalidOption(name: String, got: String, wanted: String)

    /// The end of the message about an item that can be left out.
    private static let skipAdvice = ", or leave out such items with --skip-bad-documents"

    /// The message: what failed, what was found and wanted, where, and what to do.
    public var description: String {
        isOfOneItem ? finding + "; " + remedy + Self.skipAdvice : finding
    }

    /// Whether the error is about one file or document, without which the others can be used.
    var isOfOneItem: Bool {
        switch self {
        case .invalidDocument, .emptyInput, .damagedCompression, .documentTooLarge, .notText,
            .undecidedFormat, .danglingLink, .notAFile, .unreadableParquet:
            true
        default: false
        }
    }

    /// The place of one file or document that can be left out.
    var item: (path: String, place: DocumentPlace?) {
        switch self {
        case .invalidDocument(let path, let place, _), .documentTooLarge(let path, let place, _):
            (path, place)
        case .unreadableParquet(let error): (error.path, nil)
        case .emptyInput(let path), .damagedCompression(let path, _), .notText(let path, _, _),
            .undecidedFormat(let path, _, _), .danglingLink(let path, _), .notAFile(let path):
            (path, nil)
        default: ("", nil)
        }
    }

    /// The remedy for one file or document.
    private var remedy: String {
        switch self {
        case .invalidDocument: "correct it"
        case .emptyInput: "give a file with text in it"
        case .damagedCompression: "copy or compress the file again"
        case .unreadableParquet(let error): error.remedy
        case .documentTooLarge: "split it, or give one document per line as jsonl"
        case .notText(_, _, let advice): advice
        case .undecidedFormat(_, _, let remedy): "say " + remedy
        case .danglingLink: "remove or repair it"
        case .notAFile: "name it directly to read it"
        default: ""
        }
    }

    /// The finding: what failed, what was found and wanted, where; for most errors also what to do.
    public var finding: String {
        switch self {
        case .invalidDocument(let path, let place, let reason):
            return "\(self.place(path, place)): \(reason)"
        case .emptyInput(let path): return "\(path) is empty: it holds no document"
        case .damagedCompression(let path, let reason):
            return "\(path): cannot decompress: \(reason)"
        case .unreadableParquet(let error): return error.finding
        case .documentTooLarge(let path, let place, let limitBytes):
            return "\(self.place(path, place)): the document is larger than \(limitBytes) bytes"
        case .damagedStream(let path, let reason):
            return
                "\(path): cannot decompress: \(reason); a pipe cannot be left out in the middle: give the "
                + "file itself, which is checked before it is used"
        case .notText(let path, let kind, _): return "\(path) is \(kind)"
        case .undecidedFormat(let path, let found, _): return "\(path): \(found)"
        case .danglingLink(let path, let target):
            return "\(path) is a link to \(target), which does not exist"
        case .notAFile(let path): return "\(path) is a pipe, socket or device, not a file"
        case .noReadableFiles(let path, let leftOut):
            return "\(path) holds no file whose name ends in "
                + DocumentFormat.knownEndings.joined(separator: ", ")
                + " (or those with "
                + Compression.allCases.map(\.ending).joined(separator: ", ") + ")"
                + (leftOut.map { ", but for instance \($0)" } ?? "")
                + "; name such files or folders directly, or their format: --format text, jsonl or "
                + "parquet"
        case .noTrainingDocuments(let reason):
            return "no training document: \(reason)"
        case .tokenizerMismatch(let path, let got, let wanted):
            return "\(path): the shards were written with tokenizer \(got), not with \(wanted); "
                + "tokenize again, or use the tokenizer.model beside the shards"
        case .mixedTokenizers(let path, let got, let other, let wanted):
            return
                "\(path) was written with tokenizer \(got), \(other) with \(wanted): their ids mean "
                + "different texts; tokenize one of them again with the tokenizer of the other"
        case .sameData(let path, let other):
            return
                "\(path) and \(other) hold the same tokens; name the data set once, with one weight"
        case .tooManyRepeats(let path, let tokens, let epochs, let limit):
            return
                "\(path): the run would read \(tokens) tokens of it, \(decimal(epochs, places: 2)) times "
                + "its training split, and max_repeats is \(decimal(limit, places: 2)); lower its weight "
                + "or the tokens of the run, raise max_repeats, or give more data"
        case .damagedTokenizer(let path, let got, let wanted):
            return
                "\(path): SHA-256 is \(got), want \(wanted) as index.json says: it is not the file "
                + "that the shards were written with; copy that one here, or run falcon tokenize again"
        case .unreadableText(let path, let reason): return "\(path): \(reason)"
        case .outputExists(let path):
            return "\(path) holds a data set already; choose another --output, or replace it with "
                + "--overwrite"
        case .invalidIndex(let path, let reason):
            return "\(path): \(reason); write the shards again with falcon tokenize"
        case .wrongShardSize(let path, let got, let wanted):
            return "\(path): \(got) bytes long, want \(wanted) as index.json says: the file is "
                + (got < wanted ? "cut short" : "not the one that was written")
                + "; copy it again, or run falcon tokenize again"
        case .damagedShard(let path, let bytes, let reason):
            return "\(path): bytes \(bytes.lowerBound) to \(bytes.upperBound - 1) are damaged: "
                + "\(reason); copy the file again, or run falcon tokenize again"
        case .splitTooShort(let path, .validation, 0, _):
            return
                "\(path) has no validation part: no document was held out; tokenize it again with "
                + "more text or a larger --validation-fraction, or score a text file with "
                + "falcon eval --text"
        case .splitTooShort(let path, let split, let tokenCount, let wanted):
            return "\(path): the \(split.rawValue) split has \(tokenCount) tokens, want at least "
                + "\(wanted) for one sample; give more text, a shorter sequence_length, or "
                + "another --validation-fraction"
        case .otherInput(let path, let differences):
            return "\(path) was made of other documents: \(differences.joined(separator: "; ")); "
                + "write it again with falcon data duplicates and the same files and options"
        case .readOnce(let path, let advice):
            return "\(path) can be read only once: \(advice)"
        case .changedInput(let path):
            return
                "\(path) changed while it was read, so what was read of it may be of no one moment; "
                + "nothing was written: start again when nobody writes to it"
        case .tooManyDocuments(let limit):
            return
                "there are more than \(grouped(limit)) documents, which cannot be compared at once; "
                + "compare parts of them by themselves"
        case .invalidOption(let name, let got, let wanted):
            return "\(name) is \(got), want \(wanted)"
        }
    }

    /// 65 for bad data, 64 for an impossible option, 66 for a link to nothing, 73 for an output in
    /// the way.
    public var exitStatus: ExitStatus {
        switch self {
        case .invalidOption, .readOnce: .usage
        case .outputExists: .cannotCreate
        case .danglingLink: .missingInput
        default: .badData
        }
    }

    private func place(_ path: String, _ place: DocumentPlace?) -> String {
        place.map { "\(path), \($0)" } ?? path
    }
}

/// A part of a data set.
public enum Split: String, Codable, CaseIterable, Sendable {
    case train
    case validation
}
