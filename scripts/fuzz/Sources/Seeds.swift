import FalconCheckpoint
import FalconData
import FalconEval
import FalconGGUF
import FalconInterchange
import FalconJSON
import FalconSystem
import Glibc

/// Makes the first inputs of every reader from the fixtures of the tests.
struct Seeds {
    /// The folder `Tests` of the repository.
    let fixtures: String
    /// Where a folder with the name of every reader is made.
    let folder: String

    private static let models = [
        "llama_tied", "mamba_tied", "mamba_wide_state", "rms_g2_untied", "norms_g1_tied",
    ]
    private static let tokenizers = [
        "falcon", "fused", "gpt2", "llama3", "pieces", "prefixed", "qwen2", "smollm", "unfused",
    ]

    func write() throws {
        for reader in Reader.allCases { mkdir(folder + "/" + reader.rawValue, 0o700) }
        let files = ["floats", "mixed"].map { "CheckpointTests/Fixtures/\($0).safetensors" }
        for (index, file) in files.enumerated() {
            add(try fixture(file), "\(index)", to: .safetensors)
        }
        add(try fixture("ModelTests/Fixtures/llama_tied/model.safetensors"), "2", to: .safetensors)
        try addShards(files)
        for name in Self.models { try addModel(name) }
        add(try fixture("GGUFTests/Fixtures/sample.gguf"), "sample", to: .gguf)
        for name in Self.tokenizers {
            let path = "TokenizerTests/Fixtures/byte-pair/\(name).tokenizer.json"
            add(try fixture(path), name, to: .tokenizer)
        }
        add(Array(Self.tinyTokenizer.utf8), "tiny", to: .tokenizer)
        for (number, text) in Self.documents.enumerated() {
            add(Array(text.utf8), "\(number)", to: .documents)
        }
        for name in ["normalizing", "plain", "prefix", "squeezing", "unigram"] {
            let path = "InterchangeTests/Fixtures/tokenizer/\(name).model"
            add(try fixture(path), name, to: .sentencepiece)
        }
        let parquet = "ParquetTests/Fixtures"
        for name in try namesInFolder(fixtures + "/" + parquet) where name.hasSuffix(".parquet") {
            add(try fixture(parquet + "/" + name), name, to: .parquet)
        }
        try addMosaic()
        try addRecipes()
        try addTasks()
    }

    private func addMosaic() throws {
        for name in ["uint16", "bytes", "columns", "zstd", "pieces"] {
            let source = "DataTests/Fixtures/mds/" + name
            var set = FileSet()
            for (index, (file, _)) in Reader.mosaicNames.enumerated() {
                let path = source + "/" + file
                guard fileKind(of: fixtures + "/" + path) == .file else { continue }
                set.files.append((index, try fixture(path)))
            }
            add(set.serialized, name, to: .mosaic)
        }
    }

    /// The records of every task that the tests have.
    private func addTasks() throws {
        for task in TaskCatalog.tasks + TaskCatalog.groups.compactMap(\.tasks.first) {
            let path = "EvalTests/Fixtures/tasks/" + task.files[0]
            guard fileKind(of: fixtures + "/" + path) == .file else { continue }
            add(try fixture(path), task.name, to: .tasks)
        }
    }

    private func addRecipes() throws {
        for folder in ["recipes", "recipes/studies"] {
            let path = fixtures + "/../" + folder
            for name in try namesInFolder(path) where name.hasSuffix(".yaml") {
                add(try InputFile.contents(of: path + "/" + name), name, to: .recipe)
            }
        }
        let aliases = "a: &a [x, 'y', \"z\"]\nb: &b [*a, *a]\nc: {d: *b, ? [1] : 2}\ne: |\n  t\n"
        add(Array(aliases.utf8), "aliases", to: .recipe)
    }

    private func fixture(_ path: String) throws -> [UInt8] {
        try InputFile.contents(of: fixtures + "/" + path)
    }

    private func add(_ bytes: [UInt8], _ name: String, to reader: Reader) {
        store(bytes, at: "\(folder)/\(reader.rawValue)/\(name)")
    }

    private func addShards(_ files: [String]) throws {
        var set = FileSet()
        var map = JSONObject()
        for (index, file) in files.enumerated() {
            set.files.append((index + 1, try fixture(file)))
            for tensor in try SafetensorsReader(path: fixtures + "/" + file).tensors {
                map[tensor.name] = .string(Reader.shardNames[index + 1].name)
            }
        }
        let index: JSONObject = ["weight_map": .object(map)]
        set.files.insert((0, Array(JSONValue.object(index).serialized().utf8)), at: 0)
        add(set.serialized, "two", to: .shards)
    }

    private func addModel(_ name: String) throws {
        let source = "ModelTests/Fixtures/" + name
        let configuration = try fixture(source + "/config.json")
        add(configuration, name, to: .configuration)
        let files = try ModelFiles.open(fixtures + "/" + source)
        add(try files.configuration.encoded(), name + "-own", to: .configuration)
        var set = FileSet()
        set.files = [
            (0, configuration), (1, try fixture(source + "/model.safetensors")),
            (2, Array(Self.tinyTokenizer.utf8)), (3, Array(#"{"eos_token": "</s>"}"#.utf8)),
        ]
        add(set.serialized, name, to: .folder)
        for type in [GGUFFileType.float32, .q80] {
            let path = folder + "/gguf/\(name)-\(type.rawValue)"
            // Not every model has a graph there.
            let written = try? GGUFExport(type, threadCount: 1).write(files, to: path)
            if written == nil { continue }
            try addVocabulary(to: path, kind: type == .q80 ? "gpt2" : "llama")
        }
    }

    /// Writes a model again with a vocabulary.
    private func addVocabulary(to path: String, kind: String) throws {
        let reader = try GGUFReader(path: path)
        var metadata = reader.metadata
        let texts = ["<unk>", "<s>", "</s>", "a", "b", "ab", "\u{120}", "\u{120}a"]
        metadata["tokenizer.ggml.model"] = .string(kind)
        metadata["tokenizer.ggml.pre"] = .string(kind == "gpt2" ? "llama-bpe" : "default")
        metadata["tokenizer.ggml.tokens"] = .array(.string(texts))
        metadata["tokenizer.ggml.token_type"] = .array(.int32([2, 3, 3, 1, 1, 1, 1, 1]))
        metadata["tokenizer.ggml.scores"] = .array(.float32(texts.indices.map { -Float($0) }))
        metadata["tokenizer.ggml.merges"] = .array(.string(["a b", "\u{120} a"]))
        metadata["tokenizer.ggml.bos_token_id"] = .uint32(1)
        let writer = GGUFWriter(metadata: metadata, tensors: reader.tensors)
        _ = try writer.write(to: path + "-vocabulary", threads: 1) { number, rows, values in
            try reader.readFloats(reader.tensors[number].name, rows: rows, into: &values)
        }
    }

    private static let documents = [
        #"{"text":"a","n":[1,-2.5e3,{"b":NaN}]}"# + "\n" + #"{"text":"\u00e9\ud83d\ude00\n"}"#,
        "\u{FEFF}\n {\"text\":null}\n\n{\"t\\u0065xt\":\"b\",\"text\":\"c\"}",
        "[{\"text\":\"a\"}]", "{\n\"text\": \"a\"\n}", "plain text\nof two lines",
    ]

    private static let tinyTokenizer = #"""
        {"added_tokens":[{"id":0,"content":"<unk>","special":true},{"id":5,"content":"<|end|>",
        "special":false,"normalized":true}],"normalizer":{"type":"Sequence","normalizers":[
        {"type":"NFC"},{"type":"Prepend","prepend":"_"},{"type":"Replace","pattern":{"String":" "},
        "content":"_"}]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split",
        "pattern":{"String":"_"},"behavior":"Isolated"},{"type":"Punctuation"}]},
        "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"_"},
        "content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ",
        "start":1,"stop":0}]},"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,
        "byte_fallback":true,"vocab":{"<unk>":0,"a":1,"b":2,"ab":3,"<0x0A>":4},"merges":["a b"]}}
        """#
}
