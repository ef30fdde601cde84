import FalconData
import FalconModel
import FalconTensor

/// How close a written model is to the one it was written from.
public struct ExportCheck: Codable, Equatable, Sendable {
    /// Tokens whose logits were compared.
    public let tokens: Int
    /// The largest |difference| of a logit.
    public let largestDifference: Double
    /// The root of the mean squared difference over the logits' standard deviation.
    public let relativeDifference: Double
    /// The share of tokens whose most probable successor is the same.
    public let topAgreement: Double

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case tokens
        case largestDifference = "largest_difference"
        case relativeDifference = "relative_difference"
        case topAgreement = "top1_agreement"
    }

    /// Compares two models on fixed prompts: three texts, and tokens spread over the vocabulary.
    ///
    /// - Parameters:
    ///   - original: the model that was exported.
    ///   - written: the export, opened again.
    /// - Throws: `DataError` if a prompt cannot be encoded.
    public init(_ original: LoadedModel, _ written: LoadedModel) throws {
        let vocabularyCount = original.model.configuration.vocabSize
        let texts = [
            "The people of the United States,", "  def f(x):\n\treturn x + 12345", "Größe 日本語 😀",
        ]
        var prompts = try texts.map { try original.tokenizer.encode($0) }
        prompts.append((0..<64).map { Int32($0 * (vocabularyCount - 1) / 63) })
        var (largest, agreeing, count) = (0.0, 0, 0)
        var (squares, sum, total, logits) = (0.0, 0.0, 0.0, 0.0)
        for prompt in prompts where !prompt.isEmpty {
            for (wanted, got) in zip(original.logits(prompt), written.logits(prompt)) {
                for (a, b) in zip(wanted, got) {
                    let difference = abs(Double(a) - Double(b))
                    largest = difference.isNaN ? .infinity : max(largest, difference)
                    squares += difference * difference
                    sum += Double(a)
                    total += Double(a) * Double(a)
                    logits += 1
                }
                agreeing += Self.best(wanted) == Self.best(got) ? 1 : 0
                count += 1
            }
        }
        tokens = count
        largestDifference = largest
        let mean = sum / logits
        let variance = max(total / logits - mean * mean, .leastNormalMagnitude)
        relativeDifference =
            largest.isFinite ? (squares / logits / variance).squareRoot() : .infinity
        topAgreement = Double(agreeing) / Double(count)
    }

    private static func best(_ logits: [Float]) -> Int {
        logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
    }
}
