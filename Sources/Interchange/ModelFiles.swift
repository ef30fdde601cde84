import FalconCheckpoint
import FalconModel
import FalconRecipeSection
import FalconSystem
import FalconTensor
import FalconTokenizer

/// The files of a model, found and checked, that the argument MODEL of commands stands for.
public struct ModelFiles: Sendable {
    /// A source of a model's files.
    public enum Origin: Equatable, Sendable {
        /// A checkpoint after this many optimizer steps.
        case checkpoint(step: Int)
        case huggingFace
        case gguf
    }

    /// The folder or file; for a run, its newest whole checkpoint.
    public let path: String
    /// The source of the files.
    public let origin: Origin
    /// Sizes and multipliers.
    public let configuration: ModelConfiguration
    /// The parameters as they are in the files, which may hold infinities and NaN.
    public let storedWeights: any WeightSource
    /// The tokenizer; nil if there is none.
    public let tokenizer: (any Tokenizer)?
    /// The manifest of a checkpoint; nil for other files.
    public let manifest: CheckpointManifest?
    /// The resolved recipe of the checkpoint's run, if there is one.
    public let resolvedRecipe: String?
    /// Problems that did not prevent opening: damaged checkpoints newer than the one used.
    public let warnings: [String]

    /// The parameters, exactly those of the configuration; reading a weight that is not finite is
    /// an error that names it.
    public var weights: any WeightSource { FiniteWeights(source: storedWeights) }

    init(
        path: String, origin: Origin, configuration: ModelConfiguration, weights: any WeightSource,
        tokenizer: (any Tokenizer)?, manifest: CheckpointManifest? = nil,
        resolvedRecipe: String? = nil, warnings: [String] = []
    ) {
        self.path = path
        self.origin = origin
        self.configuration = configuration
        storedWeights = weights
        self.tokenizer = tokenizer
        self.manifest = manifest
        self.resolvedRecipe = resolvedRecipe
        self.warnings = warnings
    }

    /// Opens the model that a path stands for.
    ///
    /// - Parameter path: a checkpoint, a run folder (its newest whole checkpoint is used), a Hugging
    ///   Face folder or a GGUF file.
    /// - Returns: the files; no weight is in memory yet.
    /// - Throws: `InterchangeError.notAModel` or `.noCheckpoint`; `CheckpointError`,
    ///   `InterchangeError.configuration`, `GGUFError`, `FileError` or `TokenizerError` for files that are
    ///   wrong.
    public static func open(_ path: String) throws -> ModelFiles {
        if withoutTrailingSlashes(path).hasSuffix(AtomicFolder.partialSuffix),
            fileKind(of: path) != .missing
        {
            throw InterchangeError.unfinished(path: path)
        }
        return try openWhole(path)
    }

    /// Opens the model that a path stands for, even if it is still being written.
    static func openWhole(_ path: String) throws -> ModelFiles {
        switch fileKind(of: path) {
        case .missing: throw FileError.missing(path: path)
        case .file:
            guard try InputFile(path: path).read(upTo: 4) == Array("GGUF".utf8) else {
                throw InterchangeError.notAModel(path: path)
            }
            return try ModelFiles(gguf: path)
        default: break
        }
        if fileKind(of: path + "/" + CheckpointManifest.fileName) == .file {
            return try ModelFiles(try Checkpoint.open(path), warnings: [])
        }
        if let folder = try CheckpointFolder.newest(ofRun: path) {
            let (checkpoint, damaged) = try folder.newest()
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

    /// The model of an open checkpoint.
    ///
    /// - Parameters:
    ///   - checkpoint: a whole checkpoint.
    ///   - warnings: the problems found before it was reached.
    /// - Throws: `InterchangeError` if its configuration cannot be read or is impossible;
    ///   `CheckpointError` if the weights are not those of the configuration.
    public init(_ checkpoint: Checkpoint, warnings: [String] = []) throws {
        let bytes = try checkpoint.bytes(of: CheckpointFileName.configuration) ?? []
        let configuration: ModelConfiguration
        let configurationPath = checkpoint.path + "/" + CheckpointFileName.configuration
        do {
            configuration = try ModelConfiguration(decoding: bytes)
        } catch {
            throw InterchangeError.model(
                reason: "\(configurationPath) cannot be read: \(error)",
                advice: "use the version of falcon that wrote it")
        }
        let problems = configuration.problems()
        guard problems.isEmpty else {
            throw InterchangeError.configuration(
                path: configurationPath,
                problems: problems.map {
                    ConfigurationProblem(key: $0.key ?? "config", message: $0.message)
                })
        }
        try checkpoint.weights.requireExactly(configuration.tensors())
        self.init(
            path: checkpoint.path, origin: .checkpoint(step: checkpoint.manifest.step),
            configuration: configuration, weights: SafetensorsWeights(reader: checkpoint.weights),
            tokenizer: try TokenizerFiles.find(checkpoint.bytes).map {
                try $0.tokenizer(folder: checkpoint.path)
            },
            manifest: checkpoint.manifest,
            resolvedRecipe: try checkpoint.bytes(of: CheckpointFileName.recipe).map {
                String(decoding: $0, as: UTF8.self)
            }, warnings: warnings)
    }

    private init(huggingFaceFolder path: String) throws {
        let description = try HuggingFaceConfiguration(folder: path)
        let modelClass = try description.model.huggingFaceClass()
        let reader = try SafetensorsReader(path: path)
        let own = description.model.parameters
        var names = Dictionary(
            uniqueKeysWithValues: own.map {
                ($0.parameter.name, modelClass.names.name(of: $0.place))
            })
        let head = modelClass.names.name(of: ParameterPlace(.head, .matrix))
        var wanted: [TensorDescription] = []
        var secondCopy: (embedding: Parameter, name: String)?
        if description.model.sizes.tieWordEmbeddings, let stored = reader.tensor(named: head),
            let embedding = own.first(where: { $0.place.part == .embedding })
        {
            // Files have one or both names of a tied matrix.
            let name = modelClass.names.name(of: embedding.place)
            if reader.tensor(named: name) == nil {
                names[embedding.parameter.name] = head
            } else {
                wanted.append(stored)
                if stored.shape == embedding.parameter.shape {
                    secondCopy = (embedding.parameter, name)
                }
            }
        }
        wanted += own.map { _, parameter in
            TensorDescription(
                name: names[parameter.name] ?? parameter.name, shape: parameter.shape)
        }
        // Older files keep values that follow from the configuration.
        let derived = Set(
            (0..<description.model.numHiddenLayers).map {
                "model.layers.\($0).self_attn.rotary_emb.inv_freq"
            } + ["model.rotary_emb.inv_freq"])
        wanted += reader.tensors.filter { derived.contains($0.name) }
        try reader.requireExactly(wanted, ignoringTypesOf: derived.contains)
        if let secondCopy {
            try Self.requireEqual(
                secondCopy.name, head, count: secondCopy.embedding.count, in: reader)
        }
        let specialIDs = SpecialTokenIDs(
            bos: description.bosTokenID.flatMap(Int32.init(exactly:)),
            eos: description.eosTokenIDs.first.flatMap(Int32.init(exactly:)),
            padding: description.padTokenID.flatMap(Int32.init(exactly:)))
        self.init(
            path: path, origin: .huggingFace, configuration: description.model,
            weights: SafetensorsWeights(reader: reader, names: names),
            tokenizer: try TokenizerFiles.find(inFolder: path).map {
                try $0.tokenizer(folder: path, specialIDs: specialIDs)
            })
    }

    /// Checks that the two copies of a tied matrix are equal.
    private static func requireEqual(
        _ first: String, _ second: String, count: Int, in reader: SafetensorsReader
    ) throws {
        let weights = SafetensorsWeights(reader: reader)
        var start = 0
        try weights.readPieces(of: first, count: count) { values in
            var others = [Float](repeating: 0, count: values.count)
            var span = others.mutableSpan
            try reader.readFloats(second, elements: start..<start + values.count, into: &span)
            guard haveSameBits(values, others.span) else {
                throw InterchangeError.configuration(
                    path: reader.path + "/" + HuggingFaceConfiguration.fileName,
                    problems: [
                        ConfigurationProblem(
                            key: "tie_word_embeddings",
                            message: "got true, but the weights of \(first) and \(second) differ; "
                                + "set it to false if the model has both")
                    ])
            }
            start += values.count
        }
    }

    /// The same model with other weights.
    ///
    /// - Parameter weights: of the same configuration.
    /// - Returns: a model that is not in any file yet.
    public func with(_ weights: any WeightSource) -> ModelFiles {
        ModelFiles(
            path: path, origin: origin, configuration: configuration, weights: weights,
            tokenizer: tokenizer, resolvedRecipe: resolvedRecipe)
    }

    /// The tokenizer, for text.
    ///
    /// - Returns: `tokenizer`.
    /// - Throws: `InterchangeError.noTokenizer` if there is none.
    public func requireTokenizer() throws(InterchangeError) -> any Tokenizer {
        guard let tokenizer else { throw .noTokenizer(path: path, origin: origin) }
        return tokenizer
    }
}
