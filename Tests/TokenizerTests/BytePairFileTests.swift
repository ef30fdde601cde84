import FalconJSON
import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconTokenizer

/// What a `tokenizer.json` may say, and what it may not.
@Suite struct BytePairFileTests {
    private static let base = #"""
        {"added_tokens": [{"id": 4, "content": "<e>", "special": true}], "normalizer": null,
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
         "decoder": {"type": "ByteLevel"},
         "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}
        """#

    private func tokenizer(_ json: String, configuration: String? = nil) throws -> BytePairTokenizer
    {
        let companions = configuration.map {
            [TokenizerFiles.File(name: "tokenizer_config.json", bytes: Array($0.utf8))]
        }
        return try BytePairTokenizer(
            files: TokenizerFiles(
                main: .init(name: "tokenizer.json", bytes: Array(json.utf8)),
                companions: companions ?? []), path: "x/tokenizer.json")
    }

    private func changed(_ old: String, _ new: String) throws -> String {
        try #require(Self.base.contains(old))
        return Self.base.replacing(old, with: new)
    }

    @Test func aSmallFileIsRead() throws {
        let tokenizer = try tokenizer(Self.base)
        #expect(try tokenizer.encode("ab<e>ba?") == [2, 4, 1, 0])
        #expect(tokenizer.vocabularyCount == 5)
        // No token has id 3.
        #expect(tokenizer.pieces[3].kind == .unused)
        #expect(tokenizer.pieces.map(\.text) == ["a", "b", "ab", "", "<e>"])
        #expect(try tokenizer.decode([0, 3, 4, 2]) == "aab")
        #expect(throws: TokenizerError.tokenOutOfRange(id: 5, vocabularyCount: 5)) {
            try tokenizer.decode([5])
        }
        #expect(
            throws: TokenizerError.missingPiece(path: "x/tokenizer.json", piece: "end-of-sequence")
        ) {
            try tokenizer.requireEndOfDocumentID()
        }
    }

    /// Files of older versions name no type, say "" for no unknown token, and have texts for merges.
    @Test func olderFilesAreRead() throws {
        let text = try InputFile.contents(of: tokenizerFixture("byte-pair/gpt2.tokenizer.json"))
        let current = try #require(
            try openTokenizer(path: tokenizerFixture("byte-pair/gpt2.tokenizer.json"))
                as? BytePairTokenizer)
        var root = try #require(try JSONValue(parsing: text).object)
        var model = try #require(root["model"]?.object)
        model["type"] = nil
        model["ignore_merges"] = nil
        model["byte_fallback"] = nil
        model["unk_token"] = .string("")
        model["merges"] = .array(
            (model["merges"]?.array ?? []).map { merge in
                .string(
                    merge.array?.compactMap(\.string).joined(separator: " ") ?? merge.string ?? "")
            })
        root["model"] = .object(model)
        root["decoder"] = .null
        let older = try tokenizer(JSONValue.object(root).serialized())
        #expect(older.pieces == current.pieces && older.unkID == current.unkID)
        for text in ["Hello, world! 12", "  caf\u{e9}\n", "<|end|>x"] {
            let ids = try current.encode(text)
            #expect(try older.encode(text) == ids)
            #expect(try older.decode(ids) == current.decode(ids))
        }
        model["merges"] = nil
        root["model"] = .object(model)
        let error = #expect(throws: TokenizerError.self) {
            try tokenizer(JSONValue.object(root).serialized())
        }
        #expect(error?.description.contains("model.type is missing") == true)
    }

    @Test func specialTokensAreNamedBesideIt() throws {
        let tokenizer = try tokenizer(
            Self.base,
            configuration: #"{"eos_token": {"content": "<e>"}, "bos_token": "b", "pad_token": "?"}"#
        )
        #expect(tokenizer.eosID == 4 && tokenizer.bosID == 1 && tokenizer.padID == nil)
        #expect(tokenizer.promptPrefix.isEmpty)
        let files = tokenizer.files
        let given = try BytePairTokenizer(
            files: TokenizerFiles(main: files.main), specialIDs: .init(bos: 9, eos: 2, padding: 0))
        #expect(given.eosID == 2 && given.bosID == nil && given.padID == 0)
    }

    /// Strings of Swift are equal when they look the same; tokens are not.
    @Test func tokensAreTheirBytes() throws {
        let json = try changed(
            #"{"a": 0, "b": 1, "ab": 2}"#,
            #"{"a": 0, "b": 1, "ab": 2, "\u00e9": 5, "e\u0301": 6, "e": 7, "\u0301": 8}"#)
        let plain = json.replacing(
            #"{"type": "ByteLevel", "add_prefix_space": false}"#, with: "null"
        ).replacing(#"{"type": "ByteLevel"}"#, with: #"{"type": "Fuse"}"#)
        let tokenizer = try tokenizer(plain)
        #expect(try tokenizer.encode("\u{E9}e\u{301}") == [5, 7, 8])
        #expect(try tokenizer.decode([5]).unicodeScalars.count == 1)
        #expect(try tokenizer.decode([6]).unicodeScalars.count == 2)
    }

    /// What is replaced in the small file, by what, and what the error names.
    static let refused: [(old: String, new: String, part: String)] = [
        ("\"BPE\"", "\"Unigram\"", "model.type is \"Unigram\", want \"BPE\""),
        ("\"merges\"", "\"dropout\": 0.1, \"merges\"", "model.dropout is 0.1"),
        ("\"merges\"", "\"end_of_word_suffix\": \"</w>\", \"merges\"", "model.end_of_word_suffix"),
        ("\"merges\"", "\"unk_token\": \"?\", \"merges\"", "model.unk_token is \"?\""),
        ("\"merges\"", "\"other\"", "model.merges is missing or null"),
        ("\"ab\": 2", "\"ab\": 1", "model.vocab[\"ab\"] is 1, want an id of its own"),
        ("\"ab\": 2", "\"ab\": -1", "model.vocab[\"ab\"] is -1"),
        ("\"ab\": 2", "\"ab\": 4000000000", "model.vocab[\"ab\"] is 4000000000"),
        ("\"ab\": 2", "\"ab\": 1.5", "model.vocab[\"ab\"] is 1.5"),
        ("\"ab\": 2", "\"ab\": NaN", "model.vocab[\"ab\"] is nan"),
        ("\"a b\"", "\"a c\"", "model.merges[0] is \"a c\""),
        ("\"a b\"", "\"b a\"", "model.merges[0] is \"b a\""),
        ("\"a b\"", "\"a  b\"", "model.merges[0]"),
        ("\"a b\"", "[\"a\", \"b\", \"a\"]", "model.merges[0]"),
        ("\"a b\"", "[\"a\", 1]", "model.merges[0]"),
        ("\"id\": 4", "\"id\": 1", "added_tokens[0] is \"<e>\" as token 1"),
        ("\"<e>\"", "\"a\"", "added_tokens[0] is \"a\" as token 4, want 0"),
        ("\"<e>\"", "\"\"", "added_tokens[0].content is \"\""),
        ("\"id\": 4", "\"id\": 4, \"lstrip\": true", "added_tokens[0].lstrip is true, want false"),
        ("\"id\": 4", "\"id\": 99999999", "added_tokens[0].id is 99999999"),
        (": null", ": {\"type\": \"NFKC\"}", "normalizer.type is \"NFKC\""),
        (
            ": null",
            ": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \".\"}, \"content\": \"\"}",
            "normalizer.pattern is no fixed text"
        ),
        (
            ": null",
            ": {\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"aa\"}",
            "normalizer.content is \"aa\""
        ),
        (
            "\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"Fuse\"}",
            "decoder is an object"
        ),
        ("{\"type\": \"ByteLevel\", ", "{\"type\": \"Metaspace\", ", "pre_tokenizer.type"),
        (
            "{\"type\": \"ByteLevel\", ",
            "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"x+\"}, \"behavior\": \"Isolated\", ",
            "pre_tokenizer.pattern.Regex is \"x+\""
        ),
        (
            "{\"type\": \"ByteLevel\", ",
            "{\"type\": \"Split\", \"pattern\": {\"String\": \"x\"}, \"behavior\": \"Removed\", ",
            "pre_tokenizer.behavior is \"Removed\""
        ),
        (
            "{\"type\": \"ByteLevel\", ",
            "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"ByteLevel\"}, "
                + "{\"type\": \"ByteLevel\"}], ", "pre_tokenizer.pretokenizers[1].type"
        ),
        ("{\"a\": 0, \"b\": 1, \"ab\": 2}", "[]", "model.vocab is a list, want an object"),
        ("{\"a\": 0, ", "{\"a\": 0, \"a\": 3, ", "tokenizer.json is not valid JSON"),
    ]

    @Test(arguments: refused)
    func whatIsNotKnownIsNamed(old: String, new: String, part: String) throws {
        let json = try changed(old, new)
        let error = #expect(throws: TokenizerError.self) { try tokenizer(json) }
        let message = try #require(error?.description)
        #expect(message.hasPrefix("x/tokenizer.json: "))
        #expect(message.contains(part), "\(message)")
        #expect(error?.exitStatus == .badData)
    }

    @Test func damagedFilesAreErrors() throws {
        let bytes = Array(Self.base.utf8)
        for count in bytes.indices.dropLast() {
            #expect(throws: TokenizerError.self) {
                try tokenizer(String(decoding: bytes.prefix(count), as: UTF8.self))
            }
        }
        // Any byte replaced: an error or a tokenizer, never a crash.
        for place in bytes.indices {
            for byte in [UInt8(ascii: "0"), UInt8(ascii: "\""), UInt8(ascii: "]"), 0xFF] {
                var damaged = bytes
                damaged[place] = byte
                let file = TokenizerFiles.File(name: "tokenizer.json", bytes: damaged)
                if let read = try? BytePairTokenizer(files: TokenizerFiles(main: file)) {
                    let ids = try read.encode("ab <e> 12 don't")
                    _ = try read.decode(ids)
                }
            }
        }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: TokenizerError.self) { try tokenizer(deep) }
    }
}
