#if canImport(Glibc)
    import Glibc
#endif

/// A score over all documents of a task.
public struct MetricScore: Equatable, Sendable {
    /// The number.
    public let value: Double
    /// Its standard error; nil if there is none.
    public let standardError: Double?

    /// A score.
    ///
    /// - Parameters:
    ///   - value: the number.
    ///   - standardError: its standard error; nil for none.
    public init(value: Double, standardError: Double?) {
        self.value = value
        self.standardError = standardError
    }

    /// The score of a metric over documents, with lm-evaluation-harness's standard error.
    ///
    /// - Parameters:
    ///   - values: of the documents, at least one.
    ///   - aggregation: the way from values to one number.
    public init(_ values: [Metric.Value], _ aggregation: Metric.Aggregation) {
        let numbers = values.map(\.number)
        switch aggregation {
        case .mean:
            value = Self.mean(numbers)
            standardError = Self.standardError(numbers)
        case .perplexity:
            value = exp(-Self.mean(numbers))
            standardError = numbers.count > 1 ? Self.bootstrappedError(numbers) : nil
        case .weightedPerplexity:
            value = exp(-Self.ratio(values))
            standardError = nil
        case .bitsPerByte:
            value = -Self.ratio(values) / log(2)
            standardError = nil
        }
    }

    /// The score of a group from those of its tasks.
    ///
    /// - Parameters:
    ///   - scores: of the tasks, at least one.
    ///   - sizes: the number of documents of each.
    ///   - isWeighted: whether a task counts by its documents.
    public init(group scores: [MetricScore], sizes: [Int], isWeighted: Bool) {
        let (count, total) = (Double(scores.count), Double(sizes.reduce(0, +)))
        let errors = scores.compactMap(\.standardError)
        guard isWeighted else {
            value = scores.reduce(0) { $0 + $1.value } / count
            standardError =
                errors.count == scores.count
                ? errors.reduce(0) { $0 + $1 * $1 }.squareRoot() / count : nil
            return
        }
        value = zip(scores, sizes).reduce(0) { $0 + $1.0.value * Double($1.1) } / total
        guard errors.count == scores.count, total > count else {
            standardError = nil
            return
        }
        let pooled =
            zip(errors, sizes).reduce(0) { $0 + Double($1.1 - 1) * $1.0 * $1.0 * Double($1.1) }
            / (total - count)
        standardError = (pooled / total).squareRoot()
    }

    private static func mean(_ numbers: [Double]) -> Double {
        numbers.reduce(0, +) / Double(numbers.count)
    }

    private static func ratio(_ values: [Metric.Value]) -> Double {
        values.reduce(0) { $0 + $1.number } / values.reduce(0) { $0 + $1.weight }
    }

    /// Sample standard deviation over √n; nil for one value.
    private static func standardError(_ numbers: [Double]) -> Double? {
        guard numbers.count > 1 else { return nil }
        return deviation(numbers) / Double(numbers.count).squareRoot()
    }

    private static func deviation(_ numbers: [Double]) -> Double {
        let mean = mean(numbers)
        let squares = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (squares / Double(numbers.count - 1)).squareRoot()
    }

    /// The standard deviation of e^−mean over resampled documents.
    ///
    /// The harness's: 100 times 1,000 resamples, each hundredth by a generator of its own.
    private static func bootstrappedError(_ numbers: [Double]) -> Double {
        let count = Double(numbers.count)
        let results = (0..<100).flatMap { (seed: UInt32) in
            var random = PythonRandom(seed: seed)
            return (0..<1000).map { _ in
                var sum = 0.0
                for _ in numbers.indices { sum += numbers[Int(random.unit() * count)] }
                return exp(-(sum / count))
            }
        }
        return deviation(results)
    }
}
