import FalconCheckpoint
import FalconEval
import FalconGGUF
import FalconModel
import FalconTensor

/// Writes a model in the format of another program, opens the result and compares the two.
public struct ModelConversion: Sendable {
    /// The format to write.
    public let format: ExportFormat
    /// The type of the weights; for a Hugging Face folder, one with an `elementType`.
    public let type: ExportType
    /// The largest size of a weights file in a Hugging Face folder, in bytes.
    public var shardByteLimit = WeightsWriter.defaultShardByteLimit
    /// A text on which the perplexity before and after is measured; nil for none.
    public var textPath: String?

    /// A conversion with files of the usual size and without a text.
    ///
    /// - Parameters:
    ///   - format: the format to write.
    ///   - type: the type of the weights; with an `elementType` for Hugging Face folders.
    public init(to format: ExportFormat, _ type: ExportType) {
        precondition(
            format == .gguf || type.elementType != nil,
            "ModelConversion: \(type.rawValue) is not a type of safetensors files")
        (self.format, self.type) = (format, type)
    }

    /// Converts a model; the result gets its name when it has passed the comparison.
    ///
    /// - Parameters:
    ///   - model: a checkpoint, a run folder, a Hugging Face folder or a GGUF file.
    ///   - output: the folder or file to create; one that exists is an error.
    ///   - device: the device that both models run on.
    /// - Returns: the files, and the differences between the two.
    /// - Throws: `InterchangeError.differs` if rounding does not explain the difference; errors of
    ///   reading, writing and measuring. Nothing is then left behind.
    public func convert(
        _ model: String, to output: String, on device: Device
    ) throws -> ConversionReport {
        let files = try ModelFiles.open(model)
        // First, so that nothing is written for a text that cannot be read.
        let original = try perplexity(of: files, on: device)
        let isFolded = try format == .gguf || isFolded(files.configuration)
        let tolerance = ExportTolerance(type, isFolded: isFolded)
        var checked: (check: ExportCheck, perplexity: Double?)?
        let (byteCount, errors) = try write(files, to: output, threads: device.threadCount) {
            let check = try ExportCheck(files, $0, on: device)
            guard tolerance.allows(check) else {
                throw InterchangeError.differs(model: model, check: check, tolerance: tolerance)
            }
            checked = (check, try perplexity(of: $0, on: device))
        }
        guard let checked else { preconditionFailure("ModelConversion: the check was not made") }
        return ConversionReport(
            output: output, byteCount: byteCount, check: checked.check,
            tensors: errors.map(ConversionReport.TensorError.init),
            perplexity: checked.perplexity, originalPerplexity: original)
    }

    /// Whether the written class has no multipliers of its own, like Llama.
    private func isFolded(_ model: ModelConfiguration) throws -> Bool {
        try model.huggingFaceClass().written(model) != model
    }

    private func write(
        _ files: ModelFiles, to output: String, threads: Int, check: (ModelFiles) throws -> Void
    ) throws -> (byteCount: Int, errors: [GGUFQuantizationError]) {
        switch format {
        case .hf:
            var export = HuggingFaceExport()
            export.weightType = type.elementType ?? export.weightType
            export.shardByteLimit = shardByteLimit
            let written = try export.write(files, to: output, check: check)
            return (written.reduce(0) { $0 + $1.byteCount }, [])
        case .gguf:
            let file = try GGUFExport(type.fileType, threadCount: threads)
                .write(files, to: output, check: check)
            return (file.byteCount, file.errors)
        }
    }

    private func perplexity(of files: ModelFiles, on device: Device) throws -> Double? {
        guard let textPath else { return nil }
        let loaded = try LoadedModel(files, on: device)
        let evaluator = Evaluator(
            model: loaded.model, tokenizer: try loaded.requireTokenizer(), device: device)
        let length = min(Evaluator.usualLength, loaded.model.configuration.maxPositionEmbeddings)
        return try evaluator.score(textFile: textPath, sequenceLength: length).perplexity
    }
}

/// The result of a conversion, and how close it is to its source.
public struct ConversionReport: Encodable, Equatable, Sendable {
    /// The rounding error of a tensor.
    public struct TensorError: Encodable, Equatable, Sendable {
        /// The tensor's name in the file.
        public let name: String
        /// The type of its elements.
        public let type: String
        /// The RMS difference divided by the RMS value; 0 if all values are 0.
        public let relativeRootMeanSquare: Double
        /// The largest |difference|.
        public let largest: Double

        /// The key of each field in JSON.
        public enum CodingKeys: String, CodingKey {
            case name, type, largest
            case relativeRootMeanSquare = "relative_rms"
        }

        init(_ error: GGUFQuantizationError) {
            (name, type) = (error.tensor, error.type.name)
            (relativeRootMeanSquare, largest) = (error.relativeRootMeanSquare, error.maximum)
        }
    }

    /// The folder or file.
    public let output: String
    /// The size of all its files.
    public let byteCount: Int
    /// The comparison of logits.
    public let check: ExportCheck
    /// Every tensor of a GGUF file, in its order; empty for other formats.
    public let tensors: [TensorError]
    /// The perplexity of the text after the conversion; nil without a text.
    public let perplexity: Double?
    /// The perplexity of the text before the conversion.
    public let originalPerplexity: Double?

    /// The tensor that rounding changed most; nil if it changed none.
    public var worst: TensorError? {
        let worst = tensors.max { $0.relativeRootMeanSquare < $1.relativeRootMeanSquare }
        return worst.flatMap { $0.relativeRootMeanSquare > 0 ? $0 : nil }
    }

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case output, check, tensors, perplexity
        case byteCount = "bytes"
        case originalPerplexity = "original_perplexity"
    }
}
