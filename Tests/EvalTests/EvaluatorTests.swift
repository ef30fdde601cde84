import FalconModel
import FalconRanks
import FalconTensor
import FalconTestSupport
import FalconTokenizer
import Foundation
import Testing

@testable import FalconEval

/// Scores of a small model with random weights.
@Suite struct EvaluatorTests {
    let evaluator: Evaluator

    init() throws { evaluator = try Self.makeEvaluator() }

    static func makeEvaluator(
        threadCount: Int = 2, positions: Int = 24, ranks: RankGroup = RankGroup()
    ) throws -> Evaluator {
        let tokenizer = try SentencePieceTokenizer(
            path: testsFolder + "/InterchangeTests/Fixtures/tokenizer/plain.model")
        let configuration = """
            {"architecture": "falcon-h1", "vocab_size": \(tokenizer.vocabularyCount),
             "hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 24,
             "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
             "mamba_d_ssm": 16, "mamba_n_heads": 2, "mamba_d_head": 8, "mamba_n_groups": 1,
             "mamba_d_state": 5, "mamba_d_conv": 4, "mamba_chunk_size": 4, "mamba_rms_norm": false,
             "rms_norm_eps": 1e-5, "rope_theta": 10000, "max_position_embeddings": \(positions),
             "tie_word_embeddings": false, "embedding_multiplier": 1, "lm_head_multiplier": 1,
             "attention_in_multiplier": 1, "attention_out_multiplier": 1, "key_multiplier": 1,
             "ssm_in_multiplier": 1, "ssm_out_multiplier": 1, "ssm_multipliers": [1, 1, 1, 1, 1],
             "mlp_multipliers": [1, 1], "initialization": "mamba2", "initializer_range": 0.5,
             "mixers": "parallel"}
            """
        let device = Device(threadCount: threadCount)
        let model = FalconH1(
            try JSONDecoder().decode(FalconH1Configuration.self, from: Data(configuration.utf8)))
        model.allocate(on: device, withGradients: false)
        model.table.initialize(seed: 7)
        return Evaluator(model: model, tokenizer: tokenizer, device: device, ranks: ranks)
    }

    /// Σ log p of tokens after a prefix, from full logits in double.
    private func logProbability(of tokens: [Int32], after prefix: [Int32]) -> Double {
        let model = evaluator.model
        let whole = prefix + tokens
        var tape = Tape(on: evaluator.device, isRecording: false)
        let hidden = model.hidden(
            evaluator.device.indices(whole), segments: Segments(rowCount: whole.count), on: &tape)
        let logits = model.logits(hidden, on: &tape).toArray().map(Double.init)
        let width = model.configuration.vocabSize
        return tokens.indices.reduce(0) { sum, index in
            let first = (prefix.count + index - 1) * width
            let row = logits[first..<first + width]
            let peak = row.max() ?? 0
            let total = row.reduce(0) { $0 + exp($1 - peak) }
            return sum + row[first + Int(tokens[index])] - peak - log(total)
        }
    }

    private func encode(_ text: String) throws -> [Int32] {
        try evaluator.tokenizer.encode(text)
    }

    @Test func sumsAreThoseOfTheLogits() throws {
        let sum = try evaluator.logLikelihoods(context: "ab c", continuations: [" de"])[0]
        let whole = try encode("ab c de")
        let count = try encode("ab c").count
        let wanted = logProbability(of: Array(whole[count...]), after: Array(whole[..<count]))
        #expect(abs(sum - wanted) <= 1e-5 * abs(wanted))
    }

    @Test func whatElseIsScoredChangesNoBit() throws {
        let endings = [" the end", " of", " a very long ending, it is", " x"]
        let together = try evaluator.logLikelihoods(context: "a state", continuations: endings)
        for (index, ending) in endings.enumerated() {
            let alone = try evaluator.logLikelihoods(context: "a state", continuations: [ending])
            #expect(abs(alone[0] - together[index]) <= 1e-5 * abs(alone[0]))
        }
        let reversed = try evaluator.logLikelihoods(
            context: "a state", continuations: endings.reversed())
        #expect(reversed.reversed() == together)
        // Neighbours of the same lengths with other words: the same bits.
        let other = try evaluator.logLikelihoods(
            context: "a state", continuations: [" the and", " fo", endings[2], " y"])
        #expect(other[2] == together[2])
    }

    @Test func threadsChangeNoBit() throws {
        let endings = [" the end", " of"]
        let wanted = try evaluator.logLikelihoods(context: "a state", continuations: endings)
        for threads in [1, 3] {
            let evaluator = try Self.makeEvaluator(threadCount: threads)
            #expect(
                try evaluator.logLikelihoods(context: "a state", continuations: endings) == wanted)
        }
    }

    @Test func whiteSpaceAtTheEndOfTheContextBelongsToTheContinuation() throws {
        for (space, ending) in [(" ", "de"), ("  ", "de"), ("\n", "de"), (" \n", " de")] {
            #expect(
                try evaluator.logLikelihoods(context: "ab c" + space, continuations: [ending])
                    == evaluator.logLikelihoods(context: "ab c", continuations: [space + ending]))
        }
    }

    @Test func anEmptyContextIsTheTokenBetweenDocuments() throws {
        let tokenizer = evaluator.tokenizer
        let start = try #require(tokenizer.bosID ?? tokenizer.eosID)
        for context in ["", " "] {
            let sum = try evaluator.logLikelihoods(context: context, continuations: ["ab c"])[0]
            let wanted = logProbability(of: try encode(context + "ab c"), after: [start])
            #expect(abs(sum - wanted) <= 1e-5 * abs(wanted))
        }
    }

    @Test func longContextsLoseTheirBeginning() throws {
        let limit = evaluator.model.configuration.maxPositionEmbeddings
        let words = Array(repeating: "state of the union", count: 12).joined(separator: " ")
        let ending = try Array(encode(words + " and").dropFirst(encode(words).count))
        let whole = try encode(words) + ending
        #expect(whole.count > limit + 1)
        let kept = Array(whole.suffix(limit + 1).dropLast(ending.count))
        let sum = try evaluator.logLikelihoods(context: words, continuations: [" and"])[0]
        let wanted = logProbability(of: ending, after: kept)
        #expect(abs(sum - wanted) <= 1e-5 * abs(wanted))
        // A continuation longer than the context cannot be scored whole.
        #expect(throws: EvaluationError.self) {
            try evaluator.logLikelihoods(context: "a", continuations: [" " + words])
        }
    }

    @Test func scoresOfTextAreMeansOverItsPieces() throws {
        let folder = try TemporaryFolder()
        let text = "ab c de, the state of the union"
        let path = try folder.write("text.txt", text)
        let end = try evaluator.tokenizer.requireEndOfDocumentID()
        let tokens = try encode(text) + [end]
        let score = try evaluator.score(textFile: path, sequenceLength: tokens.count)
        let nats = -logProbability(of: Array(tokens.dropFirst()), after: [tokens[0]])
        #expect(score.tokens == tokens.count - 1)
        #expect(abs(score.loss - nats / Double(score.tokens)) <= 1e-5 * score.loss)
        #expect(abs(score.perplexity - exp(score.loss)) <= 1e-9 * score.perplexity)
        // The bytes are those of the text without its first piece; the end has none.
        let first = try evaluator.tokenizer.decode([tokens[0]])
        #expect(score.bytes == text.utf8.count - first.utf8.count)
        #expect(
            abs(score.bitsPerByte - nats / (Double(score.bytes) * log(2)))
                <= 1e-5 * score.bitsPerByte)
        // Shorter pieces see less, but predict the same tokens.
        let short = try evaluator.score(textFile: path, sequenceLength: 3)
        #expect(short.tokens == score.tokens && short.bytes == score.bytes)
        #expect(short.loss != score.loss)
    }
}
