#if canImport(Glibc)
    import Glibc
#endif

/// What a model gave for a document.
public struct ModelAnswer: Equatable, Sendable {
    /// Σ log p of each scored text, in nats.
    public var logLikelihoods: [Double]
    /// Whether every token of each scored text is the most probable one.
    public var isGreedy: [Bool]
    /// The text written; nil if none was asked for.
    public var text: String?

    /// An answer.
    ///
    /// - Parameters:
    ///   - logLikelihoods: Σ log p of each scored text, in nats.
    ///   - isGreedy: whether every token of each is the most probable one.
    ///   - text: the text written.
    public init(logLikelihoods: [Double] = [], isGreedy: [Bool] = [], text: String? = nil) {
        self.logLikelihoods = logLikelihoods
        self.isGreedy = isGreedy
        self.text = text
    }
}

/// A score of a task: a value a document, and how they become one number.
public struct Metric: Sendable {
    /// The way from values to one number.
    public enum Aggregation: Sendable {
        /// Their mean; its error is the sample standard deviation over √n.
        case mean
        /// e^−mean; its error is that of the harness's bootstrap.
        case perplexity
        /// e^−(Σ value / Σ weight), without an error.
        case weightedPerplexity
        /// −(Σ value / Σ weight) / ln 2, without an error.
        case bitsPerByte
    }

    /// The value of a document.
    public struct Value: Equatable, Sendable {
        /// The number, such as 1 for a right answer, or a log-likelihood.
        public let number: Double
        /// Words or bytes, where sums are divided by them.
        public let weight: Double

        /// The value of a document.
        ///
        /// - Parameters:
        ///   - number: such as 1 for a right answer.
        ///   - weight: words or bytes.
        public init(_ number: Double, weight: Double = 1) {
            self.number = number
            self.weight = weight
        }
    }

    /// The name in results.
    public let name: String
    /// The way from values to one number.
    public let aggregation: Aggregation
    /// Whether a larger number is better.
    public let isHigherBetter: Bool
    /// The value of a document.
    public let value: @Sendable (TaskDocument.Request, ModelAnswer) -> Value

    /// A score.
    ///
    /// - Parameters:
    ///   - name: in results.
    ///   - aggregation: the way from values to one number.
    ///   - isHigherBetter: whether a larger number is better.
    ///   - value: the value of a document.
    public init(
        _ name: String, _ aggregation: Aggregation = .mean, isHigherBetter: Bool = true,
        value: @escaping @Sendable (TaskDocument.Request, ModelAnswer) -> Value
    ) {
        self.name = name
        self.aggregation = aggregation
        self.isHigherBetter = isHigherBetter
        self.value = value
    }

    /// Whether the answer with the largest log-likelihood is right; the first of equal ones wins.
    public static let acc = choice("acc") { _ in 1 }
    /// The same after division by the number of characters of the answer.
    public static let accNorm = choice("acc_norm") { Double($0.unicodeScalars.count) }
    /// The same after division by the number of bytes of the answer.
    public static let accBytes = choice("acc_bytes") { Double($0.utf8.count) }

    private static func choice(
        _ name: String, length: @escaping @Sendable (String) -> Double
    ) -> Metric {
        Metric(name) { request, answer in
            guard case .choices(_, let answers, let right) = request else { return Value(.nan) }
            let values = zip(answer.logLikelihoods, answers).map { $0 / length($1) }
            let best = values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
            return Value(right.contains(best) ? 1 : 0)
        }
    }

    /// The share of the right answers in the probability of all.
    public static let probabilityMass = Metric("acc") { request, answer in
        guard case .choices(_, _, let right) = request else { return Value(.nan) }
        let probabilities = answer.logLikelihoods.map { exp($0) }
        let mass = right.sorted().reduce(0) { $0 + probabilities[$1] }
        return Value(mass / probabilities.reduce(0, +))
    }

    /// Whether every token of the text is the most probable one.
    public static let greedyAcc = Metric("acc") { _, answer in
        Value(answer.isGreedy.allSatisfy { $0 } ? 1 : 0)
    }

    /// e^−mean of the log-likelihoods of the documents' texts.
    public static let perplexity = Metric("perplexity", .perplexity, isHigherBetter: false) {
        _, answer in Value(answer.logLikelihoods.first ?? .nan)
    }

    /// −log₂ p of the right text over its bytes, the space before it included: a score that is smooth
    /// where accuracies of small models are at chance.
    public static let answerBitsPerByte = Metric("bits_per_byte", isHigherBetter: false) {
        request, answer in
        let (place, text): (Int, String)
        switch request {
        case .choices(_, let answers, let right):
            place = right.min() ?? 0
            text = " " + answers[place]
        case .continuation(_, let continuation): (place, text) = (0, continuation)
        case .rolling, .generation: return Value(.nan)
        }
        return Value(-answer.logLikelihoods[place] / log(2) / Double(text.utf8.count))
    }

    /// Perplexity of a word of a long text.
    public static let wordPerplexity = rolling("word_perplexity", .weightedPerplexity) {
        words, _ in words
    }
    /// Perplexity of a byte of a long text.
    public static let bytePerplexity = rolling("byte_perplexity", .weightedPerplexity) {
        _, bytes in bytes
    }
    /// −log₂ p of a byte of a long text.
    public static let bitsPerByte = rolling("bits_per_byte", .bitsPerByte) { _, bytes in bytes }

    private static func rolling(
        _ name: String, _ aggregation: Aggregation,
        weight: @escaping @Sendable (_ words: Int, _ bytes: Int) -> Int
    ) -> Metric {
        Metric(name, aggregation, isHigherBetter: false) { request, answer in
            guard case .rolling(_, let words, let bytes) = request else { return Value(.nan) }
            return Value(
                answer.logLikelihoods.first ?? .nan, weight: Double(weight(words, bytes)))
        }
    }
}
