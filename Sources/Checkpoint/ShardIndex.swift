import FalconJSON
import FalconSystem

/// The table of a sharded set: the file of each tensor.
///
/// `{"metadata": {"total_size": bytes}, "weight_map": {"tensor": "model-00001-of-00002.safetensors"}}`
struct ShardIndex: Equatable {
    /// The shards, sorted by name.
    let fileNames: [String]
    /// The shard of each tensor.
    let fileOfTensor: [String: String]

    /// Reads `model.safetensors.index.json`.
    ///
    /// - Parameter path: the file.
    /// - Throws: `FileError`, or `CheckpointError` if it is not such a table. Shards must lie in the
    ///   folder of the index.
    init(path: String) throws {
        func malformed(_ reasons: [String]) -> CheckpointError {
            CheckpointError(path: path, problems: reasons.map { .indexMalformed($0) })
        }
        let bytes = try InputFile.contents(of: path)
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw malformed([error.description])
        }
        guard let map = value.object?["weight_map"]?.object else {
            throw malformed(["it has no object \"weight_map\""])
        }
        var fileOfTensor: [String: String] = [:]
        var faults: [String] = []
        for (tensor, file) in map.members {
            guard let name = file.string, !name.isEmpty, !name.contains("/"), name != ".." else {
                faults.append("\"weight_map\" gives no plain file name for \(tensor)")
                continue
            }
            fileOfTensor[tensor] = name
        }
        if map.keys.isEmpty { faults.append("\"weight_map\" is empty") }
        guard faults.isEmpty else { throw malformed(faults) }
        self.fileOfTensor = fileOfTensor
        fileNames = Set(fileOfTensor.values).sorted()
    }

    /// The disagreements between the index and the shards.
    ///
    /// - Parameter placed: the shard in which each tensor was found.
    /// - Returns: one problem per tensor, sorted by name.
    func problems(placed: [String: String]) -> [CheckpointProblem] {
        var problems: [CheckpointProblem] = []
        for (tensor, file) in fileOfTensor.sorted(by: { $0.key < $1.key })
        where placed[tensor] != file {
            problems.append(.tensorNotInShard(tensor: tensor, file: file))
        }
        for (tensor, file) in placed.sorted(by: { $0.key < $1.key })
        where fileOfTensor[tensor] == nil {
            problems.append(.tensorNotInIndex(tensor: tensor, file: file))
        }
        return problems
    }
}
