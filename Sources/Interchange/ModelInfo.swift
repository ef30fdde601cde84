import FalconCheckpoint
import FalconGGUF
import FalconModel
import FalconTensor
import FalconTokenizer

/// The facts about a model on disk, and its source.
public struct ModelInfo: Encodable, Sendable {
    /// One parameter.
    public struct Tensor: Encodable, Sendable {
        /// The name that this program uses.
        public let name: String
        /// Lengths, outermost first.
        public let shape: [Int]
        /// The type in the file.
        public let type: String
        /// The root of the mean square of the finite weights; nil if not asked for.
        public let rootMeanSquare: Double?
        /// The number of weights that are infinite or NaN; nil if not asked for.
        public let notFinite: Int?

        /// The key of each field in JSON.
        public enum CodingKeys: String, CodingKey {
            case name, shape, type
            case rootMeanSquare = "root_mean_square"
            case notFinite = "not_finite"
        }
    }

    /// The folder or file that was opened: for a run, its checkpoint.
    public let path: String
    /// `checkpoint`, `Hugging Face` or `GGUF`.
    public let kind: String
    /// The architecture, such as `falcon-h1`.
    public let architecture: String
    /// The number of weights.
    public let parameters: Int
    /// The types in the file, each with its number of tensors.
    public let types: [String]
    /// The kind and size of the tokenizer; nil if there is none.
    public let tokenizer: String?
    /// Optimizer steps taken; nil if not a checkpoint.
    public let step: Int?
    /// Tokens trained on; nil if not a checkpoint.
    public let trainedTokens: Int?
    /// The SHA-256 of the recipe; nil if unknown.
    public let recipeDigest: String?
    /// The SHA-256 of the data's index; nil if unknown.
    public let dataDigest: String?
    /// The checkpoints of other runs that a checkpoint's run began from, the oldest first.
    public let ancestors: [CheckpointAncestor]
    /// The parameters in the order of the model.
    public let tensors: [Tensor]

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case path, kind, architecture, parameters, types, tokenizer, step, ancestors,
            tensors
        case trainedTokens = "trained_tokens"
        case recipeDigest = "recipe_sha256"
        case dataDigest = "data_sha256"
    }

    /// Collects the facts about a model.
    ///
    /// - Parameters:
    ///   - files: the model.
    ///   - withStatistics: whether all weights are read for their root mean squares.
    /// - Throws: errors of reading the weights.
    public init(_ files: ModelFiles, withStatistics: Bool) throws {
        path = files.path
        architecture = files.configuration.architecture.rawValue
        let wanted = files.configuration.tensors()
        parameters = wanted.reduce(0) { $0 + $1.elementCount }
        tensors = try wanted.map { tensor in
            var (squares, notFinite) = (0.0, 0)
            if withStatistics {
                try files.storedWeights.readPieces(of: tensor.name, count: tensor.elementCount) {
                    for index in $0.indices {
                        let value = Double($0[index])
                        if value.isFinite { squares += value * value } else { notFinite += 1 }
                    }
                }
            }
            return Tensor(
                name: tensor.name, shape: tensor.shape,
                type: files.weights.typeName(of: tensor.name),
                rootMeanSquare: withStatistics
                    ? (squares / Double(max(1, tensor.elementCount - notFinite))).squareRoot()
                    : nil,
                notFinite: withStatistics ? notFinite : nil)
        }
        let names = Set(tensors.map(\.type)).sorted()
        types = names.map { [tensors] name in
            "\(name) (\(tensors.filter { $0.type == name }.count))"
        }
        tokenizer = files.tokenizer.map {
            "\($0.files.main.name), \($0.vocabularyCount) tokens"
        }
        switch files.origin {
        case .checkpoint: kind = "checkpoint"
        case .huggingFace: kind = "Hugging Face"
        case .gguf: kind = "GGUF"
        }
        let manifest = files.manifest
        step = manifest?.step
        trainedTokens = manifest?.tokens
        ancestors = manifest?.ancestors ?? []
        recipeDigest = manifest.flatMap { $0.recipeDigest.isEmpty ? nil : $0.recipeDigest }
        dataDigest = manifest.flatMap { $0.dataDigest.isEmpty ? nil : $0.dataDigest }
    }
}

extension ModelFiles {
    /// Reads all weights and checks that each is finite.
    ///
    /// - Returns: their number.
    /// - Throws: `InterchangeError.notFinite` for the first one that is not; errors of reading.
    public func requireFiniteWeights() throws -> Int {
        var count = 0
        for tensor in configuration.tensors() {
            try weights.readPieces(of: tensor.name, count: tensor.elementCount) { _ in }
            count += tensor.elementCount
        }
        return count
    }

    /// The checks that the files passed when they were opened.
    public var proof: String {
        manifest == nil
            ? "names and shapes are those of the configuration"
            : "every file has the digest of the manifest"
    }
}
