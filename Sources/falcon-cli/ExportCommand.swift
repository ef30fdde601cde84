import ArgumentParser
import FalconCheckpoint
import FalconEval
import FalconGGUF
import FalconInterchange
import FalconModel
import FalconSystem
import FalconTensor
import FoundationEssentials

/// The formats that can be written.
enum ExportFormat: String, ExpressibleByArgument, CaseIterable {
    case hf, gguf
}

/// The number types of exported weights.
enum ExportType: String, ExpressibleByArgument, CaseIterable {
    case f32, f16, bf16
    case q80 = "q8_0"
    case q40 = "q4_0"
    case q4KM = "q4_k_m"
    case q6K = "q6_k"

    /// The type in safetensors files; nil where there is none.
    var elementType: ElementType? {
        switch self {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        default: nil
        }
    }

    /// The type in GGUF files.
    var fileType: GGUFFileType {
        switch self {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        case .q80: .q80
        case .q40: .q40
        case .q4KM: .q4KM
        case .q6K: .q6K
        }
    }

    /// The largest difference of a logit that rounding explains where weights are written as they are.
    var largestDifference: Double {
        switch self {
        case .f32: 1e-5
        case .f16: 0.05
        case .bf16: 0.5
        default: .infinity
        }
    }

    /// The largest RMS difference of logits, in their standard deviations, that rounding explains.
    var tolerance: Double {
        switch self {
        case .f32: 1e-5
        case .f16: 0.01
        case .bf16: 0.1
        case .q80: 0.2
        case .q6K: 0.4
        case .q40, .q4KM: 1
        }
    }
}

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a model for other programs, and prove that it is the same.",
        discussion: """
            The written files are opened again and their logits compared with the model's; the exit \
            status is 1, and nothing is left, when they differ by more than the type's rounding explains.
            """)

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @Option(help: "hf, a folder for Hugging Face transformers, or gguf, a file for llama.cpp.")
    var format: ExportFormat

    @Option(help: "The type of the weights; those from q8_0 on are for gguf alone.")
    var quantize = ExportType.f32

    @Option(help: "The folder or file to write; it must not exist.")
    var output: String

    @Option(help: "A text on which the perplexity before and after is measured.")
    var text: String?

    @Option(help: "The most bytes of a file of weights, for hf.")
    var shardBytes = WeightsWriter.defaultShardByteLimit

    @Flag(help: "Print what rounding does to each tensor, for gguf.")
    var tensorErrors = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if format == .hf && quantize.elementType == nil {
            throw ValidationError("--quantize \(quantize.rawValue) is for --format gguf")
        }
        if shardBytes < 1 {
            throw ValidationError("--shard-bytes is \(shardBytes), want at least 1")
        }
    }

    func run() throws {
        try ModelConversion(
            model: model, output: output, format: format, type: quantize, shardBytes: shardBytes,
            text: text, listsErrors: tensorErrors, common: common
        ).run()
    }
}

/// Writes a model in a foreign format, opens what was written and compares the two.
struct ModelConversion {
    let model: String
    let output: String
    let format: ExportFormat
    let type: ExportType
    let shardBytes: Int
    let text: String?
    let listsErrors: Bool
    let common: CommonOptions

    /// What rounding did to a tensor.
    private struct TensorError: Encodable {
        let name: String
        let type: String
        let relative_rms: Double
        let largest: Double
    }

    /// What `--json` prints.
    private struct Output: Encodable {
        let version = 1
        let output: String
        let bytes: Int
        let check: ExportCheck
        let tensors: [TensorError]
        let perplexity: Double?
        let original_perplexity: Double?
    }

    func run() throws {
        let device = common.makeDevice()
        let files = try ModelFiles.open(model)
        // Before anything is written: what cannot be read is no reason to write.
        let original = try text.map { try perplexity(of: LoadedModel(files, on: device), on: $0) }
        var checked: (check: ExportCheck, perplexity: Double?)?
        let (bytes, errors) = try write(files) { written in
            let check = try ExportCheck(files, written, on: device)
            try require(check, of: files)
            checked = (
                check, try text.map { try perplexity(of: LoadedModel(written, on: device), on: $0) }
            )
        }
        guard let checked else { preconditionFailure("export: the check was not made") }
        let check = checked.check
        let worst = errors.max { $0.relativeRootMeanSquare < $1.relativeRootMeanSquare }
        var table = [
            ("export", output), ("size", memory(bytes)),
            (
                "check",
                "largest logit difference \(scientific(check.largestDifference, places: 2)), "
                    + "\(scientific(check.relativeDifference, places: 2)) of the deviation in the "
                    + "mean, over \(check.tokens) tokens, "
                    + "\(decimal(100 * check.topAgreement, places: 1)) % same first choice"
            ),
        ]
        if let worst, worst.relativeRootMeanSquare > 0 {
            table.append(
                (
                    "rounding",
                    "at most \(percent(worst.relativeRootMeanSquare)) of a tensor's RMS "
                        + "(\(worst.tensor), \(worst.type.name))"
                ))
        }
        if let original, let perplexity = checked.perplexity {
            let change = perplexity / original - 1
            table.append(
                (
                    "perplexity",
                    "\(decimal(perplexity, places: 4)), before \(decimal(original, places: 4))"
                        + (change.isFinite ? " (\(percent(change)))" : "")
                ))
        }
        try common.printResult(
            Output(
                output: output, bytes: bytes, check: check,
                tensors: errors.map {
                    TensorError(
                        name: $0.tensor, type: $0.type.name,
                        relative_rms: $0.relativeRootMeanSquare, largest: $0.maximum)
                }, perplexity: checked.perplexity, original_perplexity: original), table: table)
        if listsErrors && !common.json { printErrors(errors) }
    }

    /// Refuses a difference that rounding does not explain.
    private func require(_ check: ExportCheck, of files: ModelFiles) throws {
        // Folded multipliers round where weights that stay as they are do not.
        let isFolded = format == .gguf || files.configuration.falconH1?.mixers == .attention
        let limit = isFolded ? Double.infinity : type.largestDifference
        guard check.relativeDifference <= type.tolerance, check.largestDifference <= limit else {
            writeToStandardError(
                "falcon: the export differs from \(model): the logits by "
                    + "\(scientific(check.relativeDifference, places: 2)) of their deviation (want at most "
                    + "\(type.tolerance)) and by \(scientific(check.largestDifference, places: 2)) at "
                    + "most (limit \(limit)); nothing was written\n")
            throw ExitCode(ExitStatus.checkFailed.rawValue)
        }
    }

    private func write(
        _ files: ModelFiles, check: (ModelFiles) throws -> Void
    ) throws -> (bytes: Int, errors: [GGUFQuantizationError]) {
        switch format {
        case .hf:
            var export = HuggingFaceExport()
            export.weightType = type.elementType ?? .float32
            export.shardByteLimit = shardBytes
            return (
                try export.write(files, to: output, check: check).reduce(0) { $0 + $1.byteCount },
                []
            )
        case .gguf:
            let file = try GGUFExport(type.fileType, threadCount: common.threadCount)
                .write(files, to: output, check: check)
            return (file.byteCount, file.errors)
        }
    }

    private func perplexity(of loaded: LoadedModel, on text: String) throws -> Double {
        let evaluator = Evaluator(
            model: loaded.model, tokenizer: try loaded.requireTokenizer(), device: loaded.device)
        let length = min(Evaluator.usualLength, loaded.model.configuration.maxPositionEmbeddings)
        return try evaluator.score(textFile: text, sequenceLength: length).perplexity
    }

    private func printErrors(_ errors: [GGUFQuantizationError]) {
        var table = Table("tensor", "type", "relative rms", "largest")
        for error in errors {
            table.add([
                error.tensor, error.type.name, percent(error.relativeRootMeanSquare),
                scientific(error.maximum, places: 2),
            ])
        }
        table.printed()
    }
}

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Turn a Hugging Face folder or a GGUF file into a checkpoint.",
        discussion: """
            To go on training it, give the checkpoint as train.initial_model to a recipe with the model \
            section that `falcon ckpt info CHECKPOINT --recipe` prints.
            """)

    @Argument(help: "A folder with config.json, weights and tokenizer; or a GGUF file.")
    var model: String

    @Option(help: "The checkpoint folder to write; it must not exist.")
    var output: String

    @OptionGroup var common: CommonOptions

    /// What `--json` prints.
    private struct Output: Encodable {
        let version = 1
        let output: String
        let parameters: Int
    }

    func run() throws { try Self.importModel(model, to: output, common) }

    /// Writes a checkpoint and says so.
    static func importModel(_ model: String, to output: String, _ common: CommonOptions) throws {
        let manifest = try ModelImport.write(try ModelFiles.open(model), to: output)
        let count = manifest.parameters.reduce(0) { $0 + $1.tensor.elementCount }
        try common.printResult(
            Output(output: output, parameters: count),
            table: [("checkpoint", output), ("parameters", grouped(count))])
    }
}
