import FalconCheckpoint
import FalconInterchange
import FalconJSON
import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@Suite struct HuggingFaceTokenizerTests {
    @Test(arguments: ["plain", "prefix"])
    func tokenizerJSONEqualsTheGoldenOne(name: String) throws {
        let folder = fixtures + "/tokenizer/" + name
        let tokenizer = try SentencePieceTokenizer(path: folder + ".model")
        let text = try HuggingFaceTokenizer.tokenizerJSON(tokenizer.model)
        let golden = try load(folder + ".tokenizer.json")
        #expect(Array(text.utf8) == golden)
    }

    /// The exporter's file and the reader of such files, against SentencePiece itself.
    @Test(arguments: ["plain", "prefix"])
    func tokenizerJSONIsReadAndGivesTheIdsOfSentencePiece(name: String) throws {
        let original = try SentencePieceTokenizer(path: fixtures + "/tokenizer/\(name).model")
        let json = try HuggingFaceTokenizer.tokenizerJSON(original.model)
        let configuration = HuggingFaceTokenizer.configurationJSON(
            original.model, maximumLength: 8192)
        let files = TokenizerFiles(
            main: .init(name: TokenizerFiles.jsonName, bytes: Array(json.utf8)),
            companions: [
                .init(name: TokenizerFiles.configurationName, bytes: Array(configuration.utf8))
            ])
        let read = try files.tokenizer(folder: "export")
        #expect(read.vocabularyCount == original.vocabularyCount)
        #expect(read.bosID == original.bosID && read.eosID == original.eosID)
        #expect(read.unkID == original.unkID && read.padID == original.padID)
        for text in texts {
            let ids = try original.encode(text)
            #expect(try read.encode(text) == ids, "\(text)")
            #expect(try read.decode(ids) == original.decode(ids), "\(text)")
        }
        for id in 0..<Int32(read.vocabularyCount) where id != original.unkID {
            #expect(read.surface(of: id) == original.surface(of: id))
        }
    }

    private var texts: [String] {
        [
            "", " ", "  two  leading", "trailing  ", "a\n\n  indented\n\tTab\r\n",
            "12345 3.14 0x1F",
            "Größe naïve café e\u{301}", "日本語 😀 한국어", "👩‍👩‍👧‍👦 flags 🇮🇹🇯🇵", "\u{A0}x\u{3000}y",
            "The people of the United States, don't they?", "if x == 1 { return [a, b] }",
            String(repeating: " ", count: 100), String(repeating: "-", count: 77),
            String(repeating: "the ", count: 300), "\u{0}\u{FFFD}\u{10FFFF}", "<0x41> <s s>",
        ]
    }

    @Test func configurationNamesTheSpecialTokens() throws {
        let tokenizer = try SentencePieceTokenizer(path: fixtures + "/tokenizer/plain.model")
        let text = HuggingFaceTokenizer.configurationJSON(tokenizer.model, maximumLength: 8192)
        let object = try #require(try JSONValue(parsing: text).object)
        #expect(object["tokenizer_class"] == .string("PreTrainedTokenizerFast"))
        #expect(object["bos_token"] == .string("<s>"))
        #expect(object["eos_token"] == .string("</s>"))
        #expect(object["unk_token"] == .string("<unk>"))
        #expect(object["pad_token"] == .string("<pad>"))
        #expect(object["add_bos_token"] == .bool(false))
        #expect(object["model_max_length"] == .integer(8192))
    }

    @Test(arguments: [
        ("unigram", "a tokenizer of type unigram"),
        ("normalizing", "normalizes text (user_defined)"),
        ("squeezing", "drops repeated spaces"),
    ])
    func refusesModelsWhoseIdsWouldDiffer(name: String, reason: String) throws {
        let tokenizer = try SentencePieceTokenizer(path: fixtures + "/tokenizer/\(name).model")
        let error = #expect(throws: InterchangeError.self) {
            try HuggingFaceTokenizer.tokenizerJSON(tokenizer.model)
        }
        #expect(error?.description.contains(reason) == true)
        #expect(error?.exitStatus == .badData)
    }
}
