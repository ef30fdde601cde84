import FalconCheckpoint
import FalconData
import FalconModel
import FalconSystem
import FalconTensor

/// The files of a model, found and checked: what the argument MODEL of the commands stands for.
public struct ModelFiles: Sendable {
    /// Where the files come from.
    public enum Origin: Equatable, Sendable {
        /// A checkpoint after so many optimizer steps.
        case checkpoint(step: Int)
        case huggingFace
    }

    /// The folder that holds the files: of a run, its newest whole checkpoint.
    public let path: String
    /// Where the files come from.
    public let origin: Origin
    /// Sizes and multipliers.
    public let configuration: FalconH1Configuration
    /// The parameters: exactly those of the configuration.
    public let weights: SafetensorsReader
    /// The tokenizer; nil if the folder has no `tokenizer.model`.
    public let tokenizer: SentencePieceTokenizer?
    /// The resolved recipe of the checkpoint's run, if there is one.
    public let resolvedRecipe: String?
    /// What went wrong without being in the way: damaged checkpoints newer than the one used.
    public let warnings: [String]

    /// Opens the model that a path stands for.
    ///
    /// - Parameter path: a checkpoint, a run folder (its newest whole checkpoint is used) or a Hugging
    ///   Face folder, anywhere.
    /// - Returns: the files; no weight is in memory yet.
    /// - Throws: `InterchangeError.notAModel` or `.noCheckpoint`; `CheckpointError`,
    ///   `InterchangeError.configuration`, `FileError` or `DataError` for files that are wrong.
    public static func open(_ path: String) throws -> ModelFiles {
        guard fileKind(of: path) != .missing else { throw FileError.missing(path: path) }
        if fileKind(of: path + "/" + CheckpointManifest.fileName) == .file {
            return try ModelFiles(try Checkpoint.open(path), warnings: [])
        }
        if fileKind(of: path + "/" + CheckpointFolder.folderName) == .folder {
            let (checkpoint, damaged) = try CheckpointFolder(run: path).newest()
            let reasons = damaged.map(\.description)
            guard let checkpoint else {
                throw InterchangeError.noCheckpoint(path: path, reasons: reasons)
            }
            return try ModelFiles(checkpoint, warnings: reasons)
        }
        if fileKind(of: path + "/" + HuggingFaceConfiguration.fileName) == .file {
            return try ModelFiles(huggingFaceFolder: path)
        }
        throw InterchangeError.notAModel(path: path)
    }

    /// The model of a checkpoint that was opened.
    ///
    /// - Parameters:
    ///   - checkpoint: found whole.
    ///   - warnings: what went wrong on the way to it.
    /// - Throws: `InterchangeError.model` if its configuration cannot be read; `CheckpointError` if
    ///   the weights are not those of the configuration.
    public init(_ checkpoint: Checkpoint, warnings: [String] = []) throws {
        let bytes = try checkpoint.bytes(of: CheckpointFileName.configuration) ?? []
        do {
            configuration = try FalconH1Configuration(decoding: bytes)
        } catch {
            throw InterchangeError.model(
                reason: "\(checkpoint.path)/\(CheckpointFileName.configuration) cannot be read: "
                    + "\(error)",
                advice: "use the version of falcon that wrote it")
        }
        path = checkpoint.path
        origin = .checkpoint(step: checkpoint.manifest.step)
        weights = checkpoint.weights
        try weights.requireExactly(configuration.tensors())
        tokenizer = try checkpoint.bytes(of: CheckpointFileName.tokenizer).map {
            try SentencePieceTokenizer(
                modelBytes: $0, path: checkpoint.path + "/" + CheckpointFileName.tokenizer)
        }
        resolvedRecipe = try checkpoint.bytes(of: CheckpointFileName.recipe).map {
            String(decoding: $0, as: UTF8.self)
        }
        self.warnings = warnings
    }

    private init(huggingFaceFolder path: String) throws {
        self.path = path
        origin = .huggingFace
        configuration = try HuggingFaceConfiguration(folder: path).model
        weights = try SafetensorsReader(path: path)
        var wanted = configuration.tensors()
        // Older files of tied models repeat the embedding here; transformers ignores it, and so do we.
        if configuration.tieWordEmbeddings, let head = weights.tensor(named: "lm_head.weight") {
            wanted.append(head)
        }
        try weights.requireExactly(wanted)
        let model = path + "/" + CheckpointFileName.tokenizer
        tokenizer =
            fileKind(of: model) == .file ? try SentencePieceTokenizer(path: model) : nil
        resolvedRecipe = nil
        warnings = []
    }

    /// The tokenizer, for work on text.
    ///
    /// - Returns: `tokenizer`.
    /// - Throws: `FileError.missing` if the folder has none.
    public func requireTokenizer() throws(FileError) -> SentencePieceTokenizer {
        guard let tokenizer else {
            throw .missing(path: path + "/" + CheckpointFileName.tokenizer)
        }
        return tokenizer
    }
}

extension FalconH1Configuration {
    /// The parameters of the model as tensors of a file.
    ///
    /// - Parameter type: the type in the file.
    /// - Returns: in the order of the model.
    func tensors(type: ElementType = .float32) -> [TensorDescription] {
        FalconH1(self).table.parameters.map {
            TensorDescription(name: $0.name, shape: $0.shape, type: type)
        }
    }
}
