import FalconData
import FalconModel
import FalconTensor
import FalconTokenizer

#if canImport(Glibc)
    import Glibc
#endif

/// The score of a model's predictions of some text.
public struct TextScore: Codable, Equatable, Sendable {
    /// Tokens that were predicted.
    public let tokens: Int
    /// UTF-8 bytes that those tokens stand for.
    public let bytes: Int
    /// Mean −log p of a token, in nats.
    public let loss: Double
    /// e^loss.
    public let perplexity: Double
    /// Σ −log₂ p over bytes.
    public let bitsPerByte: Double

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case tokens, bytes, loss, perplexity
        case bitsPerByte = "bits_per_byte"
    }

    /// The score of several texts together.
    ///
    /// - Parameter scores: of each; nil comes of none.
    public init?(combining scores: [TextScore]) {
        // One score keeps its bits.
        if scores.count == 1 { self = scores[0]; return }
        guard !scores.isEmpty else { return nil }
        self.init(
            nats: scores.reduce(0) { $0 + $1.loss * Double($1.tokens) },
            tokens: scores.reduce(0) { $0 + $1.tokens }, bytes: scores.reduce(0) { $0 + $1.bytes })
    }

    /// A score from sums.
    ///
    /// - Parameters:
    ///   - nats: Σ −log p over the tokens.
    ///   - tokens: predicted tokens, at least one.
    ///   - bytes: bytes they stand for.
    public init(nats: Double, tokens: Int, bytes: Int) {
        self.tokens = tokens
        self.bytes = bytes
        loss = nats / Double(tokens)
        perplexity = exp(loss)
        bitsPerByte = bytes > 0 ? nats / (Double(bytes) * log(2)) : .nan
    }
}

/// Scores text with a model, without training it.
public final class Evaluator {
    /// The default number of tokens that see each other when text is scored.
    public static let usualLength = 4096

    let model: any LanguageModel
    let tokenizer: any Tokenizer
    let device: Device
    let prompts: PromptEncoder
    private let byteCounts: [Int]

    /// An evaluator.
    ///
    /// - Parameters:
    ///   - model: with weights.
    ///   - tokenizer: the one the model was trained with.
    ///   - device: the device that holds the model.
    public init(model: any LanguageModel, tokenizer: any Tokenizer, device: Device) {
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
        prompts = PromptEncoder(
            tokenizer, vocabularyCount: model.configuration.vocabSize)
        byteCounts = (0..<tokenizer.vocabularyCount).map {
            tokenizer.surface(of: Int32($0)).textByteCount
        }
    }

    /// Scores batches of tokens.
    ///
    /// - Parameter next: gives the next batch, each scored on its own; nil at the end.
    /// - Returns: the score of all; nil if there was nothing to predict.
    /// - Throws: errors of `next`.
    public func score(_ next: () throws -> Batch?) throws -> TextScore? {
        var (nats, tokens, bytes) = (0.0, 0, 0)
        while let batch = try next() {
            for ids in [batch.tokens, batch.targets] {
                try requireEmbeddings(of: ids, vocabularyCount: model.configuration.vocabSize)
            }
            nats += losses(
                batch.tokens, targets: batch.targets, segments: Segments(batch.documentOffsets)
            ).reduce(0) { $0 + Double($1) }
            tokens += batch.targetCount
            for target in batch.targets where target >= 0 { bytes += byteCounts[Int(target)] }
        }
        return tokens > 0 ? TextScore(nats: nats, tokens: tokens, bytes: bytes) : nil
    }

    /// Scores a text file as one document, in pieces that do not see each other.
    ///
    /// The tokens are those that `falcon tokenize` makes: none is put before the first one, which
    /// has nothing before it and is not predicted; the end of the document is predicted.
    /// The file is read and scored piece by piece.
    ///
    /// - Parameters:
    ///   - path: UTF-8 text.
    ///   - sequenceLength: tokens per piece.
    /// - Returns: its score.
    /// - Throws: `FileError`, `DataError` or `TokenizerError` if it cannot be read or encoded,
    ///   `EvaluationError` if there is nothing to predict.
    public func score(textFile path: String, sequenceLength: Int) throws -> TextScore {
        let document = try TextFileTokens(path: path, tokenizer: tokenizer)
        var tokens: [Int32] = []
        var isAtEnd = false
        let score = try score {
            while tokens.count <= sequenceLength && !isAtEnd {
                if let more = try document.next() { tokens += more } else { isAtEnd = true }
            }
            guard tokens.count > 1 else { return nil }
            let sequence = Array(tokens.prefix(sequenceLength + 1))
            tokens.removeFirst(sequence.count - 1)
            return Batch(sequences: [sequence], endOfDocumentID: -1)
        }
        guard let score else { throw EvaluationError.emptyText(path: path) }
        return score
    }

    /// −log p of each row's target.
    private func losses(_ tokens: [Int32], targets: [Int32], segments: Segments) -> [Float] {
        var tape = Tape(on: device, isRecording: false)
        let hidden = model.hidden(device.indices(tokens), segments: segments, on: &tape)
        return model.losses(hidden, targets: device.indices(targets), on: &tape).losses.toArray()
    }
}

extension Segments {
    /// The documents of a batch.
    ///
    /// - Parameter documentOffsets: cumulative, first 0, last the number of rows.
    public init(_ documentOffsets: [Int32]) { self.init(offsets: documentOffsets.map(Int.init)) }
}
