import FalconSystem

/// Writes the weights of a folder: `model.safetensors`, or shards with their index.
///
/// Values come tensor by tensor in the order of `tensors`, which follows the announced order shard by
/// shard and the order of `SafetensorsWriter` within a shard.
public struct WeightsWriter: ~Copyable {
    /// The size above which weights are split, in bytes, as in Hugging Face tools.
    public static let defaultShardByteLimit = 5_000_000_000

    /// The tensors in the order in which their values must come.
    public let tensors: [TensorDescription]
    private let folder: String
    private let metadata: [String: String]
    private let plan: ShardPlan
    private var writer: SafetensorsWriter?
    private var written: [WrittenFile] = []

    /// Plans the files and creates the first.
    ///
    /// - Parameters:
    ///   - folder: an existing folder.
    ///   - tensors: names, shapes and types, at least one, in the order in which shards are filled.
    ///   - metadata: free text for every file.
    ///   - shardByteLimit: the most bytes of tensors in a file, > 0; a larger tensor gets its own.
    /// - Throws: `FileError` if a file cannot be created.
    public init(
        folder: String, tensors: [TensorDescription],
        metadata: [String: String] = SafetensorsWriter.hubMetadata,
        shardByteLimit: Int = WeightsWriter.defaultShardByteLimit
    ) throws(FileError) {
        let plan = ShardPlan(
            SafetensorsReader.modelSet, tensors, byteLimit: shardByteLimit)
        writer = try SafetensorsWriter(
            path: folder + "/" + plan.fileName(0), tensors: plan.shards[0], metadata: metadata)
        self.folder = folder
        self.metadata = metadata
        self.plan = plan
        self.tensors = plan.shards.flatMap { SafetensorsWriter.sorted($0) }
    }

    /// Appends values of the next tensor.
    ///
    /// - Parameter values: as for `SafetensorsWriter.append(_:)`.
    /// - Throws: `FileError`, for instance if the disk is full.
    public mutating func append(_ values: Span<Float>) throws(FileError) {
        if writer?.next == nil, written.count + 1 < plan.shards.count { try openNextShard() }
        try writer?.append(values)
    }

    private mutating func openNextShard() throws(FileError) {
        if let finished = writer.take() { written.append(try finished.finish()) }
        writer = try SafetensorsWriter(
            path: folder + "/" + plan.fileName(written.count),
            tensors: plan.shards[written.count], metadata: metadata)
    }

    /// Finishes the last file and, if there are several, writes their index.
    ///
    /// - Returns: every file written, the index last.
    /// - Throws: `FileError` if syncing or renaming fails.
    public consuming func finish() throws(FileError) -> [WrittenFile] {
        // Shards with only empty tensors take no values.
        while written.count + 1 < plan.shards.count { try openNextShard() }
        if let finished = writer.take() { written.append(try finished.finish()) }
        if let index = plan.index {
            written.append(
                try writeFile(index, named: SafetensorsReader.indexFileName, in: folder))
        }
        return written
    }
}

/// Writes a small file atomically.
///
/// - Parameters:
///   - bytes: the contents.
///   - name: the file's name.
///   - folder: its folder, which must exist.
/// - Returns: name, size and digest.
/// - Throws: `FileError` if the file cannot be written.
public func writeFile(
    _ bytes: [UInt8], named name: String, in folder: String
) throws(FileError) -> WrittenFile {
    var file = try AtomicFile(path: folder + "/" + name)
    try file.write(elements: bytes.span)
    return WrittenFile(name: name, byteCount: bytes.count, sha256: try file.commit())
}

/// Writes a small text file atomically.
///
/// - Parameters:
///   - text: the contents, written as UTF-8.
///   - name: the file's name.
///   - folder: its folder, which must exist.
/// - Returns: name, size and digest.
/// - Throws: `FileError` if the file cannot be written.
public func writeFile(
    _ text: String, named name: String, in folder: String
) throws(FileError) -> WrittenFile {
    try writeFile(Array(text.utf8), named: name, in: folder)
}
