import FalconCheckpoint
import FalconData
import FalconModel
import FalconSystem
import FalconTensor

/// Writes a folder that Hugging Face transformers loads unchanged.
///
/// Parameters are written as they are, with the fixed multipliers in `config.json`.
public struct HuggingFaceExport: Sendable {
    /// The type of the tensors: F32, BF16 or F16.
    public var weightType = ElementType.float32
    /// The most bytes of tensors in a file.
    public var shardByteLimit = WeightsWriter.defaultShardByteLimit

    /// An export with the usual settings: float32, shards of 5 GB.
    public init() {}

    /// Writes the folder; it appears under its name when it is whole.
    ///
    /// - Parameters:
    ///   - model: what to export. Without a tokenizer, no tokenizer files are written.
    ///   - path: the folder to create; one that exists is an error.
    /// - Returns: the files written.
    /// - Throws: `InterchangeError` if the format cannot express the model or its tokenizer;
    ///   `FileError`, for instance when the folder exists. Nothing is then left behind.
    @discardableResult
    public func write(_ model: ModelFiles, to path: String) throws -> [WrittenFile] {
        try requireRepresentable(model)
        guard fileKind(of: path) == .missing else {
            throw FileError.exists(path: path, advice: "choose another name or remove it first")
        }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try createFolder(String(path[..<slash]))
        }
        let folder = try AtomicFolder(path: path)
        var files = try writeWeights(of: model, in: folder.partialPath)
        for (name, bytes) in try smallFiles(of: model) {
            files.append(try writeFile(bytes, named: name, in: folder.partialPath))
        }
        try folder.commit()
        return files
    }

    private func requireRepresentable(_ model: ModelFiles) throws(InterchangeError) {
        guard model.configuration.mixers == .parallel else {
            throw .model(
                reason: "Hugging Face's Falcon-H1 has both mixers in every block, this model only "
                    + model.configuration.mixers.rawValue,
                advice: "export a model with `mixers: parallel`")
        }
        if let tokenizer = model.tokenizer,
            tokenizer.vocabularyCount > model.configuration.vocabSize
        {
            throw .model(
                reason: "the tokenizer has \(tokenizer.vocabularyCount) pieces, the model only "
                    + "\(model.configuration.vocabSize) embeddings",
                advice: "export the model with the tokenizer that it was trained with")
        }
    }

    private func writeWeights(of model: ModelFiles, in folder: String) throws -> [WrittenFile] {
        var writer = try WeightsWriter(
            folder: folder, tensors: model.configuration.tensors(type: weightType),
            shardByteLimit: shardByteLimit)
        for tensor in writer.tensors {
            let values = try model.weights.floats(tensor.name)
            try writer.append(values.span)
        }
        return try writer.finish()
    }

    private func smallFiles(of model: ModelFiles) throws -> [(name: String, bytes: [UInt8])] {
        let tokenizer = model.tokenizer
        let configuration = HuggingFaceConfiguration(
            model: model.configuration, bosTokenID: tokenizer?.bosID.map { Int($0) },
            eosTokenIDs: tokenizer?.eosID.map { [Int($0)] } ?? [],
            padTokenID: tokenizer?.padID.map { Int($0) })
        var files: [(name: String, bytes: [UInt8])] = [
            (
                HuggingFaceConfiguration.fileName,
                Array(configuration.serialized(weightType: weightType).utf8)
            ),
            ("generation_config.json", Array(configuration.generationJSON().utf8)),
        ]
        if let tokenizer {
            let description = HuggingFaceTokenizer.configurationJSON(
                tokenizer.model, maximumLength: model.configuration.maxPositionEmbeddings)
            files += [
                (
                    HuggingFaceTokenizer.fileName,
                    Array(try HuggingFaceTokenizer.tokenizerJSON(tokenizer.model).utf8)
                ),
                (HuggingFaceTokenizer.configurationFileName, Array(description.utf8)),
                (CheckpointFileName.tokenizer, tokenizer.modelBytes),
            ]
        }
        return files
    }
}

/// Turns a Hugging Face folder into a checkpoint.
public enum HuggingFaceImport {
    /// Writes a checkpoint of step 0 without optimizer state.
    ///
    /// - Parameters:
    ///   - model: the opened folder.
    ///   - path: the checkpoint to create; one that exists is an error.
    /// - Returns: its manifest.
    /// - Throws: `FileError` if it exists or cannot be written.
    @discardableResult
    public static func write(_ model: ModelFiles, to path: String) throws -> CheckpointManifest {
        guard fileKind(of: path) == .missing else {
            throw FileError.exists(path: path, advice: "choose another name or remove it first")
        }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try createFolder(String(path[..<slash]))
        }
        let contents = CheckpointContents(
            step: 0, tokens: 0,
            parameters: FalconH1(model.configuration).table.parameters.map {
                CheckpointParameter(name: $0.name, shape: $0.shape, role: $0.role.rawValue)
            },
            configuration: try model.configuration.encoded(),
            tokenizerModel: model.tokenizer?.modelBytes)
        return try CheckpointWriter.write(contents, to: path) { _, tensor, emit in
            let values = try model.weights.floats(tensor.name)
            try emit(values.span)
        }
    }
}
