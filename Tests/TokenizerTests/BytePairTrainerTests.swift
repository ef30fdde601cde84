import FalconJSON
import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconTokenizer

@Suite struct BytePairTrainerTests {
    /// What Hugging Face's trainer learns (`scripts/fixtures/byte_pair_training.py`, tokenizers 0.23.3).
    struct Fixture: Decodable {
        struct Case: Decodable, Sendable, CustomTestStringConvertible {
            let words: String
            let minimum_count: Int
            let special_tokens: [String]
            let tokens: [String]
            let merges: [String]

            var testDescription: String { "\(words) \(tokens.count)" }
        }
        let documents: [String]
        let cases: [Case]

        static let shared: Fixture? = try? decodedJSON(
            Fixture.self, from: InputFile.contents(of: tokenizerFixture("training.json")))
    }

    private let corpus: [String]

    init() throws { corpus = try #require(Fixture.shared).documents }

    private func trainer(_ wanted: Fixture.Case, threads: Int = 1) throws -> BytePairTrainer {
        var trainer = BytePairTrainer(vocabularyCount: wanted.tokens.count)
        trainer.words = try #require(BytePairTrainer.Words(rawValue: wanted.words))
        trainer.minimumCount = wanted.minimum_count
        trainer.specialTokens = wanted.special_tokens
        trainer.threadCount = threads
        return trainer
    }

    @Test(arguments: Fixture.shared?.cases ?? [])
    func vocabularyAndMergesAreHuggingFaces(wanted: Fixture.Case) throws {
        let result = try trainer(wanted).train(on: documents(corpus))
        let tokenizer = try BytePairTokenizer(files: result.files)
        #expect(tokenizer.pieces.map(\.text) == wanted.tokens)
        let texts = tokenizer.pieces.map(\.text)
        #expect(
            tokenizer.merges.map { texts[Int($0.left)] + " " + texts[Int($0.right)] }
                == wanted.merges)
        #expect(result.documentCount == corpus.count && result.forgottenWordCount == 0)
        #expect(result.textByteCount == corpus.map(\.utf8.count).reduce(0, +))
        #expect(tokenizer.eosID == 0 && tokenizer.endOfDocumentText == "<|endoftext|>")
        for text in corpus + oddTexts {
            #expect(try tokenizer.decode(tokenizer.encode(text)) == text)
        }
    }

    @Test func everyCaseIsThere() throws {
        let cases = try #require(Fixture.shared).cases
        #expect(Set(cases.map(\.words)) == Set(BytePairTrainer.Words.allCases.map(\.rawValue)))
    }

    @Test func theFilesDoNotDependOnThreadsOrOrder() throws {
        let wanted = try #require(Fixture.shared?.cases.first)
        // Several rounds and jobs, of which some words are forgotten.
        let texts =
            Array(repeating: corpus, count: 10).flatMap { $0 } + Self.rareWords(count: 90_000)
        let results = try [(1, texts), (3, texts)].map { threads, texts in
            var trainer = try trainer(wanted, threads: threads)
            trainer.wordBytes = 2 << 20
            trainer.roundBytes = 3 << 17
            return try trainer.train(on: documents(texts))
        }
        #expect(results[0].files == results[1].files)
        #expect(results[0].forgottenWordCount > 50_000)
        #expect(results[0].forgottenWordCount == results[1].forgottenWordCount)
        let reversed = try trainer(wanted).train(on: documents(corpus.reversed()))
        #expect(try reversed.files == trainer(wanted).train(on: documents(corpus)).files)
    }

    private static func rareWords(count: Int) -> [String] {
        var random = LinearGenerator(seed: 5)
        return (0..<count / 1000).map { _ in
            (0..<1000).map { _ in String(random.next() >> 20, radix: 36) }.joined(separator: " ")
        }
    }

    @Test func rareWordsAreForgottenAndFrequentOnesKept() {
        var words = WordCounts()
        func add(_ text: String, _ count: Int) {
            let bytes = Array(text.utf8)
            words.add(bytes.span, count: count)
        }
        for number in 0..<20_000 { add("rare\(number)", 1) }
        for number in 0..<500 { add("often\(number)", 3 + number % 2) }
        for number in 0..<500 { add("often\(number)", 4) }
        #expect(words.wordCount == 20_500)
        #expect(words.forgetRarest(beyond: words.byteCount) == 0)
        #expect(words.forgetRarest(beyond: words.byteCount - 1) == 20_000)
        var found: [String: Int] = [:]
        words.forEach { word, count in
            let text = word.indices.map { word[$0] }
            found[String(decoding: text, as: UTF8.self)] = count
        }
        #expect(found.count == 500 && found["often7"] == 8 && found["often8"] == 7)
        #expect(words.byteCount < 1 << 17)
    }

    /// A pair that is seen 5 billion times comes before one of 4 billion, though 32 bits would not hold its count.
    @Test func countsOfPairsGoBeyond32Bits() {
        var words = WordCounts()
        for (text, count) in [("ab", 5_000_000_000), ("cd", 4_000_000_000), ("xab", 4_500_000_000)]
        {
            let bytes = Array(text.utf8)
            words.add(bytes.span, count: count)
        }
        var learner = MergeLearner(
            firstID: 0, vocabularyCount: 259, minimumCount: 2, forbidden: [])
        let tokens = learner.learn(from: &words).tokens.dropFirst(256)
        #expect(tokens.map { String(decoding: $0, as: UTF8.self) } == ["ab", "xab", "cd"])
    }

    @Test func noTextBecomesTheEndOfADocument() throws {
        var trainer = BytePairTrainer(vocabularyCount: 278)
        // Every sign and letter in one word.
        trainer.words = .gpt2
        trainer.specialTokens = ["hello"]
        trainer.minimumCount = 1
        let text = String(repeating: "hello hello world worlds <|endoftext|>\n", count: 50)
        let files = try trainer.train(on: documents([text])).files
        let tokenizer = try BytePairTokenizer(files: files)
        let ids = try tokenizer.makeDocumentEncoder().encode(text)
        #expect(!ids.contains(0))
        #expect(tokenizer.pieces.count { $0.text == "hello" } == 1)
        // Nothing is merged to a special token.
        let texts = tokenizer.pieces.map(\.text)
        #expect(
            !tokenizer.merges.contains { texts[Int($0.left)] + texts[Int($0.right)] == "hello" })
    }

    @Test func impossibleOptionsAreErrors() throws {
        func error(_ change: (inout BytePairTrainer) -> Void) -> String {
            var trainer = BytePairTrainer(vocabularyCount: 300)
            change(&trainer)
            do {
                _ = try trainer.train(on: documents(["a b c"]))
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(error { $0.vocabularyCount = 257 }.hasPrefix("--vocab-size is 257, want 258 to"))
        #expect(error { $0.minimumCount = 0 }.hasPrefix("--min-frequency is 0"))
        #expect(error { $0.wordBytes = 1 }.hasPrefix("--word-memory-mib"))
        #expect(error { $0.specialTokens = ["x"] }.hasPrefix("--special-token is \"x\""))
        #expect(error { $0.specialTokens = ["<|endoftext|>"] }.contains("twice"))
        let few = error { _ in }
        #expect(few.contains("the text gives 257 tokens") && few.contains("wanted 300"))
        #expect(few.contains("--min-frequency"))
    }
}
