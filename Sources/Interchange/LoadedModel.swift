import FalconCheckpoint
import FalconData
import FalconModel
import FalconSystem
import FalconTensor

/// A model with weights and tokenizer, opened from whatever a MODEL argument names.
public final class LoadedModel {
    /// The model, its weights in memory.
    public let model: any LanguageModel
    /// The tokenizer that it was trained with.
    public let tokenizer: any Tokenizer
    /// Where it runs.
    public let device: Device
    /// The folder that was opened in the end.
    public let path: String
    /// The resolved recipe of the checkpoint's run, if there is one.
    public let resolvedRecipe: String?

    /// Opens a model for evaluation.
    ///
    /// - Parameters:
    ///   - path: a checkpoint, a run folder (its newest good checkpoint) or a Hugging Face folder.
    ///   - device: where the model will live.
    /// - Throws: `FileError`, `CheckpointError`, `DataError` or `InterchangeError`. Damaged checkpoints
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
        tokenizer = try source.requireTokenizer()
        resolvedRecipe = source.resolvedRecipe
        model = source.configuration.makeModel()
        model.allocate(on: device, withGradients: false)
        for parameter in model.table.parameters {
            try parameter.value.withMutableSpan {
                try source.weights.readFloats(
                    parameter.name, elements: 0..<parameter.count, into: &$0)
            }
        }
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
