import FalconConcurrency
import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@Suite struct TokenizerTests {
    /// Ids that sentencepiece 0.2.3 (Python) gives: mistral v3, test_model.
    static let expected: [(String, [Int32], [Int32])] = [
        ("Hello world", [23325, 2294], [151, 88, 21, 887]),
        ("Hello world!", [23325, 2294, 29576], [151, 88, 21, 887, 147]),
        (" Hello", [29473, 23325], [151, 88, 21]),
        ("  two  leading", [1027, 1757, 29473, 6142], [213, 4, 82, 218, 18]),
        (
            "a\n\n  indented\n\tTab", [1032, 781, 781, 29473, 1944, 13481, 781, 780, 8328],
            [11, 0, 20, 17, 109, 12, 0, 177, 19, 66]
        ),
        (
            "Größe naïve café", [2546, 29602, 10294, 2647, 29688, 1101, 29113],
            [519, 30, 0, 16, 4, 24, 19, 0, 125, 78, 19, 57, 0]
        ),
        ("日本語 😀", [29473, 29910, 29887, 31089, 29473, 31343], [4, 0, 4, 0]),
        (
            "12345 3.14",
            [29473, 29508, 29518, 29538, 29549, 29550, 29473, 29538, 29491, 29508, 29549],
            [4, 357, 596, 0, 556, 4, 0, 6, 357, 0]
        ),
        ("", [], []),
        ("<s> literal", [1291, 29481, 29535, 21587], [4, 0, 8, 0, 862, 31]),
        (
            "[INST] hi [/INST]", [1501, 17057, 29561, 12782, 1501, 29516, 17057, 29561],
            [446, 100, 199, 262, 177, 259, 566, 446, 0, 100, 199, 262, 177, 259]
        ),
    ]

    @Test func idsAreThoseOfSentencePiece() throws {
        let mistral = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        let small = try SentencePieceTokenizer(path: tokenizerFixture("test_model.model"))
        for (text, mistralIDs, smallIDs) in Self.expected {
            #expect(try mistral.encode(text) == mistralIDs)
            #expect(try mistral.decode(mistralIDs) == text)
            #expect(try small.encode(text) == smallIDs)
        }
    }

    @Test func thePieceTableIsThatOfTheModel() throws {
        let mistral = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        #expect(
            mistral.digest == "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33")
        #expect(mistral.vocabularyCount == 32768)
        var counts: [SentencePieceModel.PieceKind: Int] = [:]
        for id in 0..<Int32(32768) { counts[mistral.kind(id), default: 0] += 1 }
        #expect(
            counts == [.normal: 31741, .unknown: 1, .control: 750, .userDefined: 20, .byte: 256])
        #expect(mistral.unkID == 0 && mistral.bosID == 1 && mistral.eosID == 2)
        #expect(mistral.padID == nil)
        #expect(mistral.piece(1027) == "▁▁" && mistral.score(1027) == -1e9)
        #expect(mistral.model.algorithm == .bpe && mistral.model.hasByteFallback)
        #expect(mistral.model.addsDummyPrefix && !mistral.model.removesExtraWhitespaces)
        #expect(mistral.model.normalizationName == "identity")

        let small = try SentencePieceTokenizer(path: tokenizerFixture("test_model.model"))
        #expect(small.vocabularyCount == 1000)
        #expect(small.model.algorithm == .unigram && !small.model.hasByteFallback)
        #expect(small.model.addsDummyPrefix && small.model.removesExtraWhitespaces)
    }

    @Test func aModelLoadsFromBytesAsFromAFile() throws {
        let bytes = try InputFile.contents(of: tokenizerFixture(mistralModel))
        let tokenizer = try SentencePieceTokenizer(modelBytes: bytes)
        #expect(try tokenizer.encode("Hello world") == [23325, 2294])
        #expect(tokenizer.modelBytes == bytes)
    }

    @Test func whatIsNoModelIsAnError() throws {
        let folder = try TemporaryFolder()
        let whole = try InputFile.contents(of: tokenizerFixture("test_model.model"))
        for (name, bytes) in [
            ("empty", []), ("text", Array("this is not a model at all".utf8)),
            ("cut", Array(whole.prefix(5000))), ("zeros", [UInt8](repeating: 0, count: 64)),
        ] {
            let path = try folder.write(name, bytes)
            let error = #expect(throws: TokenizerError.self, "\(name)") {
                try SentencePieceTokenizer(path: path)
            }
            #expect(error?.description.hasPrefix("\(path) is not a SentencePiece model") == true)
        }
        let missing = folder.file("missing.model")
        #expect(throws: FileError.missing(path: missing)) {
            try SentencePieceTokenizer(path: missing)
        }
    }

    @Test func idsOutsideTheVocabularyAreAnError() throws {
        let tokenizer = try SentencePieceTokenizer(path: tokenizerFixture("test_model.model"))
        for id in [Int32(-1), 1000, .max] {
            let wanted = TokenizerError.tokenOutOfRange(id: id, vocabularyCount: 1000)
            #expect(throws: wanted) { try tokenizer.decode([1, id]) }
            var decoder = StreamingDecoder(tokenizer)
            #expect(throws: wanted) { _ = try decoder.append(id) }
        }
    }

    @Test(arguments: [mistralModel, "test_model.model"])
    func streamingGivesTheTextOfDecode(model: String) throws {
        let tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(model))
        var sequences = try oddTexts.map(tokenizer.encode)
        // Random ids: broken characters, control and unknown pieces, leading spaces.
        var random = LinearGenerator(seed: 1)
        for length in [1, 2, 3, 5, 50, 500] {
            for bound in [8, 800, tokenizer.vocabularyCount] {
                for _ in 0..<40 {
                    sequences.append(
                        (0..<length).map { _ in Int32(random.below(bound)) })
                }
            }
        }
        // Bytes only (ids 771 to 1026 of mistral v3).
        if model == mistralModel {
            for text in oddTexts {
                sequences.append(text.utf8.map { 771 + Int32($0) })
                sequences.append(text.utf8.dropFirst().map { 771 + Int32($0) } + [23325])
            }
        }
        for ids in sequences {
            var decoder = StreamingDecoder(tokenizer)
            var text = ""
            for id in ids { text += try decoder.append(id) }
            text += decoder.finish()
            #expect(try text == tokenizer.decode(ids), "\(ids)")
        }
    }

    @Test func streamingHoldsBackHalfACharacter() throws {
        let tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        var decoder = StreamingDecoder(tokenizer, continuesText: true)
        let smile = Array("😀".utf8).map { 771 + Int32($0) }
        #expect(try smile.map { try decoder.append($0) } == ["", "", "", "😀"])
        #expect(try decoder.append(2294) == " world")
        #expect(try decoder.append(smile[0]) == "")
        #expect(try decoder.append(23325) == "\u{FFFD} Hello")
    }

    @Test func sixteenThreadsEncodeTheSame() throws {
        let tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        let wanted = try oddTexts.map(tokenizer.encode)
        let results = BoundedQueue<Bool>(capacity: 16)
        let threads = try (0..<16).map { _ in
            try WorkerThread {
                let isEqual = (0..<20).allSatisfy { _ in
                    (try? oddTexts.map(tokenizer.encode)) == wanted
                }
                results.push(isEqual)
            }
        }
        for thread in threads { thread.join() }
        results.finish()
        var count = 0
        while let isEqual = results.pop() {
            #expect(isEqual)
            count += 1
        }
        #expect(count == 16)
    }
}
