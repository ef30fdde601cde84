import FalconTestSupport
import Testing

@testable import FalconTokenizer

/// Long texts and words, whose tokens must be those of the whole.
@Suite struct LongTextTests {
    private static let letters = "abcdefghijklmnopqrstuvwxyz0123456789".map(String.init)

    /// Texts without a space, some longer than three parts.
    private static func unbroken() -> [String] {
        var random = LinearGenerator(seed: 7)
        let words = [
            "the", "people", "Größe", "日本", "語", "😀", "\n", "\t", "7", "-", "▁", "<s>", "e\u{301}",
        ]
        return [
            String(repeating: "a", count: 120_001), String(repeating: "ab", count: 50_000),
            String(repeating: "-", count: 70_000), String(repeating: "\n", count: 70_000),
            (0..<110_000).map { _ in letters[random.below(letters.count)] }.joined(),
            (0..<40_000).map { _ in words[random.below(words.count)] }.joined(),
            String(repeating: "é😀", count: 20_000), String(repeating: "\u{1F9FF}", count: 20_000),
            "x" + String(repeating: " ", count: 70_000) + "y",
        ]
    }

    @Test func wordsOfAnyLengthGiveTheLibrarysTokens() throws {
        let text = String(repeating: "the people of Größe, aaaa abab ---- 日本語\n\n", count: 40)
        let trained = try TokenizerTrainer(vocabularyCount: 330).train(on: documents([text]))
        let tokenizers = [
            try SentencePieceTokenizer(modelBytes: trained.modelBytes),
            try SentencePieceTokenizer(path: tokenizerFixture(mistralModel)),
        ]
        for tokenizer in tokenizers {
            let encoder = WordCachingEncoder(tokenizer)
            #expect(encoder.isCutBeforeSpaces)
            for text in Self.unbroken() + oddTexts {
                let wanted = try tokenizer.encode(text)
                #expect(try encoder.encode(text) == wanted)
            }
        }
    }

    @Test(arguments: ["gpt2", "llama3", "falcon", "fused"])
    func wordsOfAnyLengthGiveTheTokensOfTheirMerges(name: String) throws {
        let tokenizer = try #require(
            openTokenizer(path: tokenizerFixture("byte-pair/\(name).tokenizer.json"))
                as? BytePairTokenizer)
        let mapped = PreTokenizer(steps: tokenizer.preTokenizer.mapsBytes ? [.bytes] : [])
        for text in Self.unbroken() {
            let scalars = mapped.words(of: text.unicodeScalars.map(\.value)).scalars
            var merger = BytePairMerger()
            var (wanted, got): ([Int32], [Int32]) = ([], [])
            tokenizer.model.encode(
                scalars, 0, scalars.count, &merger, isPart: true, into: &wanted)
            LongWord(scalars, tokenizer.pieces, tokenizer.model)
                .encode(0, scalars.count, &merger, into: &got)
            #expect(got == wanted, "\(name): \(text.prefix(20))")
        }
    }

    @Test(arguments: [
        ("gpt2", true), ("llama3", true), ("falcon", true), ("qwen2", true), ("prefixed", false),
        ("pieces", false),
    ]) func partsOfATextGiveTheTokensOfTheWhole(name: String, isCut: Bool) throws {
        let tokenizer = try #require(
            openTokenizer(path: tokenizerFixture("byte-pair/\(name).tokenizer.json"))
                as? BytePairTokenizer)
        var text = ""
        for number in 0..<300 {
            text +=
                oddTexts[number % oddTexts.count]
                + ["x ", "don't  ", "<|end|> a", ".\n b"][number % 4]
        }
        let wanted = try tokenizer.encode(text)
        let encoder = tokenizer.makeEncoder()
        #expect(tokenizer.isCutBeforeSpaces == isCut)
        var tokens: [Int32] = []
        var isContinued = false
        var parts = 0
        for part in TextCut(text, isCutBeforeSpaces: isCut, partBytes: 40) {
            let scalars = String.UnicodeScalarView(part.compactMap(Unicode.Scalar.init))
            tokens += try encoder.encode(String(scalars), isContinued: isContinued)
            isContinued = true
            parts += 1
        }
        #expect(isCut ? parts > 50 : parts == 1)
        #expect(tokens == wanted)
    }

    @Test func usualTokenizersMayBeCut() throws {
        for name in ["gpt2", "llama3", "falcon", "qwen2", "smollm"] {
            let tokenizer = try openTokenizer(
                path: tokenizerFixture("byte-pair/\(name).tokenizer.json"))
            #expect((tokenizer as? BytePairTokenizer)?.isCutBeforeSpaces == true, "\(name)")
        }
    }
}
