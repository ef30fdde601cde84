import FalconCheckpoint
import FalconModel
import FalconSystem
import FalconTensor
import FalconTokenizer

/// A model with weights and tokenizer, opened from whatever a MODEL argument names.
public final class LoadedModel {
    /// The model, its weights in memory.
    public let model: any LanguageModel
    /// The tokenizer that it was trained with; nil if the files have none.
    public let tokenizer: (any Tokenizer)?
    /// Where it runs.
    public let device: Device
    /// The folder that was opened in the end.
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
    ///   - device: where the model will live.
    /// - Throws: `FileError`, `CheckpointError`, `TokenizerError` or `InterchangeError`. Damaged checkpoints
    ///   newer than the one used are only warned of.
    public convenience init(path: String, on device: Device) throws {
        try self.init(ModelFiles.open(path), on: device)
    }

    /// Reads the weights of a model that was found.
    ///
    /// - Parameters:
    ///   - source: its files.
    ///   - device: where the model will live.
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

    /// The tokenizer, for work on text.
    ///
    /// - Returns: `tokenizer`.
    /// - Throws: `InterchangeError.noTokenizer` if there is none.
    public func requireTokenizer() throws(InterchangeError) -> any Tokenizer {
        try files.requireTokenizer()
    }

    /// The logits after every token.
    ///
    /// - Parameter tokens: at least one, seen as one document.
    /// - Returns: a row a token.
    public func logits(_ tokens: [Int32]) -> [[Float]] {
        var tape = Tape(on: device, isRecording: false)
        let hidden = model.hidden(
            device.indices(tokens), segments: Segments(rowCount: tokens.count), on: &tape)
        let logits = model.logits(hidden, on: &tape)
        return (0..<tokens.count).map { logits.rows($0..<$0 + 1).toArray() }
    }
}
