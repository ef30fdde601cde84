import ArgumentParser
import FalconCheckpoint
import FalconInterchange
import FalconSystem
import FalconTensor
import FoundationEssentials

/// The formats that can be written.
enum ExportFormat: String, ExpressibleByArgument, CaseIterable {
    case hf
}

/// The number types of exported weights.
enum ExportType: String, ExpressibleByArgument, CaseIterable {
    case f32, f16, bf16

    var elementType: ElementType {
        switch self {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        }
    }

    /// The largest difference of a logit that rounding the weights explains.
    var tolerance: Double {
        switch self {
        case .f32: 1e-5
        case .f16: 0.05
        case .bf16: 0.5
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

    @Argument(help: "A checkpoint, a run folder (its newest checkpoint) or a Hugging Face folder.")
    var model: String

    @Option(help: "The format: hf, a folder for Hugging Face transformers.")
    var format: ExportFormat

    @Option(help: "The number type of the weights: f32, f16 or bf16.")
    var quantize = ExportType.f32

    @Option(help: "The folder to write; it must not exist.")
    var output: String

    @OptionGroup var common: CommonOptions

    /// What `--json` prints.
    private struct Output: Encodable {
        let version = 1
        let output: String
        let bytes: Int
        let check: ExportCheck
    }

    func run() throws {
        let device = Device(threadCount: common.threadCount)
        var export = HuggingFaceExport()
        export.weightType = quantize.elementType
        let files = try export.write(try ModelFiles.open(model), to: output)
        let check = try ExportCheck(
            LoadedModel(path: model, on: device), LoadedModel(path: output, on: device))
        guard check.largestDifference <= quantize.tolerance else {
            try FileManager.default.removeItem(atPath: output)
            writeToStandardError(
                "falcon: the export differs from \(model): largest logit difference "
                    + "\(check.largestDifference), want at most \(quantize.tolerance); removed\n")
            throw ExitCode(ExitStatus.checkFailed.rawValue)
        }
        let bytes = files.reduce(0) { $0 + $1.byteCount }
        try common.printResult(
            Output(output: output, bytes: bytes, check: check),
            table: [
                ("export", output),
                ("size", "\(memory(bytes)) in \(files.count) files"),
                (
                    "check",
                    "largest logit difference \(check.largestDifference) over \(check.tokens) tokens, "
                        + "\(decimal(100 * check.topAgreement, places: 1)) % same first choice"
                ),
            ])
    }
}

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Turn a Hugging Face folder into a checkpoint.")

    @Argument(help: "A folder with config.json, weights and tokenizer.model.")
    var folder: String

    @Option(help: "The checkpoint folder to write; it must not exist.")
    var output: String

    @OptionGroup var common: CommonOptions

    /// What `--json` prints.
    private struct Output: Encodable {
        let version = 1
        let output: String
        let parameters: Int
    }

    func run() throws {
        let manifest = try HuggingFaceImport.write(try ModelFiles.open(folder), to: output)
        let count = manifest.parameters.reduce(0) { $0 + $1.tensor.elementCount }
        try common.printResult(
            Output(output: output, parameters: count),
            table: [("checkpoint", output), ("parameters", grouped(count))])
    }
}
