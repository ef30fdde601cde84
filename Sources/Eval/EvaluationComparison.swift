/// How a result differs from an earlier one.
public struct EvaluationComparison: Equatable, Sendable {
    /// What a comparison comes to.
    public enum Verdict: Equatable, Sendable {
        /// Every score of the earlier result is there and near enough.
        case matches
        case differs
        /// The two were measured on different things.
        case notComparable
    }

    /// Why the two cannot be compared; empty if they can.
    public private(set) var obstacles: [String] = []
    /// Scores that differ or are missing.
    public private(set) var differences: [String] = []
    /// Scores that were left out, with the reason.
    public private(set) var notes: [String] = []
    private let tolerance: Double

    /// What the comparison comes to.
    public var verdict: Verdict {
        obstacles.isEmpty ? differences.isEmpty ? .matches : .differs : .notComparable
    }

    /// Compares all scores of an earlier result.
    ///
    /// Nats a token are compared only between results of one tokenizer on one text in pieces of one length;
    /// bits a byte also across tokenizers, for they are of the same text.
    ///
    /// - Parameters:
    ///   - result: what was measured now.
    ///   - golden: the earlier one. Texts and tasks that it does not have are not looked at.
    ///   - tolerance: the largest |difference| of a number, over its size if that is more than 1.
    public init(
        _ result: EvaluationResult, with golden: EvaluationResult, tolerance: Double
    ) {
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
        _ name: String, _ got: EvaluationResult.Text, _ want: EvaluationResult.Text,
        isSameTokenizer: Bool
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
