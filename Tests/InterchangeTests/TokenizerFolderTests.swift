import FalconGGUF
import FalconJSON
import FalconModel
import FalconSystem
import FalconTestSupport
import FalconTokenizer
import FoundationEssentials
import Testing

@testable import FalconInterchange

/// Folders as people have them, against what transformers makes of them.
@Suite struct TokenizerFolderTests {
    private let folderOfFiles = fixtures + "/tokenizer"

    private func cases() throws -> [JSONObject] {
        let file = try JSONValue(parsing: load(fixtures + "/tokenizer_folders.json"))
        return try #require(file.array).compactMap(\.object)
    }

    private func write(_ item: JSONObject, to folder: String) throws {
        try createFolder(folder)
        func store(_ value: JSONValue, _ name: String) throws {
            try Data(value.serialized().utf8).write(to: URL(filePath: folder + "/" + name))
        }
        if let model = item["model"]?.string {
            try FileManager.default.copyItem(
                atPath: "\(folderOfFiles)/\(model).model", toPath: folder + "/tokenizer.model")
        }
        if let changes = item["json"]?.object {
            var json = try #require(
                try JSONValue(parsing: load(folderOfFiles + "/plain.tokenizer.json")).object)
            for (key, value) in changes.members { json[key] = value }
            try store(.object(json), "tokenizer.json")
        }
        if let settings = item["settings"], settings != .null {
            try store(settings, "tokenizer_config.json")
        }
    }

    @Test func idsAreThoseOfTransformers() throws {
        for item in try cases() {
            try withTemporaryFolder { folder in
                try write(item, to: folder)
                let name = item["name"]?.string ?? ""
                let text = try #require(item["text"]?.string)
                let tokenizer = try openTokenizer(path: folder)
                func ids(_ key: String) -> [Int32]? {
                    item[key]?.array?.compactMap { $0.integer.map { Int32($0) } }
                }
                let got = try tokenizer.encode(text)
                #expect(got == ids("ids"), "\(name)")
                #expect(tokenizer.promptPrefix + got == ids("prompt"), "\(name)")
                #expect(tokenizer.eosID.map { Int($0) } == item["eos"]?.integer, "\(name)")
            }
        }
    }

    @Test(arguments: ["added_tokens.json", "tokenizer_config.json", "eos_token"])
    func tokensThatAModelLacksAreNamed(place: String) throws {
        let files = [
            "added_tokens.json": #"{"<|im_end|>": 640}"#,
            "tokenizer_config.json":
                #"{"added_tokens_decoder": {"640": {"content": "<|im_end|>"}}}"#,
            "eos_token": #"{"eos_token": "<|im_end|>"}"#,
        ]
        try withTemporaryFolder { folder in
            try FileManager.default.copyItem(
                atPath: folderOfFiles + "/plain.model", toPath: folder + "/tokenizer.model")
            let name = place == "eos_token" ? "tokenizer_config.json" : place
            try Data((files[place] ?? "").utf8).write(to: URL(filePath: folder + "/" + name))
            let error = #expect(throws: TokenizerError.self) { try openTokenizer(path: folder) }
            #expect(error?.description.contains("<|im_end|>") == true)
            // One for padding only does no harm.
            let padding = #"{"<pad2>": 640}"#
            try Data(padding.utf8).write(to: URL(filePath: folder + "/added_tokens.json"))
            try Data(#"{"pad_token": "<pad2>"}"#.utf8)
                .write(to: URL(filePath: folder + "/tokenizer_config.json"))
            #expect(try openTokenizer(path: folder).vocabularyCount == 640)
        }
    }

    /// A vocabulary that went through GGUF, padded there, does what it did.
    @Test func aVocabularyFromGGUFHasTheSameFingerprint() throws {
        try withTemporaryFolder { folder in
            let original = try SentencePieceTokenizer(path: folderOfFiles + "/plain.model")
            for (place, count) in [640, 704].enumerated() {
                let fields = try GGUFVocabulary.fields(of: original, embeddingCount: count)
                var metadata = GGUFMetadata()
                for (key, value) in fields { metadata[key] = value }
                let path = folder + "/\(place).gguf"
                let tensor = GGUFTensor(name: "x", shape: [1], type: .float32)
                _ = try GGUFWriter(metadata: metadata, tensors: [tensor])
                    .write(to: path, threads: 1) { _, _, values in values[0] = 1 }
                let read = try #require(
                    try GGUFVocabulary.tokenizer(of: GGUFReader(path: path)))
                #expect(read.digest != original.digest)
                #expect(read.fingerprint == original.fingerprint)
                #expect(read.vocabularyCount == 640 && !read.hasToken(640))
                #expect(read.promptPrefix.isEmpty)
            }
            let other = try SentencePieceTokenizer(path: folderOfFiles + "/prefix.model")
            #expect(other.fingerprint != original.fingerprint)
        }
    }
}
