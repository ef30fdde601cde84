import FalconEval
import FalconSystem

/// What `falcon eval --json` prints.
struct EvalResult: Codable {
    /// The score of a text, and what it was measured on.
    struct Text: Codable {
        let score: TextScore
        /// The SHA-256 of the text, or the digest of the data set; nil where it cannot be had.
        let dataDigest: String?
        /// Tokens that saw each other.
        let sequenceLength: Int?

        private enum CodingKeys: String, CodingKey {
            case dataDigest = "data_sha256"
            case sequenceLength = "sequence_length"
        }

        init(score: TextScore, dataDigest: String?, sequenceLength: Int?) {
            self.score = score
            self.dataDigest = dataDigest
            self.sequenceLength = sequenceLength
        }

        init(from decoder: any Decoder) throws {
            score = try TextScore(from: decoder)
            let container = try decoder.container(keyedBy: CodingKeys.self)
            dataDigest = try container.decodeIfPresent(String.self, forKey: .dataDigest)
            sequenceLength = try container.decodeIfPresent(Int.self, forKey: .sequenceLength)
        }

        func encode(to encoder: any Encoder) throws {
            try score.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(dataDigest, forKey: .dataDigest)
            try container.encodeIfPresent(sequenceLength, forKey: .sequenceLength)
        }
    }

    var version = 1
    let model: String
    /// Stands for what the tokenizer does; nil in results of older versions.
    let tokenizer: String?
    var texts: [String: Text] = [:]
    var tasks: [String: TaskScore] = [:]

    private enum CodingKeys: String, CodingKey {
        case version, model, texts, tasks
        case tokenizer = "tokenizer_fingerprint"
    }

    init(model: String, tokenizer: String) {
        self.model = model
        self.tokenizer = tokenizer
    }
}

/// How a result differs from an earlier one.
struct EvalComparison {
    /// Why the two cannot be compared; empty if they can.
    private(set) var obstacles: [String] = []
    /// Scores that differ or are missing.
    private(set) var differences: [String] = []
    /// Scores that were left out, with the reason.
    private(set) var notes: [String] = []
    private let tolerance: Double

    /// Compares all scores of an earlier result.
    ///
    /// Nats a token are compared only between results of one tokenizer on one text in pieces of one length;
    /// bits a byte also across tokenizers, for they are of the same text.
    init(_ result: EvalResult, with golden: EvalResult, tolerance: Double) {
        self.tolerance = tolerance
        let isSameTokenizer = differ(result.tokenizer, golden.tokenizer) == nil
        for (name, want) in golden.texts.sorted(by: { $0.key < $1.key }) {
            guard let got = result.texts[name] else {
                differences.append("\(name): missing, want loss \(want.score.loss)")
                continue
            }
            compare(name, got, want, isSameTokenizer: isSameTokenizer)
        }
        for (name, want) in golden.tasks.sorted(by: { $0.key < $1.key }) {
            guard let got = result.tasks[name] else {
                differences.append("\(name): missing, want acc \(want.acc)")
                continue
            }
            if let digests = differ(got.dataDigest, want.dataDigest) {
                obstacles.append("\(name): its documents are others (SHA-256 \(digests))")
            } else if got.documents != want.documents {
                obstacles.append("\(name): \(got.documents) documents, want \(want.documents)")
            } else {
                check("\(name) acc", got.acc, want.acc)
                check("\(name) acc_norm", got.accNorm, want.accNorm)
            }
        }
    }

    private mutating func compare(
        _ name: String, _ got: EvalResult.Text, _ want: EvalResult.Text, isSameTokenizer: Bool
    ) {
        if let digests = differ(got.dataDigest, want.dataDigest) {
            return obstacles.append("\(name): the text is another (\(digests))")
        }
        if let lengths = differ(got.sequenceLength, want.sequenceLength) {
            return obstacles.append("\(name): in pieces of another length (\(lengths) tokens)")
        }
        if isSameTokenizer {
            check("\(name) loss", got.score.loss, want.score.loss)
        } else if want.dataDigest == nil || got.dataDigest == nil {
            return obstacles.append("\(name): by another tokenizer, on a text that is not known")
        } else {
            notes.append(
                "\(name): another tokenizer, so bits a byte are compared and losses are not")
        }
        check("\(name) bits/byte", got.score.bitsPerByte, want.score.bitsPerByte)
    }

    /// Two values that are both known and not the same, for a message.
    private func differ<Value: Equatable>(_ got: Value?, _ want: Value?) -> String? {
        guard let got, let want, got != want else { return nil }
        return "\(got), want \(want)"
    }

    private mutating func check(_ name: String, _ got: Double, _ want: Double) {
        // Written so that NaN is a difference.
        if !(got == want || abs(got - want) <= tolerance * max(1, abs(want))) {
            differences.append("\(name): got \(got), want \(want) within \(tolerance)")
        }
    }
}
