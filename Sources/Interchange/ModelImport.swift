import FalconCheckpoint
import FalconModel
import FalconSystem
import FalconTensor
import FalconTokenizer

/// Turns a model of any format into a checkpoint.
public enum ModelImport {
    /// Writes a checkpoint of step 0 without optimizer state.
    ///
    /// - Parameters:
    ///   - model: any model.
    ///   - path: the checkpoint to create; one that exists is an error.
    /// - Returns: its manifest.
    /// - Throws: `FileError` if it exists or cannot be written.
    @discardableResult
    public static func write(_ model: ModelFiles, to path: String) throws -> CheckpointManifest {
        guard fileKind(of: path) == .missing else {
            throw FileError.exists(path: path, advice: "choose another name, or remove it first")
        }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try createFolder(String(path[..<slash]))
        }
        let contents = CheckpointContents(
            step: 0, tokens: 0,
            parameters: model.configuration.makeModel().table.parameters.map {
                CheckpointParameter(name: $0.name, shape: $0.shape, role: $0.role.rawValue)
            },
            configuration: try model.configuration.encoded(),
            tokenizerFiles: model.tokenizer?.files.all.map { ($0.name, $0.bytes) } ?? [])
        return try CheckpointWriter(contents, to: path).finish { _, tensor, emit in
            try model.weights.readPieces(of: tensor.name, count: tensor.elementCount, emit)
        }
    }
}
