/// The comparison of a result with an earlier one.
public struct EvaluationComparison: Equatable, Sendable {
    /// The outcome of a comparison.
    public enum Verdict: Equatable, Sendable {
        /// Every score of the earlier result is there and close enough.
        case matches
        case differs
        /// The two were measured on different data.
        case notComparable
    }

    /// The reasons why the two cannot be compared; empty if they can.
    public private(set) var obstacles: [String] = []
    /// Scores that differ or are missing.
    public private(set) var differences: [String] = []
    /// Scores that were left out, with the reason.
    public private(set) var notes: [String] = []
    private let tolerance: ScoreTolerance

    /// The outcome of the comparison.
    public var verdict: Verdict {
        obstacles.isEmpty ? differences.isEmpty ? .matches : .differs : .notComparable
    }

    /// Compares all scores of an earlier result.
    ///
    /// Nats per token are compared only between results of one tokenizer on one text in pieces of
    /// one length. Bits per byte are also compared across tokenizers, as they refer to the same
    /// text.
    ///
    /// - Parameters:
    ///   - result: the new result.
    ///   - golden: the earlier one. Texts and tasks that it lacks are ignored.
    ///   - tolerance: the largest differences.
    public init(
        _ result: EvaluationResult, with golden: EvaluationResult, tolerance: ScoreTolerance
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
        for (new, old) in [
            (result.tasks, golden.tasks), (result.groups ?? [:], golden.groups ?? [:]),
        ] {
            for (name, want) in old.sorted(by: { $0.key < $1.key }) {
                guard let got = new[name] else {
                    differences.append("\(name): missing")
                    continue
                }
                compare(name, got, want)
            }
        }
        for (name, want) in (golden.suites ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let got = result.suites?[name] else {
                differences.append("\(name): missing, want score \(want.score)")
                continue
            }
            if got.items != want.items {
                obstacles.append("\(name): a mean of \(got.items) scores, want \(want.items)")
            } else {
                check(name, "score", got.score, want.score)
            }
        }
    }

    private mutating func compare(_ name: String, _ got: TaskScore, _ want: TaskScore) {
        if let digests = differ(got.dataDigest, want.dataDigest) {
            obstacles.append("\(name): its documents are different (SHA-256 \(digests))")
        } else if got.documents != want.documents {
            obstacles.append("\(name): \(got.documents) documents, want \(want.documents)")
        } else if let versions = differ(got.version, want.version) {
            obstacles.append("\(name): version \(versions)")
        } else if let shots = differ(got.shots, want.shots) {
            obstacles.append("\(name): \(shots) examples")
        } else if let digests = differ(got.examplesDigest, want.examplesDigest) {
            obstacles.append("\(name): its examples are different (SHA-256 \(digests))")
        } else {
            for (metric, score) in want.metrics.sorted(by: { $0.key < $1.key }) {
                guard let new = got.metrics[metric] else {
                    differences.append("\(name) \(metric): missing, want \(score.value)")
                    continue
                }
                check(name, metric, new, score)
            }
        }
    }

    private mutating func compare(
        _ name: String, _ got: EvaluationResult.Text, _ want: EvaluationResult.Text,
        isSameTokenizer: Bool
    ) {
        if let digests = differ(got.dataDigest, want.dataDigest) {
            return obstacles.append("\(name): the text is different (\(digests))")
        }
        if let lengths = differ(got.sequenceLength, want.sequenceLength) {
            return obstacles.append("\(name): in pieces of a different length (\(lengths) tokens)")
        }
        if isSameTokenizer {
            check(name, "loss", got.score.loss, want.score.loss)
        } else if want.dataDigest == nil || got.dataDigest == nil {
            return obstacles.append("\(name): by a different tokenizer, on an unknown text")
        } else {
            notes.append(
                "\(name): different tokenizers, so bits per byte are compared and losses are not")
        }
        check(name, "bits_per_byte", got.score.bitsPerByte, want.score.bitsPerByte)
    }

    /// The text for two known values that differ; nil otherwise.
    private func differ<Value: Equatable>(_ got: Value?, _ want: Value?) -> String? {
        guard let got, let want, got != want else { return nil }
        return "\(got), want \(want)"
    }

    private mutating func check(_ name: String, _ metric: String, _ got: Double, _ want: Double) {
        check(
            name, metric, MetricScore(value: got, standardError: nil),
            MetricScore(value: want, standardError: nil))
    }

    private mutating func check(
        _ name: String, _ metric: String, _ got: MetricScore, _ want: MetricScore
    ) {
        guard let room = tolerance.room(metric, want: want, got: got) else {
            differences.append(
                "\(name) \(metric): there is no standard error of it, so its tolerance cannot be in those; "
                    + "give it a number: \(metric)=0.01")
            return
        }
        // Written so that NaN is a difference.
        if !(got.value == want.value || abs(got.value - want.value) <= room.difference) {
            differences.append(
                "\(name) \(metric): got \(got.value), want \(want.value) within \(room.text)")
        }
    }
}
