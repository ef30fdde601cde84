import FalconSystem

/// The contents of a checkpoint except the values of its tensors.
public struct CheckpointContents: Sendable {
    /// Optimizer steps taken, >= 0.
    public var step: Int
    /// Tokens consumed by those steps, >= 0.
    public var tokens: Int
    /// SHA-256 of the resolved recipe; empty for imported weights.
    public var recipeDigest: String
    /// SHA-256 of the data's index; empty for imported weights.
    public var dataDigest: String
    /// The checkpoints of other runs that this one comes from, the oldest first.
    public var ancestors: [CheckpointAncestor]
    /// The parameters in the order of the model.
    public var parameters: [CheckpointParameter]
    /// The state of the update rule, one or more tensors per parameter; empty for imported weights.
    public var optimizerTensors: [TensorDescription]
    /// `config.json`.
    public var configuration: [UInt8]
    /// `state.json`, if there is one.
    public var state: [UInt8]?
    /// `recipe.resolved.yaml`, if there is one.
    public var recipe: [UInt8]?
    /// `tokenizer.model` or `tokenizer.json`, with the files that belong to it; empty if there is none.
    public var tokenizerFiles: [(name: String, bytes: [UInt8])]

    /// The contents of a checkpoint.
    ///
    /// - Parameters:
    ///   - step: optimizer steps taken, >= 0.
    ///   - tokens: tokens consumed, >= 0.
    ///   - recipeDigest: SHA-256 of the resolved recipe.
    ///   - dataDigest: SHA-256 of the data's index.
    ///   - ancestors: the checkpoints of other runs that this one comes from.
    ///   - parameters: the parameters in the order of the model.
    ///   - optimizerTensors: the state of the update rule.
    ///   - configuration: `config.json`.
    ///   - state: `state.json`.
    ///   - recipe: `recipe.resolved.yaml`.
    ///   - tokenizerFiles: `tokenizer.model` or `tokenizer.json`, with the files that belong to it.
    public init(
        step: Int, tokens: Int, recipeDigest: String = "", dataDigest: String = "",
        ancestors: [CheckpointAncestor] = [],
        parameters: [CheckpointParameter], optimizerTensors: [TensorDescription] = [],
        configuration: [UInt8], state: [UInt8]? = nil, recipe: [UInt8]? = nil,
        tokenizerFiles: [(name: String, bytes: [UInt8])] = []
    ) {
        self.step = step
        self.tokens = tokens
        self.recipeDigest = recipeDigest
        self.dataDigest = dataDigest
        self.ancestors = ancestors
        self.parameters = parameters
        self.optimizerTensors = optimizerTensors
        self.configuration = configuration
        self.state = state
        self.recipe = recipe
        self.tokenizerFiles = tokenizerFiles
    }
}

/// The two weight files of a checkpoint.
public enum CheckpointPart: Sendable {
    case model, optimizer
}

/// Supplies the values of one tensor of a checkpoint: calls the last argument once or more, with all
/// elements in order.
public typealias CheckpointValues = (
    CheckpointPart, TensorDescription, (Span<Float>) throws -> Void
) throws -> Void

/// Writes checkpoints: a folder beside its final name, synced, then renamed.
///
/// Two saves of the same state have the same bytes: nothing written depends on time or machine.
public enum CheckpointWriter {
    /// Writes a checkpoint.
    ///
    /// - Parameters:
    ///   - contents: everything except the values of the tensors.
    ///   - path: the folder to create.
    ///   - isReplacing: whether a whole new folder replaces an existing one, which is else an
    ///     error.
    ///   - values: supplies the tensors, in the order in which they are asked for.
    /// - Returns: the manifest.
    /// - Throws: `FileError`, for instance if the disk is full or another process has made the
    ///   folder; errors of `values`. Nothing is then left behind.
    @discardableResult
    public static func write(
        _ contents: CheckpointContents, to path: String, replacing isReplacing: Bool = false,
        values: CheckpointValues
    ) throws -> CheckpointManifest {
        let folder = try AtomicFolder(path: path, replacing: isReplacing)
        let partial = folder.partialPath
        var files: [WrittenFile] = []
        files.append(
            try write(
                .model, contents.parameters.map(\.tensor), named: CheckpointFileName.model,
                in: partial, values: values))
        if !contents.optimizerTensors.isEmpty {
            files.append(
                try write(
                    .optimizer, contents.optimizerTensors, named: CheckpointFileName.optimizer,
                    in: partial, values: values))
        }
        let small: [(String, [UInt8]?)] = [
            (CheckpointFileName.state, contents.state),
            (CheckpointFileName.configuration, contents.configuration),
            (CheckpointFileName.recipe, contents.recipe),
        ]
        for case (let name, let bytes?) in small + contents.tokenizerFiles {
            files.append(try writeFile(bytes, named: name, in: partial))
        }
        let manifest = CheckpointManifest(
            step: contents.step, tokens: contents.tokens, recipeDigest: contents.recipeDigest,
            dataDigest: contents.dataDigest, ancestors: contents.ancestors,
            parameters: contents.parameters, files: files)
        _ = try writeFile(
            manifest.serialized(), named: CheckpointManifest.fileName, in: partial)
        try folder.commit()
        return manifest
    }

    private static func write(
        _ part: CheckpointPart, _ tensors: [TensorDescription], named name: String,
        in folder: String, values: CheckpointValues
    ) throws -> WrittenFile {
        var writer = try SafetensorsWriter(path: folder + "/" + name, tensors: tensors)
        while let tensor = writer.next {
            try values(part, tensor) { try writer.append($0) }
        }
        return try writer.finish()
    }
}
