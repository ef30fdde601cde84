import FalconCheckpoint
import FalconData
import FalconModel
import FalconSystem

/// What a MODEL argument names: where the configuration, the weights and the tokenizer are.
public struct ModelSource {
    /// The folder that was opened in the end.
    public let path: String
    public let configuration: FalconH1Configuration
    public let weights: SafetensorsReader
    /// The resolved recipe of the checkpoint's run, if there is one.
    public let resolvedRecipe: String?
    private let isCheckpoint: Bool

    /// Finds out what a path is and opens it.
    ///
    /// - Parameter path: a checkpoint, a run folder (its newest good checkpoint) or a Hugging Face folder.
    /// - Throws: `InterchangeError.notAModel` for anything else; `CheckpointError` or `FileError` for what
    ///   is damaged.
    public init(path: String) throws {
        if let checkpoint = try Self.checkpoint(at: path) {
            self.path = checkpoint.path
            guard let bytes = try checkpoint.bytes(of: CheckpointFileName.configuration) else {
                throw InterchangeError.notAModel(path: path)
            }
            configuration = try FalconH1Configuration(decoding: bytes)
            weights = checkpoint.weights
            resolvedRecipe = try checkpoint.bytes(of: CheckpointFileName.recipe)
                .map { String(decoding: $0, as: UTF8.self) }
            isCheckpoint = true
        } else if fileKind(of: path + "/" + HuggingFaceConfiguration.fileName) == .file {
            self.path = path
            configuration = try HuggingFaceConfiguration(folder: path).model
            weights = try SafetensorsReader(path: path)
            resolvedRecipe = nil
            isCheckpoint = false
        } else if fileKind(of: path) != .missing {
            throw InterchangeError.notAModel(path: path)
        } else {
            throw FileError.missing(path: path)
        }
    }

    /// The checkpoint that a path names, directly or as a run.
    private static func checkpoint(at path: String) throws -> Checkpoint? {
        if fileKind(of: path + "/" + CheckpointManifest.fileName) == .file { return try Checkpoint.open(path) }
        let (newest, damaged) = try CheckpointFolder(run: path).newest()
        if let newest {
            for error in damaged {
                writeToStandardError("falcon: skipping a damaged checkpoint: \(error.description)\n")
            }
            return newest
        }
        if let error = damaged.first { throw error }
        return nil
    }

    /// The tokenizer beside the weights.
    ///
    /// - Returns: the SentencePiece model of the folder.
    /// - Throws: `FileError.missing` if there is none, `DataError` if it cannot be read.
    public func tokenizer() throws -> SentencePieceTokenizer {
        try SentencePieceTokenizer(path: path + "/" + CheckpointFileName.tokenizer)
    }
}
