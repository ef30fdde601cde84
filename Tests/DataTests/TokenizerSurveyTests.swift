import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@testable import FalconData

@Suite struct TokenizerSurveyTests {
    private let folder = try? TemporaryFolder()

    private func survey(
        _ tokenizer: any Tokenizer, threads: Int = 1, _ paths: String..., skips: Bool = false
    ) throws -> (source: TokenizerSurvey.Source, unused: [Int32]) {
        var survey = TokenizerSurvey(tokenizer)
        survey.threadCount = threads
        survey.skipsBadDocuments = skips
        let source = try survey.read(DocumentReader(paths: paths, skipsBadItems: skips))
        return (source, survey.unusedTokens)
    }

    private func mistral() throws -> SentencePieceTokenizer {
        try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
    }

    @Test func countsAreThoseOfTheIds() throws {
        let tokenizer = try mistral()
        let folder = try #require(folder)
        let texts = Array(repeating: oddTexts.filter { !$0.contains("<") }, count: 300).flatMap {
            $0
        }
        // One document a line, in several jobs.
        let lines = try texts.map { try jsonLine($0) + "\n" }.joined()
        let path = try folder.write("texts.jsonl", lines)
        let ids = try texts.flatMap { try tokenizer.encode($0) }
        var wanted = TokenizerSurvey.Source()
        wanted.documents = texts.count
        wanted.textBytes = texts.map(\.utf8.count).reduce(0, +)
        wanted.tokens = ids.count
        wanted.byteTokens = ids.count { tokenizer.kind($0) == .byte }
        wanted.unknownTokens = ids.count { tokenizer.kind($0) == .unknown }
        #expect(wanted.byteTokens > 0)
        let used = Set(ids)
        for threads in [1, 4] {
            let found = try survey(tokenizer, threads: threads, path)
            var counts = found.source
            let altered = try texts.count { try tokenizer.decode(tokenizer.encode($0)) != $0 }
            #expect(counts.altered.count == altered)
            counts.altered = LeftOut()
            #expect(counts == wanted)
            #expect(Set(found.unused).isDisjoint(with: used))
            #expect(
                found.unused.count
                    == (0..<Int32(tokenizer.vocabularyCount)).count {
                        tokenizer.surface(of: $0).textByteCount > 0 && !used.contains($0)
                    })
        }
    }

    private func jsonLine(_ text: String) throws -> String {
        var line = "{\"text\":\""
        for unit in text.utf16 {
            let digits = String(unit, radix: 16)
            line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return line + "\"}"
    }

    @Test func whatDoesNotComeBackIsNamed() throws {
        let folder = try #require(folder)
        // A special token in a text is gone when it is decoded; so is a space that is put before every text.
        var trainer = BytePairTrainer(vocabularyCount: 259)
        trainer.specialTokens = ["<|gone|>"]
        trainer.minimumCount = 1
        var texts = ["aa"]
        let trained = try trainer.train(on: { texts.popLast() })
        let tokenizer = try BytePairTokenizer(files: trained.files)
        let lines = ["fine", "is <|gone|> é", "<|endoftext|>", "caf\u{65}\u{301}"]
        let path = try folder.write("a.jsonl", lines.map { "{\"text\":\"\($0)\"}\n" }.joined())
        let found = try survey(tokenizer, path).source
        #expect(found.documents == 4 && found.altered.count == 1)
        #expect(found.altered.reasons == ["\(path), line 2: byte 3: \"<|gone|> é\" became \" é\""])
        // Two pieces of a character each.
        #expect(found.byteTokens == 4 && found.unknownTokens == 0)
    }

    @Test func badDocumentsAreErrorsOrCounted() throws {
        let folder = try #require(folder)
        let path = try folder.write("b.jsonl", "{\"text\":\"a\"}\n{\"txt\":1}\n{\"text\":\"b\"}\n")
        #expect(throws: DataError.self) { try survey(mistral(), path) }
        let found = try survey(mistral(), path, skips: true).source
        #expect(found.documents == 2 && found.skippedDocuments == 1)
    }

    @Test func textsThatLookAlikeAreDifferent() {
        #expect(TokenizerSurvey.firstDifference("\u{E9}", "e\u{301}") == 0)
        #expect(TokenizerSurvey.firstDifference("ab", "abc") == 2)
        #expect(TokenizerSurvey.firstDifference("", "") == nil)
    }
}
