import FalconJSON
import FalconSystem

/// The scores of a model on some texts and tasks.
public struct EvaluationResult: Codable, Equatable, Sendable {
    /// The score of a text, and the data that it was measured on.
    public struct Text: Codable, Equatable, Sendable {
        /// The score.
        public let score: TextScore
        /// The SHA-256 of the text, or the digest of the data set; nil if there is none.
        public let dataDigest: String?
        /// Tokens that saw each other; nil in results of older versions.
        public let sequenceLength: Int?

        private enum CodingKeys: String, CodingKey {
            case dataDigest = "data_sha256"
            case sequenceLength = "sequence_length"
        }

        init(score: TextScore, dataDigest: String?, sequenceLength: Int?) {
            self.score = score
            self.dataDigest = dataDigest
            self.sequenceLength = sequenceLength
        }

        /// From JSON: an object with the keys of the score and its own.
        ///
        /// - Parameter decoder: of the object.
        /// - Throws: for missing keys and wrong types.
        public init(from decoder: any Decoder) throws {
            score = try TextScore(from: decoder)
            let container = try decoder.container(keyedBy: CodingKeys.self)
            dataDigest = try container.decodeIfPresent(String.self, forKey: .dataDigest)
            sequenceLength = try container.decodeIfPresent(Int.self, forKey: .sequenceLength)
        }

        /// As JSON.
        ///
        /// - Parameter encoder: takes one object.
        /// - Throws: errors of the encoder.
        public func encode(to encoder: any Encoder) throws {
            try score.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(dataDigest, forKey: .dataDigest)
            try container.encodeIfPresent(sequenceLength, forKey: .sequenceLength)
        }
    }

    /// The folder or file of the model.
    public let model: String
    /// The fingerprint of the tokenizer; nil in results of older versions.
    public let tokenizer: String?
    /// By the path of a text; `validation` is the split of a data set.
    public var texts: [String: Text] = [:]
    /// By the name of a task, with `@SHOTS` where they were asked for there.
    public var tasks: [String: TaskScore] = [:]
    /// By the name of a group; nil if there is none.
    public var groups: [String: TaskScore]?
    /// By the name of a suite; nil if there is none.
    public var suites: [String: SuiteScore]?

    private enum CodingKeys: String, CodingKey {
        case model, texts, tasks, groups, suites
        case tokenizer = "tokenizer_fingerprint"
    }

    /// A result without a score yet.
    ///
    /// - Parameters:
    ///   - model: the folder or file of the model.
    ///   - tokenizer: the fingerprint of its tokenizer.
    public init(model: String, tokenizer: String) {
        self.model = model
        self.tokenizer = tokenizer
    }

    /// Reads an earlier output of `falcon eval --json`.
    ///
    /// - Parameter path: the file.
    /// - Throws: `FileError` if it cannot be read; `EvaluationError.notAResult` if it is another
    ///   file.
    public init(path: String) throws {
        let bytes = try readBytes(ofFile: path)
        do { self = try decodedJSON(Self.self, from: bytes) } catch {
            throw EvaluationError.notAResult(path: path)
        }
    }
}
