import FalconCheckpoint
import FalconData
import FalconInterchange
import FalconSystem
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
