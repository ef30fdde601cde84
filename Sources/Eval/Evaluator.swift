import FalconData
import FalconModel
import FalconRanks
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
    /// The ranks that share the work; all have the same model and ask for the same scores.
    public let ranks: RankGroup
    private let byteCounts: [Int]

    /// An evaluator.
    ///
    /// - Parameters:
    ///   - model: with weights.
    ///   - tokenizer: the one the model was trained with.
    ///   - device: the device that holds the model.
    ///   - ranks: the ranks that share the work.
    public init(
        model: any LanguageModel, tokenizer: any Tokenizer, device: Device,
        ranks: RankGroup = RankGroup()
    ) {
        self.ranks = ranks
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
        prompts = PromptEncoder(
            tokenizer, vocabularyCount: model.configuration.vocabSize)
        byteCounts = (0..<tokenizer.vocabularyCount).map {
            tokenizer.surface(of: Int32($0)).textByteCount
        }
    }

    /// Scores batches of tokens: each is scored by one rank, and all are added up in their order.
    ///
    /// - Parameter next: gives the next batch, the same on every rank, each scored on its own; nil at the end,
    ///   or when this rank is to stop.
    /// - Returns: the score of all, the same on every rank; nil if there was nothing to predict, or if ranks have
    ///   stopped at different places.
    /// - Throws: errors of `next`; `RankFailure` if a rank has failed.
    public func score(_ next: () throws -> Batch?) throws -> TextScore? {
        var own: [Double] = []
        var count = 0
        while let batch = try next() {
            ranks.note("scoring batch \(count)")
            if count % ranks.count == ranks.rank { own += try sums(of: batch) }
            count += 1
        }
        let all = try ranks.gather([Double(count)] + own)
        guard all.allSatisfy({ $0[0] == Double(count) }) else { return nil }
        var (nats, tokens, bytes) = (0.0, 0, 0)
        for index in 0..<count {
            let start = 1 + 3 * (index / ranks.count)
            let sums = all[index % ranks.count]
            nats += sums[start]
            tokens += Int(sums[start + 1])
            bytes += Int(sums[start + 2])
        }
        return tokens > 0 ? TextScore(nats: nats, tokens: tokens, bytes: bytes) : nil
    }

    /// Σ −log p of a batch, its predicted tokens, and the bytes that they stand for.
    private func sums(of batch: Batch) throws -> [Double] {
        for ids in [batch.tokens, batch.targets] {
            try requireEmbeddings(of: ids, vocabularyCount: model.configuration.vocabSize)
        }
        let nats = losses(
            batch.tokens, targets: batch.targets, segments: Segments(batch.documentOffsets)
        ).reduce(0) { $0 + Double($1) }
        var bytes = 0
        for target in batch.targets where target >= 0 { bytes += byteCounts[Int(target)] }
        return [nats, Double(batch.targetCount), Double(bytes)]
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
