import FalconCheckpoint
import FalconGGUF
import FalconModel
import FalconRunRecord
import FalconSystem
import FalconTensor

/// Writes a GGUF file that llama.cpp loads, vocabulary included.
///
/// Fixed multipliers are folded into the weights: the format has no place for them.
public struct GGUFExport: Sendable {
    /// The type of most tensors.
    public var fileType: GGUFFileType
    /// The number of threads that quantise; the bytes do not depend on it.
    public var threadCount: Int

    /// An export.
    ///
    /// - Parameters:
    ///   - fileType: the type of most tensors.
    ///   - threadCount: the number of threads that quantise, at least 1.
    public init(_ fileType: GGUFFileType, threadCount: Int) {
        self.fileType = fileType
        self.threadCount = threadCount
    }

    /// Writes the file, which gets its name when it is whole.
    ///
    /// - Parameters:
    ///   - model: the model to export.
    ///   - path: the file to create; one that exists is an error.
    ///   - check: takes the written model before it gets its name.
    /// - Returns: size, digest, and the rounding error of each tensor.
    /// - Throws: `InterchangeError` if the format cannot express the model or its tokenizer;
    ///   `GGUFError` for values that a type cannot hold; `FileError`; errors of `check`. Nothing is
    ///   then left behind.
    public func write(
        _ model: ModelFiles, to path: String, check: (ModelFiles) throws -> Void = { _ in }
    ) throws -> GGUFWrittenFile {
        let graph = try model.configuration.graph()
        guard fileKind(of: path) == .missing else {
            throw FileError.exists(path: path, advice: "choose another name, or remove it first")
        }
        let sources = graph.tensors(of: model.configuration)
        let hasOutput = sources.contains { $0.name == "output.weight" }
        let wide = try tensorsOfWideRange(model, graph)
        let tensors = sources.map { source in
            GGUFTensor(
                name: source.name, shape: source.shape,
                type: fileType.tensorType(
                    name: source.name, shape: source.shape, architecture: graph.name,
                    layerCount: model.configuration.numHiddenLayers, hasOutput: hasOutput,
                    needsWideRange: wide.contains(source.name)))
        }
        let writer = GGUFWriter(metadata: try metadata(of: model, graph), tensors: tensors)
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try createFolder(String(path[..<slash]))
        }
        return try writer.write(
            to: path, threads: threadCount,
            values: { number, rows, values in
                let length = tensors[number].rowLength
                try sources[number].read(
                    from: model.weights,
                    elements: rows.lowerBound * length..<rows.upperBound * length, into: &values)
            }, check: { try check(ModelFiles.openWhole($0)) })
    }

    /// The projections after the scan whose inputs are too large for float16.
    ///
    /// Without a norm there, inputs have no bound; the prompts of the check show the large ones.
    private func tensorsOfWideRange(
        _ model: ModelFiles, _ graph: any GGUFGraph.Type
    ) throws -> Set<String> {
        guard graph.hasUnboundedScan(model.configuration), fileType != .float32,
            fileType != .bfloat16
        else { return [] }
        var names: Set<String> = []
        _ = try StreamedModel(model, on: Device(threadCount: threadCount)).hidden(
            of: ExportCheck.prompts(for: model, vocabularyCount: model.configuration.vocabSize)
        ) { place, activation in
            if place.kind == .scanOutput, let layer = place.block,
                activation.toArray().contains(where: { !(abs($0) <= GGUFFileType.inputLimit) })
            {
                names.insert("blk.\(layer).ssm_out.weight")
            }
        }
        return names
    }

    private func metadata(
        of model: ModelFiles, _ graph: any GGUFGraph.Type
    ) throws -> GGUFMetadata {
        var metadata = GGUFMetadata()
        for (key, value) in graph.metadata(of: model.configuration) {
            metadata[key] = value
        }
        metadata["general.name"] = .string(model.name)
        metadata["general.file_type"] = .uint32(fileType.rawValue)
        if fileType.isQuantized { metadata["general.quantization_version"] = .uint32(2) }
        if let tokenizer = model.tokenizer {
            let fields = try GGUFVocabulary.fields(
                of: tokenizer, embeddingCount: model.configuration.vocabSize)
            for (key, value) in fields { metadata[key] = value }
        }
        return metadata
    }
}

extension ModelFiles {
    /// The name of the model: that of its run or its folder.
    var name: String {
        if let run = RunFolder(ofCheckpoint: path) { return run.name }
        return path.split(separator: "/").last.map(String.init) ?? "falcon"
    }

    /// Opens a GGUF file.
    ///
    /// - Parameter path: the file.
    /// - Throws: `FileError`, `GGUFError` or `InterchangeError` for files that are wrong or that hold
    ///   another kind of model.
    init(gguf path: String) throws {
        let reader = try GGUFReader(path: path)
        let name = try reader.metadata.string("general.architecture")
        guard let graph = Architecture.graphs.first(where: { $0.name == name }) else {
            let known = Architecture.graphs.map { "\"\($0.name)\"" }
            throw InterchangeError.configuration(
                path: path,
                problems: [
                    ConfigurationProblem(
                        key: "general.architecture",
                        message: "got \"\(name)\", want one of \(known.joined(separator: ", "))")
                ])
        }
        let configuration = try graph.read(GGUFFields(reader: reader, prefix: name + "."))
        let tensors = graph.tensors(of: configuration)
        try Self.requireExactly(tensors, in: reader)
        self.init(
            path: path, origin: .gguf, configuration: configuration,
            weights: GGUFWeights(
                reader: reader,
                tensors: Dictionary(uniqueKeysWithValues: tensors.map { ($0.parameter, $0) })),
            tokenizer: try GGUFVocabulary.tokenizer(of: reader))
    }

    /// Checks that a file holds exactly the tensors of a model.
    private static func requireExactly(
        _ wanted: [ForeignTensor], in reader: GGUFReader
    ) throws(CheckpointError) {
        let names = Set(wanted.map(\.name))
        var problems: [CheckpointProblem] = []
        for tensor in wanted {
            guard let found = reader.tensor(named: tensor.name) else {
                problems.append(.missingTensor(tensor.name, like: nil))
                continue
            }
            // llama.cpp drops leading lengths of 1 when it rewrites a file.
            if found.shape.drop(while: { $0 == 1 }) != tensor.shape.drop(while: { $0 == 1 }) {
                problems.append(
                    .wrongShape(tensor: tensor.name, got: found.shape, want: tensor.shape))
            }
        }
        problems += reader.tensors.filter { !names.contains($0.name) }.map {
            .extraTensor($0.name)
        }
        guard problems.isEmpty else {
            throw CheckpointError(
                path: reader.path, problems: problems,
                advice: "the file does not hold the kind of model that its metadata says")
        }
    }
}
