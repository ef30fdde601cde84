import FalconSystem

/// What can be wrong with documents, tokenizers and shards.
public enum DataError: FalconError, Equatable {
    /// A document cannot be read; `line` counts from 1 in the decompressed text.
    case invalidDocument(path: String, line: Int?, reason: String)
    /// An input holds no document at all.
    case emptyInput(path: String)
    /// A folder holds no file whose name says that it is text.
    case noReadableFiles(path: String)
    /// Every document was empty or skipped, or all fell in the validation split.
    case noTrainingDocuments(reason: String)
    /// A `.gz` or `.zst` file is damaged or cut short.
    case damagedCompression(path: String, reason: String)
    /// One document is larger than the tokenizer can take.
    case documentTooLarge(path: String, line: Int?, limitBytes: Int)
    /// A file is not a SentencePiece model.
    case invalidTokenizer(path: String, reason: String)
    /// A `tokenizer.json` says what cannot be, or asks for what is not known.
    case unsupportedTokenizer(path: String, part: String, got: String, wanted: String)
    /// The SentencePiece trainer gave up, for instance because of the vocabulary size.
    case trainingFailed(reason: String)
    /// Shards and tokenizer do not belong together.
    case tokenizerMismatch(path: String, got: String, wanted: String)
    /// The tokenizer lacks a piece that is needed.
    case missingPiece(path: String, piece: String)
    /// The tokenizer library refused a text or some ids.
    case tokenizerFailed(action: String, reason: String)
    /// A token id is not in the vocabulary.
    case tokenOutOfRange(id: Int32, vocabularyCount: Int)
    /// The output folder holds a data set already.
    case outputExists(path: String)
    /// `index.json` is missing something, or says what cannot be.
    case invalidIndex(path: String, reason: String)
    /// A shard is not as long as the index says.
    case wrongShardSize(path: String, got: Int, wanted: Int)
    /// Some bytes of a shard are not those that were written.
    case damagedShard(path: String, bytes: Range<Int>, reason: String)
    /// A split has too few tokens for one sample.
    case splitTooShort(path: String, split: Split, tokenCount: Int, wanted: Int)
    /// An option has a value that makes no sense.
    case invalidOption(name: String, got: String, wanted: String)

    /// What failed, what was found and wanted, where, and what to do.
    public var description: String {
        switch self {
        case .invalidDocument(let path, let line, let reason):
            return "\(place(path, line)): \(reason); "
                + "correct it, or skip such documents with --skip-bad-documents"
        case .emptyInput(let path):
            return "\(path) is empty: it holds no document; give a file with text in it"
        case .noReadableFiles(let path):
            return "\(path) holds no file whose name ends in "
                + DocumentFormat.knownEndings.joined(separator: ", ")
                + " (or those with .gz or .zst); name the format with --format text or jsonl"
        case .noTrainingDocuments(let reason):
            return "no training document: \(reason)"
        case .damagedCompression(let path, let reason):
            return "\(path): cannot decompress: \(reason); copy or compress the file again"
        case .documentTooLarge(let path, let line, let limitBytes):
            return "\(place(path, line)): the document is larger than \(limitBytes) bytes; "
                + "split it, or give one document a line as jsonl"
        case .invalidTokenizer(let path, let reason):
            return "\(path) is not a SentencePiece model: \(reason); "
                + "make one with falcon tokenizer train"
        case .unsupportedTokenizer(let path, let part, let got, let wanted):
            return "\(path): \(part) is \(got), want \(wanted); "
                + "use a tokenizer of a kind that this program knows"
        case .trainingFailed(let reason):
            return "cannot train the tokenizer: \(reason) "
                + "(options: --vocab-size, --character-coverage)"
        case .tokenizerMismatch(let path, let got, let wanted):
            return "\(path): the shards were written with tokenizer \(got), not with \(wanted); "
                + "tokenize again, or use the tokenizer.model beside the shards"
        case .missingPiece(let path, let piece):
            return "\(path): the tokenizer has no \(piece) piece, which ends every document; "
                + "train one with falcon tokenizer train"
        case .tokenizerFailed(let action, let reason):
            return "cannot \(action): \(reason)"
        case .tokenOutOfRange(let id, let vocabularyCount):
            return "token \(id) is not in the vocabulary: ids run from 0 to \(vocabularyCount - 1)"
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
        case .splitTooShort(let path, let split, let tokenCount, let wanted):
            return "\(path): the \(split.rawValue) split has \(tokenCount) tokens, want at least "
                + "\(wanted) for one sample; give more text, a shorter sequence_length, or "
                + "another --validation-fraction"
        case .invalidOption(let name, let got, let wanted):
            return "\(name) is \(got), want \(wanted)"
        }
    }

    /// 65 for bad data, 64 for an option that makes no sense, 73 for an output that is in the way.
    public var exitStatus: ExitStatus {
        switch self {
        case .invalidOption: .usage
        case .outputExists: .cannotCreate
        case .tokenizerFailed: .internalError
        default: .badData
        }
    }

    private func place(_ path: String, _ line: Int?) -> String {
        line.map { "\(path), line \($0)" } ?? path
    }
}

/// Which part of a data set a token belongs to.
public enum Split: String, Codable, CaseIterable, Sendable {
    case train
    case validation
}
