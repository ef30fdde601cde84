import FalconSystem

/// The names of the files of a checkpoint.
public enum CheckpointFileName {
    /// float32 weights under Hugging Face's names; large ones are shards with `model.safetensors.index.json`.
    public static let model = SafetensorsReader.singleFileName
    static let optimizerSet = "optimizer"
    /// The state of the update rule; a large one is shards with `optimizer.safetensors.index.json`.
    public static let optimizer = ShardPlan.singleFileName(optimizerSet)
    /// Positions of the loader, the random streams and the schedule.
    public static let state = "state.json"
    /// Hugging Face's configuration.
    public static let configuration = "config.json"
    /// The recipe with every value.
    public static let recipe = "recipe.resolved.yaml"
    /// The SentencePiece model.
    public static let tokenizer = "tokenizer.model"
}

/// A checkpoint that was read and found whole.
public struct Checkpoint: Sendable {
    /// The folder.
    public let path: String
    /// The manifest.
    public let manifest: CheckpointManifest
    /// The parameters.
    public let weights: SafetensorsReader
    /// The state of the update rule; nil for imported weights.
    public let optimizer: SafetensorsReader?

    /// Opens a checkpoint and verifies all of it.
    ///
    /// - Parameter path: the folder.
    /// - Returns: the checkpoint; its tensors are not yet in memory.
    /// - Throws: `FileError` if there is no such folder or it has no manifest; `CheckpointError` with
    ///   every missing or changed file and every tensor that is not in the parameter table.
    /// - Complexity: reads every byte once, to compare SHA-256.
    public static func open(_ path: String) throws -> Checkpoint {
        try open(path, verifyingDigests: true)
    }

    /// Opens a checkpoint that another process has verified, which may not have come in sight yet.
    ///
    /// - Parameters:
    ///   - path: the folder, on a disk that both see.
    ///   - digest: that of the manifest which the other process has read.
    ///   - seconds: how long the file system may take.
    /// - Returns: the checkpoint.
    /// - Throws: as `open`; `CheckpointError` if it is not the one that the other process has read.
    public static func open(
        _ path: String, withManifest digest: String, within seconds: Double = 90
    ) throws -> Checkpoint {
        let start = monotonicSeconds()
        while true {
            let opened = Result { try open(path, verifyingDigests: false) }
            if let checkpoint = try? opened.get(), checkpoint.manifest.digest == digest {
                return checkpoint
            }
            if monotonicSeconds() - start > seconds {
                _ = try opened.get()
                throw CheckpointError(
                    path: path,
                    problems: [
                        .manifestMalformed("it is not the one that another process has read")
                    ])
            }
            sleepSeconds(0.05)
        }
    }

    private static func open(_ path: String, verifyingDigests: Bool) throws -> Checkpoint {
        let manifestPath = path + "/" + CheckpointManifest.fileName
        let manifest = try CheckpointManifest(
            bytes: InputFile.contents(of: manifestPath), path: path)
        var problems: [CheckpointProblem] = []
        for file in manifest.files {
            if let problem = try verify(file, in: path, verifyingDigests) {
                problems.append(problem)
            }
        }
        let listed = Set(manifest.files.map(\.name))
        func isListed(set: String) -> Bool {
            listed.contains(ShardPlan.singleFileName(set))
                || listed.contains(ShardPlan.indexFileName(set))
        }
        if !isListed(set: SafetensorsReader.modelSet) {
            problems.append(.missingFile(CheckpointFileName.model))
        }
        if !listed.contains(CheckpointFileName.configuration) {
            problems.append(.missingFile(CheckpointFileName.configuration))
        }
        let folder = path.split(separator: "/").last.map(String.init) ?? path
        if let step = CheckpointFolder.step(ofName: folder), step != manifest.step {
            problems.append(.stepDisagrees(folder: folder, step: manifest.step))
        }
        guard problems.isEmpty else { throw CheckpointError(path: path, problems: problems) }
        let weights = try SafetensorsReader(folder: path, set: SafetensorsReader.modelSet)
        try weights.requireExactly(manifest.parameters.map(\.tensor))
        let optimizer =
            isListed(set: CheckpointFileName.optimizerSet)
            ? try SafetensorsReader(folder: path, set: CheckpointFileName.optimizerSet) : nil
        return Checkpoint(
            path: path, manifest: manifest, weights: weights, optimizer: optimizer)
    }

    private static func verify(
        _ file: WrittenFile, in folder: String, _ verifiesDigest: Bool
    ) throws(FileError) -> CheckpointProblem? {
        let mapped: MappedFile
        do {
            mapped = try MappedFile(path: folder + "/" + file.name)
        } catch .missing {
            return .missingFile(file.name)
        }
        guard mapped.byteCount == file.byteCount else {
            return .wrongFileSize(file: file.name, got: mapped.byteCount, want: file.byteCount)
        }
        return !verifiesDigest || mapped.sha256Hex() == file.sha256
            ? nil : .wrongDigest(file: file.name)
    }

    /// Whether the checkpoint has a file.
    ///
    /// - Parameter name: one of `CheckpointFileName`.
    /// - Returns: true if the manifest lists it.
    public func contains(_ name: String) -> Bool {
        manifest.files.contains { $0.name == name }
    }

    /// The contents of a file of the checkpoint.
    ///
    /// - Parameter name: one of `CheckpointFileName`.
    /// - Returns: its bytes; nil if the checkpoint has no such file.
    /// - Throws: `FileError` if it cannot be read.
    public func bytes(of name: String) throws(FileError) -> [UInt8]? {
        contains(name) ? try InputFile.contents(of: path + "/" + name) : nil
    }
}
