import ArgumentParser
import FalconCheckpoint
import FalconInterchange
import FalconSystem
import FoundationEssentials

struct CheckpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ckpt",
        abstract: "Inspect, compare, average and convert models on disk.",
        discussion: """
            MODEL is always a checkpoint, a run folder (its newest checkpoint), a Hugging Face \
            folder or a GGUF file.
            """,
        subcommands: [
            CheckpointInfo.self, CheckpointVerify.self, CheckpointDiff.self,
            CheckpointAverage.self, CheckpointConvert.self,
        ])
}

struct CheckpointInfo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Print what a model is and where it comes from.")

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @Flag(help: "Print the model section for a recipe that continues its training.")
    var recipe = false

    @Flag(help: "List every tensor: name, shape, type in the file, root mean square.")
    var tensors = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let files = try ModelFiles.open(model)
        for warning in files.warnings {
            writeToStandardError("falcon: skipping a damaged checkpoint: \(warning)\n")
        }
        if recipe {
            print("model:")
            for (key, value) in try files.configuration.fields().sorted(by: { $0.key < $1.key }) {
                print("  \(key): \(value)")
            }
            return
        }
        let info = try ModelInfo(files, withStatistics: tensors)
        let notFinite = info.tensors.reduce(0) { $0 + ($1.notFinite ?? 0) }
        if notFinite > 0 {
            common.talk(
                "falcon: \(grouped(notFinite)) weights are not finite; no command uses them")
        }
        if common.json { return try printJSON(info) }
        var rows = [("model", info.path), ("kind", info.kind), ("architecture", info.architecture)]
        rows.append(("parameters", "\(grouped(info.parameters)) in \(info.tensors.count) tensors"))
        rows.append(("types", info.types.joined(separator: ", ")))
        rows.append(("tokenizer", info.tokenizer ?? "none"))
        if let step = info.step { rows.append(("step", grouped(step))) }
        if let tokens = info.trainedTokens { rows.append(("trained tokens", grouped(tokens))) }
        for ancestor in info.ancestors {
            rows.append(
                (
                    "branched from",
                    "\(ancestor.run) after step \(grouped(ancestor.step)) (manifest SHA-256 "
                        + "\(ancestor.manifestDigest))"
                ))
        }
        if let digest = info.recipeDigest { rows.append(("recipe SHA-256", digest)) }
        if let digest = info.dataDigest { rows.append(("data SHA-256", digest)) }
        try common.printResult(info, table: rows)
        guard tensors else { return }
        var table = Table(
            ["tensor", "shape", "type", "rms"] + (notFinite > 0 ? ["not finite"] : []))
        for tensor in info.tensors {
            table.add(
                [
                    tensor.name, tensor.shape.map(String.init).joined(separator: " x "),
                    tensor.type, tensor.rootMeanSquare.map { scientific($0, places: 3) } ?? "-",
                ] + (notFinite > 0 ? ["\(tensor.notFinite ?? 0)"] : []))
        }
        table.printed()
    }
}

struct CheckpointVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read a whole model; check digests, names, shapes and that weights are finite.",
        discussion: """
            The exit status is 65 if files are damaged or do not fit together; for a run, also if \
            a checkpoint newer than the whole one is damaged.
            """)

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @OptionGroup var common: CommonOptions

    /// The output of `--json`.
    private struct Output: Encodable {
        let path: String
        let parameters: Int
        let warnings: [String]
    }

    func run() throws {
        let files = try ModelFiles.open(model)
        let count = try files.requireFiniteWeights()
        try common.printResult(
            Output(path: files.path, parameters: count, warnings: files.warnings),
            table: [
                ("model", files.path),
                ("verified", "\(grouped(count)) parameters, all finite; \(files.proof)"),
            ] + files.warnings.map { ("damaged", $0) })
        if !files.warnings.isEmpty { throw ExitCode(ExitStatus.badData.rawValue) }
    }
}

struct CheckpointDiff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compare two models: configurations, and weights parameter by parameter.",
        discussion: "The exit status is 1 if they differ by more than --tolerance.")

    @Argument(help: "The first model.")
    var first: String

    @Argument(help: "The second model.")
    var second: String

    @Option(help: "The largest difference between two weights that count as equal.")
    var tolerance = 0.0

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if !(tolerance >= 0) {
            throw ValidationError("--tolerance is \(tolerance); want 0 or more")
        }
    }

    func run() throws {
        let difference = try ModelDifference(ModelFiles.open(first), ModelFiles.open(second))
        for (model, index) in [(first, 0), (second, 1)] {
            let count = difference.parameters.reduce(0) { $0 + $1.notFinite[index] }
            if count > 0 {
                common.talk(
                    "falcon: \(model): of the parameters that differ, \(grouped(count)) weights are not "
                        + "finite")
            }
        }
        if common.json {
            try printJSON(difference)
        } else {
            for line in difference.configuration { print("configuration  \(line)") }
            for name in difference.unmatched { print("only in one    \(name)") }
            var table = Table("parameter", "largest difference", "relative")
            for parameter in difference.parameters {
                table.add([
                    parameter.name, scientific(parameter.largest, places: 3),
                    scientific(parameter.relative, places: 3),
                ])
            }
            if !difference.parameters.isEmpty { table.printed() }
            if difference.isEmpty { print("the same configuration and the same weights") }
        }
        if !difference.isWithin(tolerance) { throw ExitCode(ExitStatus.checkFailed.rawValue) }
    }
}

struct CheckpointAverage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "average", abstract: "Write the mean of the weights of several models.")

    @Argument(help: "Models of one configuration, such as the last checkpoints of a run.")
    var models: [String]

    @Option(help: "The share of each model, separated by commas. Default: equal shares.")
    var weights: String?

    @Option(help: "The checkpoint folder to write; it must not exist.")
    var output: String

    @OptionGroup var common: CommonOptions

    /// The output of `--json`.
    private struct Output: Encodable {
        let output: String
        let models: [String]
    }

    func run() throws {
        if models.count < 2 { throw ValidationError("give at least two models to average") }
        let shares = try weights.map { text in
            let words = text.split(separator: ",", omittingEmptySubsequences: false)
            let numbers = words.compactMap { Double($0) }
            guard words.count == models.count, numbers.count == models.count,
                numbers.allSatisfy({ $0 > 0 && $0.isFinite })
            else {
                throw ValidationError(
                    "--weights is \(text); want \(models.count) positive finite numbers, one a "
                        + "model")
            }
            return numbers
        }
        let files = try models.map(ModelFiles.open)
        let mean = files[0].with(try AveragedWeights(of: files, shares: shares))
        try ModelImport.write(mean, to: output)
        try common.printResult(
            Output(output: output, models: files.map(\.path)),
            table: [("checkpoint", output), ("mean of", "\(files.count) models")])
    }
}

/// The formats that `falcon ckpt convert` writes.
enum ConversionFormat: String, ExpressibleByArgument, CaseIterable {
    case checkpoint, hf, gguf
}

struct CheckpointConvert: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Convert a model from any format to any other.",
        discussion: """
            A checkpoint made this way has no optimizer state. Hugging Face folders and GGUF files \
            are opened again after writing and compared, as by falcon export.
            """)

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @Option(help: "checkpoint, hf or gguf.")
    var to: ConversionFormat

    @Option(help: "The type of the weights, for hf and gguf.")
    var quantize = ExportType.f32

    @Option(help: "The folder or file to write; it must not exist.")
    var output: String

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if to == .hf && quantize.elementType == nil {
            throw ValidationError("--quantize \(quantize.rawValue) is for --to gguf")
        }
        if to == .checkpoint && quantize != .f32 {
            throw ValidationError("--quantize: checkpoints are float32")
        }
    }

    func run() throws {
        guard to != .checkpoint else {
            return try ImportCommand.importModel(model, to: output, common)
        }
        let conversion = ModelConversion(to: to == .hf ? .hf : .gguf, quantize)
        try common.printResult(conversion.convert(model, to: output, on: common.makeDevice()))
    }
}
