import FalconCheckpoint
import FalconData
import FalconEval
import FalconGGUF
import FalconInterchange
import FalconJSON
import FalconModel
import FalconParquet
import FalconRecipe
import FalconSweep
import FalconSystem
import FalconTensor
import FalconTokenizer
import FalconTrain
import Glibc

/// A reader of files from elsewhere.
enum Reader: String, CaseIterable {
    /// One safetensors file.
    case safetensors
    /// A table of shards, with shards.
    case shards
    /// A GGUF file, first as such and then as a model.
    case gguf
    /// `config.json`, of Hugging Face and of a checkpoint.
    case configuration
    /// `tokenizer.json`.
    case tokenizer
    /// Documents: text, JSON lines, or what is to be told by its bytes.
    case documents
    /// A Parquet file: columns of texts, first as such and then as documents.
    case parquet
    /// A folder of MosaicML's shards of tokens.
    case mosaic
    /// `tokenizer.model`.
    case sentencepiece
    /// A Hugging Face folder.
    case folder
    /// A recipe, with a `sweep` part or without, and the text of a resolved one.
    case recipe
    /// Records of every evaluation task, the results of an evaluation, and what stands after `--require`.
    case tasks

    /// What an input is.
    var format: Format {
        switch self {
        case .safetensors: .safetensors
        case .shards: .files(Self.shardNames)
        case .mosaic: .files(Self.mosaicNames)
        case .gguf, .sentencepiece, .documents, .recipe, .tasks: .bytes
        case .parquet: .parquet
        case .configuration, .tokenizer: .json
        case .folder: .files(Self.folderNames)
        }
    }

    static let shardNames: [(name: String, format: Format)] = [
        (SafetensorsReader.indexFileName, .json), ("a.safetensors", .safetensors),
        ("b.safetensors", .safetensors),
    ]

    static let mosaicNames: [(name: String, format: Format)] = [
        ("index.json", .json), ("shard.00000.mds", .bytes), ("shard.00001.mds", .bytes),
        ("shard.00000.mds.zstd", .bytes), ("shard.00000.mds.gz", .bytes),
    ]

    static let folderNames: [(name: String, format: Format)] = [
        (HuggingFaceConfiguration.fileName, .json),
        (SafetensorsReader.singleFileName, .safetensors),
        (TokenizerFiles.jsonName, .json), (TokenizerFiles.configurationName, .json),
        (TokenizerFiles.modelName, .bytes), (SafetensorsReader.indexFileName, .json),
        ("a.safetensors", .safetensors),
    ]

    /// A text for tokenizers that were accepted.
    private static let text =
        "It's 12345 tokens,\r\n  don't\tyou think?  \u{65E5}\u{672C} e\u{301}\u{1F600} <s>"
        + "<|end|>" + String(repeating: "ab ", count: 20) + "\u{2581}x   "

    /// Reads an input as a program would; whatever is wrong with it must be a thrown error.
    func read(_ bytes: [UInt8], scratch: String) {
        do {
            switch self {
            case .safetensors:
                store(bytes, at: scratch + "/input")
                try Self.use(SafetensorsReader(path: scratch + "/input"))
            case .shards:
                Self.lay(FileSet(bytes, nameCount: Self.shardNames.count), Self.shardNames, scratch)
                try Self.use(SafetensorsReader(path: scratch))
            case .gguf:
                store(bytes, at: scratch + "/input")
                try Self.use(GGUFReader(path: scratch + "/input"))
                try Self.use(ModelFiles.open(scratch + "/input"))
            case .configuration: try Self.useConfiguration(bytes)
            case .tokenizer:
                let main = TokenizerFiles.File(name: TokenizerFiles.jsonName, bytes: bytes)
                try Self.use(BytePairTokenizer(files: TokenizerFiles(main: main)))
            case .documents:
                store(bytes, at: scratch + "/input")
                try Self.useDocuments(scratch + "/input")
            case .parquet:
                store(bytes, at: scratch + "/input")
                try Self.useParquet(scratch + "/input")
            case .mosaic:
                Self.lay(
                    FileSet(bytes, nameCount: Self.mosaicNames.count), Self.mosaicNames, scratch)
                try Self.useMosaic(scratch)
            case .sentencepiece: try Self.use(SentencePieceTokenizer(modelBytes: bytes))
            case .tasks: try Self.useTasks(bytes, scratch)
            case .recipe: try Self.useRecipe(String(decoding: bytes, as: UTF8.self))
            case .folder:
                Self.lay(
                    FileSet(bytes, nameCount: Self.folderNames.count), Self.folderNames, scratch)
                try Self.use(ModelFiles.open(scratch))
            }
        } catch {
            // The message is made of the input too.
            precondition(!"\(error)".isEmpty)
        }
    }

    private static func lay(
        _ set: FileSet, _ names: [(name: String, format: Format)], _ scratch: String
    ) {
        for (index, (name, _)) in names.enumerated() {
            if let file = set.files.first(where: { $0.name == index }) {
                store(file.bytes, at: scratch + "/" + name)
            } else {
                unlink(scratch + "/" + name)
            }
        }
    }
}

// What is done with what was opened.
extension Reader {
    private static func use(_ reader: SafetensorsReader) throws {
        for tensor in reader.tensors.prefix(64) {
            let count = tensor.elementCount
            if tensor.type.isReadable {
                _ = try reader.floats(tensor.name)
                let part = count / 3..<count - count / 4
                var values = [Float](repeating: 0, count: part.count)
                var span = values.mutableSpan
                try reader.readFloats(tensor.name, elements: part, into: &span)
            }
            if tensor.type == .int64 { _ = try reader.integers(tensor.name) }
            if tensor.type == .float64 { _ = try reader.doubles(tensor.name) }
            try reader.withBytes(of: tensor.name) { precondition($0.byteCount <= 1 << 30) }
        }
        var wanted = Array(reader.tensors.prefix(8))
        wanted.append(TensorDescription(name: "weight.0", shape: [2, 3]))
        try reader.requireExactly(wanted)
    }

    private static func use(_ reader: GGUFReader) throws {
        for tensor in reader.tensors.prefix(64) {
            _ = try reader.floats(tensor.name)
            let rows = tensor.rowCount / 3..<tensor.rowCount - tensor.rowCount / 4
            var values = [Float](repeating: 0, count: rows.count * tensor.rowLength)
            var span = values.mutableSpan
            try reader.readFloats(tensor.name, rows: rows, into: &span)
        }
        for entry in reader.metadata.entries {
            _ = try? reader.metadata.integers(entry.key)
            _ = try? reader.metadata.integer(entry.key)
            _ = try? reader.metadata.number(entry.key)
        }
    }

    private static func use(_ files: ModelFiles) throws {
        var sum: Float = 0
        for parameter in files.configuration.makeModel().table.parameters {
            _ = files.weights.typeName(of: parameter.name)
            try files.weights.readPieces(of: parameter.name, count: parameter.count) { values in
                for index in values.indices { sum += values[index] }
            }
        }
        precondition(sum == sum || sum.isNaN)
        if let tokenizer = files.tokenizer { try use(tokenizer) }
    }

    /// Reads a file as documents in every way, and compares lines with the reader of whole JSON.
    private static func useDocuments(_ path: String) throws {
        for format in DocumentFormat.allCases {
            let reader = try DocumentReader(
                paths: [path], format: format, skipsBadItems: true, documentLimit: 1 << 20)
            while let raw = try reader.nextRaw() {
                do {
                    let text = try raw.text()
                    guard case .line? = raw.place, let value = try? JSONValue(parsing: raw.bytes)
                    else {
                        continue
                    }
                    precondition(value.object?["text"]?.string == text, "two readers differ")
                } catch {
                    precondition(!error.description.isEmpty)
                }
            }
            precondition(reader.unreadable.reasons.count <= LeftOut.reasonLimit)
        }
    }

    /// Rows that are read: a few bytes can say that there are 2^31 of nothing.
    private static let rowLimit = 20_000

    /// Reads columns of a Parquet file, and compares them with the documents of the file.
    private static func useParquet(_ path: String) throws {
        for column in ["text", "data.text", "body"] {
            var (values, sum): ([ParquetValue], Int) = ([], 0)
            let reader: ParquetReader
            do {
                reader = try ParquetReader(
                    InputFile(path: path), column: column, valueLimitBytes: 1 << 18,
                    pageLimitBytes: 1 << 22)
            } catch {
                precondition(!"\(error)".isEmpty)
                continue
            }
            var isWhole = true
            do {
                while sum < 1 << 20, values.count < rowLimit, let value = try reader.next() {
                    if case .bytes(let bytes) = value { sum += bytes.count }
                    values.append(value)
                    precondition(reader.position <= reader.byteCount)
                }
            } catch {
                precondition(!"\(error)".isEmpty)
                isWhole = false
            }
            // Pages that are too large here are read there.
            guard isWhole, reader.rowCount == values.count else { continue }
            let documents = try DocumentReader(
                paths: [path], field: column, skipsBadItems: true, documentLimit: 1 << 18)
            for value in values {
                if case .tooLarge = value { continue }
                guard let raw = try documents.nextRaw() else { fatalError("a row is missing") }
                if case .bytes(let bytes) = value {
                    precondition(raw.bytes == bytes, "two readers differ")
                } else {
                    precondition((try? raw.text()) == nil, "a null is a text")
                }
            }
            let more = try documents.nextRaw()
            precondition(more == nil, "a row too many")
        }
    }

    /// A tokenizer of 1,000 tokens, of which 2 ends documents.
    private static func wideTokenizer() throws -> BytePairTokenizer {
        let texts = (0..<1000).map { "t\($0)" }
        let pieces = BytePairPieces(
            tokens: texts, kinds: texts.map { _ in 1 }, merges: [], preTokenizerName: "gpt-2",
            specialIDs: SpecialTokenIDs(eos: 2))
        return try BytePairTokenizer(files: pieces.files(path: "wide"))
    }

    /// Reads a folder as documents, samples and pieces of a stream.
    private static func useMosaic(_ folder: String) throws {
        let tokenizer = try wideTokenizer()
        for isConcatenated in [false, true] {
            var conversion = DataConversion(.mds)
            conversion.isConcatenated = isConcatenated
            conversion.overwrites = true
            do {
                _ = try conversion.importFiles(
                    [folder], tokenizer: tokenizer, to: folder + "/converted")
            } catch {
                precondition(!"\(error)".isEmpty)
            }
        }
    }

    /// Every task that stands alone, and one of each group.
    private static let readTasks: [any EvaluationTask] =
        TaskCatalog.tasks + TaskCatalog.groups.compactMap(\.tasks.first)

    /// Reads a file as the records and examples of every task, and scores right and wrong answers.
    private static func useTasks(_ bytes: [UInt8], _ scratch: String) throws {
        store(bytes, at: scratch + "/input")
        for task in readTasks {
            for file in task.files.prefix(1) + task.exampleFiles {
                let path = scratch + "/" + file
                if access(path, F_OK) == 0 { continue }
                try createFolder(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
                symlink(scratch + "/input", path)
            }
            for shots in [0, 2] {
                // What is wrong for one task may be right for the next.
                guard let data = try? TaskData(task, in: scratch, shots: shots) else { continue }
                precondition(data.prefixes.count == data.documents.count)
                for (document, prefix) in zip(data.documents, data.prefixes) {
                    score(document.request, of: task, writing: prefix)
                }
            }
        }
        _ = ScoreRequirement(String(decoding: bytes.prefix(200), as: UTF8.self))
        let result = try EvaluationResult(path: scratch + "/input")
        _ = try result.tasks.map { try jsonText($0.value) }
    }

    private static func score(
        _ request: TaskDocument.Request, of task: any EvaluationTask, writing text: String
    ) {
        var count = 1
        if case .choices(_, let answers, _) = request { count = answers.count }
        let answer = ModelAnswer(
            logLikelihoods: (0..<count).map { -Double($0) },
            isGreedy: (0..<count).map { $0 == 0 }, text: text)
        for metric in task.metrics { _ = metric.value(request, answer) }
    }

    private static func useConfiguration(_ bytes: [UInt8]) throws {
        if let model = try? ModelConfiguration(decoding: bytes) { declare(model) }
        let configuration = try HuggingFaceConfiguration(bytes: bytes, path: "config.json")
        declare(configuration.model)
        _ = try configuration.serialized()
    }

    private static func useRecipe(_ text: String) throws {
        let document = try RecipeDocument(yaml: text, name: "recipe.yaml")
        _ = document.keyPaths.count + document.digest.count
        // A resolved recipe is one that means the same.
        let resolved = document.resolvedYAML()
        let again = try RecipeDocument(resolvedYAML: resolved, name: "resolved.yaml")
        precondition(again.digest == document.digest, "the resolved recipe means something else")
        if document.contains("sweep") { _ = try document.decode(SweepSection.self, at: "sweep") }
        _ = try document.removing("sweep").decode(TrainingRecipe.self)
    }

    private static func declare(_ model: ModelConfiguration) {
        if model.problems().isEmpty { precondition(!model.makeModel().table.parameters.isEmpty) }
    }

    private static func use(_ tokenizer: any Tokenizer) throws {
        let ids = try tokenizer.encode(text)
        _ = try tokenizer.decode(ids)
        let again = try tokenizer.makeEncoder().encode(text)
        precondition(again == ids, "the encoder and encode differ")
        for id in 0..<Int32(min(tokenizer.vocabularyCount, 2000)) { _ = tokenizer.surface(of: id) }
        if let tokenizer = tokenizer as? BytePairTokenizer {
            _ = try tokenizer.bytePairPieces().files(path: "again")
        }
    }
}
