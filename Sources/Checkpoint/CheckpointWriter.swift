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

/// A file of a checkpoint that holds tensors.
public struct CheckpointTensorFile: Sendable {
    /// The file's name.
    public let name: String
    /// What its tensors belong to.
    public let part: CheckpointPart
    /// The tensors, in the order in which their values must come.
    public let tensors: [TensorDescription]

    /// Creates the file.
    ///
    /// - Parameter folder: an unfinished checkpoint.
    /// - Returns: a writer that takes the values.
    /// - Throws: `FileError` if it cannot be created.
    public func writer(in folder: String) throws(FileError) -> SafetensorsWriter {
        try SafetensorsWriter(path: folder + "/" + name, tensors: tensors)
    }
}

/// Writes checkpoints: a folder beside its final name, synced, then renamed.
///
/// Two saves of the same state have the same bytes: nothing written depends on time, machine or the number of
/// processes that write. The files of tensors may be written by several.
public struct CheckpointWriter: ~Copyable {
    /// The size above which the state of an optimizer is split, in bytes, so that several processes can write.
    public static let optimizerByteLimit = 512 << 20

    private let contents: CheckpointContents
    private let folder: AtomicFolder
    private let plans: [(part: CheckpointPart, plan: ShardPlan)]

    /// Plans the files and makes the folder, under its unfinished name.
    ///
    /// - Parameters:
    ///   - contents: everything except the values of the tensors.
    ///   - path: the folder to create.
    ///   - isReplacing: whether a whole new folder replaces an existing one, which is else an error.
    ///   - byteLimit: the size above which the optimizer's state is split.
    /// - Throws: `FileError` if the folder cannot be made.
    public init(
        _ contents: CheckpointContents, to path: String, replacing isReplacing: Bool = false,
        optimizerByteLimit byteLimit: Int = optimizerByteLimit
    ) throws(FileError) {
        self.contents = contents
        plans = Self.plans(contents, byteLimit)
        folder = try AtomicFolder(path: path, replacing: isReplacing)
    }

    /// The folder that takes the files until it is finished.
    public var partialPath: String { folder.partialPath }

    /// The files of tensors, which follow from the contents alone.
    ///
    /// - Parameters:
    ///   - contents: as for `init`.
    ///   - byteLimit: the size above which the optimizer's state is split.
    /// - Returns: at least one.
    public static func files(
        of contents: CheckpointContents, optimizerByteLimit byteLimit: Int = optimizerByteLimit
    ) -> [CheckpointTensorFile] {
        plans(contents, byteLimit).flatMap(files)
    }

    private static func files(_ part: CheckpointPart, _ plan: ShardPlan) -> [CheckpointTensorFile] {
        plan.shards.enumerated().map { number, tensors in
            CheckpointTensorFile(
                name: plan.fileName(number), part: part, tensors: SafetensorsWriter.sorted(tensors))
        }
    }

    private static func plans(
        _ contents: CheckpointContents, _ byteLimit: Int
    ) -> [(part: CheckpointPart, plan: ShardPlan)] {
        let model = ShardPlan(
            SafetensorsReader.modelSet, contents.parameters.map(\.tensor),
            byteLimit: WeightsWriter.defaultShardByteLimit)
        guard !contents.optimizerTensors.isEmpty else { return [(.model, model)] }
        let optimizer = ShardPlan(
            CheckpointFileName.optimizerSet, contents.optimizerTensors, byteLimit: byteLimit)
        return [(.model, model), (.optimizer, optimizer)]
    }

    /// Writes the other files and gives the folder its name.
    ///
    /// - Parameter tensorFiles: the files of `files(of:)`, in their order, as written.
    /// - Returns: the manifest.
    /// - Throws: `FileError`, for instance if the disk is full or another process has made the
    ///   folder. Nothing is then left behind.
    public consuming func finish(_ tensorFiles: [WrittenFile]) throws -> CheckpointManifest {
        var files = tensorFiles
        let indices = plans.map {
            (ShardPlan.indexFileName($0.plan.name), $0.plan.index.map { Array($0.utf8) })
        }
        let small: [(String, [UInt8]?)] = [
            (CheckpointFileName.state, contents.state),
            (CheckpointFileName.configuration, contents.configuration),
            (CheckpointFileName.recipe, contents.recipe),
        ]
        for case (let name, let bytes?) in indices + small + contents.tokenizerFiles {
            files.append(try writeFile(bytes, named: name, in: partialPath))
        }
        let manifest = CheckpointManifest(
            step: contents.step, tokens: contents.tokens, recipeDigest: contents.recipeDigest,
            dataDigest: contents.dataDigest, ancestors: contents.ancestors,
            parameters: contents.parameters, files: files)
        _ = try writeFile(
            manifest.serialized(), named: CheckpointManifest.fileName, in: partialPath)
        try folder.commit()
        return manifest
    }

    /// Writes all files and gives the folder its name.
    ///
    /// - Parameter values: supplies the tensors, in the order in which they are asked for.
    /// - Returns: the manifest.
    /// - Throws: `FileError` as above; errors of `values`. Nothing is then left behind.
    @discardableResult
    public consuming func finish(writing values: CheckpointValues) throws -> CheckpointManifest {
        var written: [WrittenFile] = []
        for (part, plan) in plans {
            for file in Self.files(part, plan) {
                var writer = try file.writer(in: partialPath)
                while let tensor = writer.next {
                    try values(part, tensor) { try writer.append($0) }
                }
                written.append(try writer.finish())
            }
        }
        return try finish(written)
    }
}
