import FalconTestSupport
import Testing

@testable import FalconTokenizer

@Suite struct TokenizerTrainerTests {
    /// A small corpus with newlines, indentation, digits, rare characters and every odd text.
    private let corpus: String = {
        var text = ""
        for number in 0..<400 {
            text += "Section \(number). The people of the United States, in \(1790 + number % 230),"
            text += " hold these truths to be self-evident.\n\n    indented code \(number * 37)\n\n"
            let syllables = ["ba", "ko", "ri", "ten", "lu", "sha", "mo", "vel", "nir", "du", "pa"]
            text += (1...6).map { word in
                (0...(number + word) % 3).map { syllables[(number * word + 5 * $0) % 11] }.joined()
            }.joined(separator: " ")
            text += ["Der Größe nach.\n", "日本語のテスト。\n", "tab\tseparated\n"][number % 3]
        }
        return text + oddTexts.joined(separator: "\n")
    }()

    private func train(
        _ text: String, count: Int, _ type: TokenizerTrainer.ModelType = .bpe, threads: Int = 1
    ) throws -> TokenizerTrainer.Result {
        var trainer = TokenizerTrainer(vocabularyCount: count, modelType: type)
        trainer.threadCount = threads
        return try trainer.train(on: documents([text]))
    }

    @Test(arguments: TokenizerTrainer.ModelType.allCases)
    func aTrainedTokenizerGivesEveryTextBack(type: TokenizerTrainer.ModelType) throws {
        let result = try train(corpus, count: 420, type)
        let tokenizer = try SentencePieceTokenizer(modelBytes: result.modelBytes)
        #expect(tokenizer.vocabularyCount == 420)
        #expect(tokenizer.piece(0) == "<pad>" && tokenizer.padID == 0)
        #expect(tokenizer.piece(1) == "<s>" && tokenizer.bosID == 1)
        #expect(tokenizer.piece(2) == "</s>" && tokenizer.eosID == 2)
        #expect(tokenizer.piece(3) == "<unk>" && tokenizer.unkID == 3)
        #expect(tokenizer.model.algorithm == (type == .bpe ? .bpe : .unigram))
        #expect(tokenizer.model.hasByteFallback)
        #expect(!tokenizer.model.addsDummyPrefix && !tokenizer.model.removesExtraWhitespaces)
        #expect(tokenizer.model.normalizationName == "identity")
        for text in oddTexts {
            let ids = try tokenizer.encode(text)
            #expect(try tokenizer.decode(ids) == text)
            #expect(!ids.contains(3), "unknown piece in \(text.debugDescription)")
            var decoder = StreamingDecoder(tokenizer)
            var streamed = ""
            for id in ids { streamed += try decoder.append(id) }
            #expect(streamed + decoder.finish() == text)
        }
        // Newlines are learnt, alone or with what stands before them, not spelled as bytes.
        let newline = try tokenizer.encode("Section.\n\n")
        #expect(newline.allSatisfy { tokenizer.kind($0) == .normal })
        // Digits stay apart.
        #expect(try tokenizer.encode("1790").map(tokenizer.piece) == ["1", "7", "9", "0"])
    }

    @Test(arguments: TokenizerTrainer.ModelType.allCases)
    func rememberedWordsGiveTheLibrarysIds(type: TokenizerTrainer.ModelType) throws {
        let result = try train(corpus, count: 420, type)
        let tokenizer = try SentencePieceTokenizer(modelBytes: result.modelBytes)
        #expect(tokenizer.model.isCutBeforeSpaces == (type == .bpe))
        let encoder = WordCachingEncoder(tokenizer)
        var texts = oddTexts + ["a ▁ b", "▁ ▁", " ▁a ", "x▁ y", corpus]
        // Random strings of what is likely to be cut wrongly.
        let parts = [" ", "  ", "▁", "\n", "the", "people", ".", "é", "日", "\u{2585}", "\t", "7"]
        var random = LinearGenerator(seed: 3)
        for _ in 0..<3000 {
            texts.append(
                (0..<12).map { _ in parts[random.below(parts.count)] }.joined())
        }
        for text in texts + texts { #expect(try encoder.encode(text) == tokenizer.encode(text)) }
    }

    /// Words end between any two characters that no piece holds side by side: digits, marks, line breaks.
    @Test func wordsEndWhereNoPieceGoesOn() throws {
        let ownBytes = try train(corpus, count: 420, .bpe).modelBytes
        let own = try SentencePieceTokenizer(modelBytes: ownBytes)
        let mistral = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        let letters = (0x20...0x7E).map { String(UnicodeScalar(UInt8($0))) } + ["\n", "\t", "\0"]
        let words = [
            "the people", "[INST]", "[/INST]", "<0x0A>", "▁▁", "    ", "\n\n", "});\n", "日本", "é",
            "\u{1F600}", "▁", " ▁", "http://", "....", "0x7F", "1789", "de l'", "</s>", "<s>",
        ]
        var random = LinearGenerator(seed: 11)
        for tokenizer in [own, mistral] {
            let encoder = WordCachingEncoder(tokenizer)
            for _ in 0..<4000 {
                let text = (0..<10).map { _ in
                    random.below(3) == 0
                        ? words[random.below(words.count)] : letters[random.below(letters.count)]
                }.joined()
                #expect(try encoder.encode(text) == tokenizer.encode(text), "\(text)")
            }
        }
    }

    @Test(arguments: TokenizerTrainer.ModelType.allCases)
    func theModelDoesNotDependOnThreads(type: TokenizerTrainer.ModelType) throws {
        let models = try [1, 2, 7].map {
            try train(corpus, count: 425, type, threads: $0).modelBytes
        }
        #expect(models[0] == models[1] && models[0] == models[2])
    }

    /// What the trainer makes of sentences, or of counted words.
    private func model(_ text: String, wordBytes: Int) throws -> (model: [UInt8], forgotten: Int) {
        var sentences = TrainingText(text)
        let trained = try trainSentencePiece(
            options: TokenizerTrainer(vocabularyCount: 400).options, threadCount: 2,
            wordBytes: wordBytes
        ) { sentences.next() }
        return (trained.model, trained.forgottenWordCount)
    }

    @Test func countedWordsGiveTheModelOfTheirSentences() throws {
        var text = corpus
        text += String(repeating: "a\tb c\t\td \te ▁f▁ g<s>h </s>\t\t\n", count: 30)
        // Longer than a sentence may be once its tabs are spelled out.
        text += String(repeating: "\t", count: 20_000) + String(repeating: "xy\tz", count: 9000)
        let sentences = try model(text, wordBytes: 0)
        let words = try model(text, wordBytes: 1 << 26)
        #expect(words.model == sentences.model)
        #expect(words.forgotten == 0)
    }

    @Test func wordsBeyondTheRoomAreForgottenTheRarestFirst() throws {
        var text = String(repeating: "often said again ", count: 4000)
        var random = LinearGenerator(seed: 5)
        for _ in 0..<120_000 {
            text += " w" + String(random.next() >> 20, radix: 36)
        }
        let (bytes, forgotten) = try model(text, wordBytes: 4 << 20)
        #expect(forgotten > 10_000)
        let tokenizer = try SentencePieceTokenizer(modelBytes: bytes)
        #expect(try tokenizer.encode(" often said again").count == 3)
        #expect(try model(text, wordBytes: 4 << 20).model == bytes)
    }

    @Test func aVocabularyThatDoesNotFitIsExplained() throws {
        let few = "a few words, a few words, only a few words\n"
        for type in TokenizerTrainer.ModelType.allCases {
            let large = #expect(throws: TokenizerError.self) { try train(few, count: 4000, type) }
            #expect(large?.description.contains("Vocabulary size") == true, "\(type)")
        }
        let characters = (UInt32(0x4E00)..<0x5000).compactMap(Unicode.Scalar.init).map(String.init)
        let wide = characters.joined()
        let small = #expect(throws: TokenizerError.self) { try train(wide, count: 300) }
        #expect(small?.description.contains("is smaller than required_chars. 300 vs") == true)
        #expect(throws: TokenizerError.self) { try train(few, count: 260) }
    }

    @Test func aUnigramModelOfMuchTextNeedsASample() throws {
        var trainer = TokenizerTrainer(vocabularyCount: 400, modelType: .unigram)
        trainer.characterCoverage = 0.98
        trainer.wholeTextLimit = corpus.utf8.count - 1
        let error = #expect(throws: TokenizerError.self) {
            try trainer.train(on: documents([corpus, corpus]))
        }
        #expect(error?.description.hasPrefix("--sentence-limit is not given for more than") == true)
        trainer.sentenceLimit = 500
        #expect(try trainer.train(on: documents([corpus, corpus])).documentCount == 2)
        trainer.sentenceLimit = nil
        trainer.wholeTextLimit = 2 * corpus.utf8.count
        #expect(try trainer.train(on: documents([corpus, corpus])).documentCount == 2)
    }

    @Test func longLinesWithoutSpacesAreLearnt() throws {
        // The library aborts on words of more than 65,535 characters.
        let text = String(repeating: "永遠に続く一行", count: 20_000)
        let result = try train(text, count: 280)
        #expect(result.documentCount == 1 && result.textByteCount == text.utf8.count)
        let tokenizer = try SentencePieceTokenizer(modelBytes: result.modelBytes)
        #expect(try tokenizer.encode("永遠に続く一行").count < 7)
    }

    @Test func aSampleOfLinesIsTheSameEveryTime() throws {
        var trainer = TokenizerTrainer(vocabularyCount: 400)
        trainer.characterCoverage = 0.98
        trainer.sentenceLimit = 200
        let first = try trainer.train(on: documents([corpus])).modelBytes
        let second = try trainer.train(on: documents([corpus])).modelBytes
        #expect(first == second)
        #expect(try first != train(corpus, count: 400).modelBytes)
    }
}
