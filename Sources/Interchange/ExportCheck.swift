import FalconModel
import FalconTensor
import FalconTokenizer

/// The difference between a written model and its source.
public struct ExportCheck: Codable, Equatable, Sendable {
    /// Tokens whose logits were compared.
    public let tokens: Int
    /// The largest |difference| of a logit.
    public let largestDifference: Double
    /// The root of the mean squared difference, divided by the logits' standard deviation.
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
    /// Both are read block by block, so that memory does not grow with the models.
    ///
    /// - Parameters:
    ///   - original: the model that was exported.
    ///   - written: the export, opened again.
    ///   - device: the device that both run on.
    /// - Throws: `InterchangeError.model` if the two do not have the same tokens, or there is none
    ///   to compare; `TokenizerError` if a prompt cannot be encoded; errors of reading the weights.
    public init(_ original: ModelFiles, _ written: ModelFiles, on device: Device) throws {
        let vocabularyCount = original.configuration.vocabSize
        let prompts = try Self.prompts(for: original, vocabularyCount: vocabularyCount)
        let count = prompts.reduce(0) { $0 + $1.count }
        guard written.configuration.vocabSize == vocabularyCount, count > 0 else {
            throw InterchangeError.model(
                reason: "\(original.path) with \(vocabularyCount) tokens and \(written.path) with "
                    + "\(written.configuration.vocabSize) have no logits to compare",
                advice: "export the model again")
        }
        var wanted: [[Float]] = []
        try StreamedModel(original, on: device).logits(of: prompts) { _, logits in
            wanted.append(logits.toArray())
        }
        var sums = LogitSums(rowCount: count)
        var part = 0
        try StreamedModel(written, on: device).logits(of: prompts) { range, logits in
            sums.add(wanted[part], logits.toArray(), from: range.lowerBound)
            part += 1
        }
        tokens = count
        (largestDifference, relativeDifference) = (sums.largest, sums.relativeDifference)
        topAgreement = sums.topAgreement
    }

    /// Three texts, and tokens spread over the vocabulary.
    static func prompts(for model: ModelFiles, vocabularyCount: Int) throws -> [[Int32]] {
        let texts = [
            "The people of the United States,", "  def f(x):\n\treturn x + 12345", "Größe 日本語 😀",
        ]
        let encoded = try model.tokenizer.map { tokenizer in
            try texts.map { try tokenizer.encode($0) }
        }
        let spread = (0..<64).map { Int32($0 * (vocabularyCount - 1) / 63) }
        return ((encoded ?? []) + [spread]).filter { prompt in
            // A tokenizer may have tokens that the model has no embedding for.
            !prompt.isEmpty && prompt.allSatisfy { $0 < vocabularyCount }
        }
    }
}

/// The sums over two tables of logits for their comparison, some columns at a time.
private struct LogitSums {
    private let rowCount: Int
    private var best: [(wanted: Int, got: Int)]
    private var peaks: [(wanted: Float, got: Float)]
    private var (squares, sum, total, count) = (0.0, 0.0, 0.0, 0.0)
    private(set) var largest = 0.0

    init(rowCount: Int) {
        self.rowCount = rowCount
        best = Array(repeating: (0, 0), count: rowCount)
        peaks = Array(repeating: (-.infinity, -.infinity), count: rowCount)
    }

    mutating func add(_ wanted: [Float], _ got: [Float], from first: Int) {
        let width = wanted.count / rowCount
        for row in 0..<rowCount {
            for column in 0..<width {
                let (a, b) = (wanted[row * width + column], got[row * width + column])
                let difference = abs(Double(a) - Double(b))
                largest = difference.isNaN ? .infinity : max(largest, difference)
                squares += difference * difference
                sum += Double(a)
                total += Double(a) * Double(a)
                if a > peaks[row].wanted {
                    (peaks[row].wanted, best[row].wanted) = (a, first + column)
                }
                if b > peaks[row].got { (peaks[row].got, best[row].got) = (b, first + column) }
            }
        }
        count += Double(wanted.count)
    }

    /// RMS of the differences, divided by the standard deviation of the wanted logits.
    var relativeDifference: Double {
        let mean = sum / count
        let variance = max(total / count - mean * mean, .leastNormalMagnitude)
        return largest.isFinite ? (squares / count / variance).squareRoot() : .infinity
    }

    var topAgreement: Double {
        Double(best.filter { $0.wanted == $0.got }.count) / Double(rowCount)
    }
}
