import FalconTestSupport
import Foundation
import Testing

/// A folder to work in: a copy of a tiny corpus, its tokenizer, shards, a recipe and a trained run.
///
///     corpus.jsonl  empty.txt  tok.model  other.model  tiny.yaml  shards/  run/
final class Workplace: Sendable {
    /// Made once by the program itself; every test works on a copy.
    private static let prepared: Result<Workplace, any Error> = Result {
        let place = try Workplace(copying: nil)
        atexit { try? Workplace.prepared.get().place.remove() }
        try place.prepare()
        return place
    }

    /// A recipe whose runs take a fraction of a second.
    static let recipe = TinyRecipe.falconH1.yaml(data: "shards")

    private let place: TemporaryFolder
    var folder: String { place.path }

    /// A copy of the prepared folder, removed with the value.
    convenience init() throws { try self.init(copying: Workplace.prepared.get().folder) }

    private init(copying original: String?) throws {
        place = try TemporaryFolder(copying: original)
    }

    private func prepare() throws {
        let lines = tinyDocuments().map { "{\"text\": \"\($0)\"}\n" }
        try write("corpus.jsonl", lines.joined())
        try write("empty.txt", "")
        try write("tiny.yaml", Self.recipe)
        for arguments in [
            "tokenizer train --input corpus.jsonl --vocab-size 300 --output tok.model",
            "tokenizer train --input corpus.jsonl --vocab-size 290 --output other.model",
            "tokenize --tokenizer tok.model --output shards --validation-fraction 0.1 corpus.jsonl",
            "pretrain --recipe tiny.yaml --run run",
        ] {
            let outcome = try falcon(arguments)
            try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
        }
    }
}

// Running the program.
extension Workplace {
    /// Runs the program with words separated by spaces.
    func falcon(_ words: String, input: Data? = nil) throws -> Outcome {
        try falcon(words.split(separator: " ").map(String.init), input: input)
    }

    /// Runs the program here.
    func falcon(_ arguments: [String], input: Data? = nil) throws -> Outcome {
        try Program.start(arguments, in: folder, input: input).outcome()
    }

    /// Runs the program and expects a result, without a word too many on standard output.
    @discardableResult
    func success(
        _ words: String, input: Data? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        let outcome = try falcon(words, input: input)
        #expect(
            outcome.status == 0 && !outcome.endedBySignal, "\(words): \(outcome.errors)",
            sourceLocation: sourceLocation)
        return outcome
    }

    /// Runs the program and expects it to fail in order: an exit status, a message with these words,
    /// nothing on standard output, and no new file but `leftovers`.
    @discardableResult
    func failure(
        _ arguments: [String], status: Int32, says words: [String], input: Data? = nil,
        leaves leftovers: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        let before = try files()
        let outcome = try falcon(arguments, input: input)
        let line = arguments.joined(separator: " ")
        #expect(
            outcome.status == status && !outcome.endedBySignal, "\(line): \(outcome.errors)",
            sourceLocation: sourceLocation)
        for word in words {
            #expect(outcome.errors.contains(word), "\(line)", sourceLocation: sourceLocation)
        }
        #expect(!outcome.errors.contains("internal error"), sourceLocation: sourceLocation)
        #expect(outcome.output == "", "\(line)", sourceLocation: sourceLocation)
        #expect(
            try files().subtracting(before) == Set(leftovers), "\(line)",
            sourceLocation: sourceLocation)
        return outcome
    }

    /// The same with words separated by spaces.
    @discardableResult
    func failure(
        _ arguments: String, status: Int32, says words: String..., input: Data? = nil,
        leaves leftovers: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        try failure(
            arguments.split(separator: " ").map(String.init), status: status, says: words,
            input: input, leaves: leftovers, sourceLocation: sourceLocation)
    }
}

// Files.
extension Workplace {
    func path(_ name: String) -> String { folder + "/" + name }

    func url(_ name: String) -> URL { URL(fileURLWithPath: path(name)) }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    func read(_ name: String) throws -> Data { try Data(contentsOf: url(name)) }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: url(name))
    }

    func copy(_ name: String, to other: String) throws {
        try FileManager.default.copyItem(atPath: path(name), toPath: path(other))
    }

    /// All files below the folder, by their path in it.
    func files() throws -> Set<String> {
        Set(
            try FileManager.default.subpathsOfDirectory(atPath: folder).filter {
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: path($0), isDirectory: &isFolder)
                    && !isFolder.boolValue
            })
    }

    /// Turns one bit over in the middle of a file.
    func flipBit(in name: String) throws {
        var bytes = try read(name)
        bytes[bytes.count / 2] ^= 4
        try bytes.write(to: url(name))
    }

    /// Cuts the last bytes off a file.
    func truncate(_ name: String, by count: Int) throws {
        try read(name).dropLast(count).write(to: url(name))
    }
}
