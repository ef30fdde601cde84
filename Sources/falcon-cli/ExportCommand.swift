import ArgumentParser
import FalconCheckpoint
import FalconInterchange
import FalconSystem

extension ExportFormat: ExpressibleByArgument {}

extension ExportType: ExpressibleByArgument {}

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a model for other programs, and check that it is the same.",
        discussion: """
            The written files are opened again and their logits compared with the model's. If they \
            differ by more than the type's rounding explains, nothing is left and the exit status \
            is 1.
            """)

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @Option(help: "hf, a folder for Hugging Face transformers, or gguf, a file for llama.cpp.")
    var format: ExportFormat

    @Option(help: "The type of the weights; q8_0 and those after it are for gguf only.")
    var quantize = ExportType.f32

    @Option(help: "The folder or file to write; it must not exist.")
    var output: String

    @Option(help: "A text file on which to measure the perplexity before and after.")
    var text: String?

    @Option(help: "The largest size of a weights file in bytes, for hf.")
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
        var conversion = ModelConversion(to: format, quantize)
        conversion.shardByteLimit = shardBytes
        conversion.textPath = text
        let report = try conversion.convert(model, to: output, on: common.makeDevice())
        try common.printResult(report)
        if tensorErrors && !common.json { printErrors(report.tensors) }
    }

    private func printErrors(_ errors: [ConversionReport.TensorError]) {
        var table = Table("tensor", "type", "relative rms", "largest")
        for error in errors {
            table.add([
                error.name, error.type, percent(error.relativeRootMeanSquare),
                scientific(error.largest, places: 2),
            ])
        }
        table.printed()
    }
}

extension CommonOptions {
    /// Prints the files that a conversion wrote and how close they are to the model.
    func printResult(_ report: ConversionReport) throws {
        let check = report.check
        var table = [
            ("export", report.output), ("size", memory(report.byteCount)),
            (
                "check",
                "largest logit difference \(scientific(check.largestDifference, places: 2)), "
                    + "\(scientific(check.relativeDifference, places: 2)) of the deviation in the "
                    + "mean, over \(check.tokens) tokens, "
                    + "\(decimal(100 * check.topAgreement, places: 1)) % same first choice"
            ),
        ]
        if let worst = report.worst {
            table.append(
                (
                    "rounding",
                    "at most \(percent(worst.relativeRootMeanSquare)) of a tensor's RMS "
                        + "(\(worst.name), \(worst.type))"
                ))
        }
        if let original = report.originalPerplexity, let perplexity = report.perplexity {
            let change = perplexity / original - 1
            table.append(
                (
                    "perplexity",
                    "\(decimal(perplexity, places: 4)), before \(decimal(original, places: 4))"
                        + (change.isFinite ? " (\(percent(change)))" : "")
                ))
        }
        try printResult(report, table: table)
    }
}

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Turn a Hugging Face folder or a GGUF file into a checkpoint.",
        discussion: """
            To continue its training, give the checkpoint as train.initial_model to a recipe with \
            the model section that `falcon ckpt info CHECKPOINT --recipe` prints.
            """)

    @Argument(help: "A folder with config.json, weights and tokenizer; or a GGUF file.")
    var model: String

    @Option(help: "The checkpoint folder to write; it must not exist.")
    var output: String

    @OptionGroup var common: CommonOptions

    /// The output of `--json`.
    private struct Output: Encodable {
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
