import FalconCheckpoint
import FalconModel
import FalconSystem
import FalconTensor
import FalconTokenizer

/// Writes a folder that Hugging Face transformers loads unchanged.
///
/// Parameters are written as they are, with the fixed multipliers in `config.json`. A model with
/// attention alone becomes a Llama: its multipliers are folded into the weights.
public struct HuggingFaceExport: Sendable {
    /// The type of the tensors: F32, BF16 or F16.
    public var weightType = ElementType.float32
    /// The most bytes of tensors in a file.
    public var shardByteLimit = WeightsWriter.defaultShardByteLimit

    /// An export with the usual settings: float32, shards of 5 GB.
    public init() {}

    /// Writes the folder, which gets its name when it is whole.
    ///
    /// - Parameters:
    ///   - model: the model to export. Without a tokenizer, no tokenizer files are written.
    ///   - path: the folder to create; one that exists is an error.
    ///   - check: takes the written model before it gets its name.
    /// - Returns: the files written.
    /// - Throws: `InterchangeError` if the format cannot express the model or its tokenizer;
    ///   `FileError`, for instance if the folder exists; errors of `check`. Nothing is then left
    ///   behind.
    @discardableResult
    public func write(
        _ model: ModelFiles, to path: String, check: (ModelFiles) throws -> Void = { _ in }
    ) throws -> [WrittenFile] {
        try requireRepresentable(model)
        let modelClass = try model.configuration.huggingFaceClass()
        guard fileKind(of: path) == .missing else {
            throw FileError.exists(path: path, advice: "choose another name, or remove it first")
        }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try createFolder(String(path[..<slash]))
        }
        let folder = try AtomicFolder(path: path)
        var files = try writeWeights(of: model, as: modelClass, in: folder.partialPath)
        for (name, bytes) in try smallFiles(of: model, as: modelClass) {
            files.append(try writeFile(bytes, named: name, in: folder.partialPath))
        }
        try check(ModelFiles.openWhole(folder.partialPath))
        try folder.commit()
        return files
    }

    private func requireRepresentable(_ model: ModelFiles) throws(InterchangeError) {
        if let tokenizer = model.tokenizer,
            tokenizer.vocabularyCount > model.configuration.vocabSize
        {
            throw .model(
                reason: "the tokenizer has \(tokenizer.vocabularyCount) pieces, but the model only "
                    + "\(model.configuration.vocabSize) embeddings",
                advice: "export the model with the tokenizer that it was trained with")
        }
    }

    private func writeWeights(
        of model: ModelFiles, as modelClass: any HuggingFaceClass.Type, in folder: String
    ) throws -> [WrittenFile] {
        let tensors = modelClass.tensors(of: model.configuration)
        var writer = try WeightsWriter(
            folder: folder,
            tensors: tensors.map {
                TensorDescription(name: $0.name, shape: $0.shape, type: weightType)
            }, shardByteLimit: shardByteLimit)
        let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        for tensor in writer.tensors {
            guard let source = byName[tensor.name] else { continue }
            try source.readPieces(from: model.weights) { try writer.append($0) }
        }
        return try writer.finish()
    }

    private func smallFiles(
        of model: ModelFiles, as modelClass: any HuggingFaceClass.Type
    ) throws -> [(name: String, bytes: [UInt8])] {
        let tokenizer = model.tokenizer
        let configuration = HuggingFaceConfiguration(
            model: modelClass.written(model.configuration),
            bosTokenID: tokenizer?.bosID.map { Int($0) },
            eosTokenIDs: tokenizer?.eosID.map { [Int($0)] } ?? [],
            padTokenID: tokenizer?.padID.map { Int($0) })
        var files: [(name: String, bytes: [UInt8])] = [
            (
                HuggingFaceConfiguration.fileName,
                Array(try configuration.serialized(weightType: weightType).utf8)
            ),
            (
                ModelCard.fileName,
                Array(ModelCard(model, modelClass: modelClass, weightType: weightType).text().utf8)
            ),
        ]
        // The tokenizer's own files are copied byte for byte; the others are made.
        files += tokenizer?.files.all.map { ($0.name, $0.bytes) } ?? []
        func isMissing(_ name: String) -> Bool { !files.contains { $0.name == name } }
        if isMissing(Self.generationFileName) {
            files.append((Self.generationFileName, Array(configuration.generationJSON().utf8)))
        }
        if let pieces = tokenizer as? SentencePieceTokenizer {
            if isMissing(TokenizerFiles.jsonName) {
                let json = try HuggingFaceTokenizer.tokenizerJSON(
                    pieces.model, promptPrefix: pieces.promptPrefix.first)
                files.append((TokenizerFiles.jsonName, Array(json.utf8)))
            }
            if isMissing(TokenizerFiles.configurationName) {
                let json = HuggingFaceTokenizer.configurationJSON(
                    pieces.model, maximumLength: model.configuration.maxPositionEmbeddings)
                files.append((TokenizerFiles.configurationName, Array(json.utf8)))
            }
        }
        return files
    }

    private static let generationFileName = "generation_config.json"
}
