import FalconCheckpoint
import FalconModel
import FalconSystem
import FalconTensor
import FalconTokenizer

/// A model with weights and tokenizer, opened by the MODEL argument of commands.
public final class LoadedModel {
    /// The model, its weights in memory.
    public let model: any LanguageModel
    /// The tokenizer that it was trained with; nil if the files have none.
    public let tokenizer: (any Tokenizer)?
    /// The device that it runs on.
    public let device: Device
    /// The path of the files that were opened: for a run, its checkpoint.
    public let path: String
    /// The files that were opened.
    public let files: ModelFiles
    /// The resolved recipe of the checkpoint's run, if there is one.
    public var resolvedRecipe: String? { files.resolvedRecipe }

    /// Opens a model for evaluation.
    ///
    /// - Parameters:
    ///   - path: a checkpoint, a run folder (its newest good checkpoint), a Hugging Face folder or a GGUF
    ///     file.
    ///   - device: the device that will hold the model.
    /// - Throws: `FileError`, `CheckpointError`, `TokenizerError` or `InterchangeError`. Damaged checkpoints
    ///   newer than the one used are only warned of.
    public convenience init(path: String, on device: Device) throws {
        try self.init(ModelFiles.open(path), on: device)
    }

    /// Reads the weights of a model whose files were found.
    ///
    /// - Parameters:
    ///   - source: its files.
    ///   - device: the device that will hold the model.
    /// - Throws: as for a path.
    public init(_ source: ModelFiles, on device: Device) throws {
        self.device = device
        for warning in source.warnings {
            writeToStandardError("falcon: skipping a damaged checkpoint: \(warning)\n")
        }
        self.path = source.path
        tokenizer = source.tokenizer
        files = source
        model = source.configuration.makeModel()
        model.allocate(on: device, withGradients: false)
        for parameter in model.table.parameters {
            try parameter.value.upload { elements, values in
                try source.weights.readFloats(parameter.name, elements: elements, into: &values)
            }
        }
    }

    /// The tokenizer, for text.
    ///
    /// - Returns: `tokenizer`.
    /// - Throws: `InterchangeError.noTokenizer` if there is none.
    public func requireTokenizer() throws(InterchangeError) -> any Tokenizer {
        try files.requireTokenizer()
    }

    /// The logits after every token.
    ///
    /// - Parameter tokens: at least one, seen as one document.
    /// - Returns: one row per token.
    public func logits(_ tokens: [Int32]) -> [[Float]] {
        var tape = Tape(on: device, isRecording: false)
        let hidden = model.hidden(
            device.indices(tokens), segments: Segments(rowCount: tokens.count), on: &tape)
        let logits = model.logits(hidden, on: &tape)
        return (0..<tokens.count).map { logits.rows($0..<$0 + 1).toArray() }
    }
}
