import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTrain

/// The files of a sweep.
///
///     sweep.resolved.yaml  sweep.sqlite  results.jsonl  recipes/ID.yaml  runs/ID/  runs/ID.log
struct SweepFolder {
    static let recipeName = "sweep.resolved.yaml"
    static let databaseName = "sweep.sqlite"
    static let resultsName = "results.jsonl"

    let path: String

    var recipePath: String { path + "/" + Self.recipeName }
    var databasePath: String { path + "/" + Self.databaseName }
    var resultsPath: String { path + "/" + Self.resultsName }
    func recipePath(of id: String) -> String { path + "/recipes/\(id).yaml" }
    func runPath(of id: String) -> String { path + "/runs/\(id)" }
    func logPath(of id: String) -> String { path + "/runs/\(id).log" }

    /// Creates or checks the folder.
    ///
    /// - Returns: the lock that keeps others out of it.
    func prepare(_ document: RecipeDocument, resume: Bool) throws -> FolderLock {
        try createFolder(path)
        let lock = try FolderLock(folder: path)
        if fileKind(of: recipePath) == .file {
            guard resume else { throw SweepError.folderExists(path: path) }
            try requireSame(document)
        } else {
            let known = ["recipes", "runs", Self.databaseName, Self.resultsName]
            let others = try namesInFolder(path).filter {
                !$0.hasPrefix(".") && !known.contains($0) && !$0.hasSuffix(".partial")
            }
            guard others.isEmpty else { throw SweepError.notASweep(path: path) }
            try writeAtomically(document.resolvedYAML(), to: recipePath)
        }
        for folder in ["/recipes", "/runs"] { try createFolder(path + folder) }
        return lock
    }

    /// The values that may change between two calls: runs at a time, and threads of each.
    private static let free = RecipeKeyPaths(["sweep.jobs", "sweep.threads_per_run"])

    private func requireSame(_ document: RecipeDocument) throws {
        let old = try RecipeDocument(recipe: recipePath)
        let changes = document.differences(from: old).filter { !Self.free.contain($0) }
        guard changes.isEmpty else { throw SweepError.changed(path: path, changes: changes) }
    }

    func writeAtomically(_ text: String, to path: String) throws(FileError) {
        var file = try AtomicFile(path: path)
        try file.write(text)
        try file.commit()
    }

    /// Writes one line per run.
    func writeResults(_ records: [SweepRecord]) throws {
        let lines = try records.map { try CheckedLine.bytes(of: $0) + [0x0A] }
        try writeAtomically(
            String(decoding: lines.joined(), as: UTF8.self), to: resultsPath)
    }

    /// The size of the log of a run in bytes.
    func logByteCount(of id: String) -> Int { RawPath(logPath(of: id)).byteCount ?? 0 }

    /// The last message of a run's process.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - start: the byte of the log at which the output of the process begins.
    /// - Returns: the text from its last error on, or its last line; nil if it wrote nothing.
    func lastWords(of id: String, from start: Int) -> String? {
        guard let bytes = try? readBytes(ofFile: logPath(of: id)), start < bytes.count else {
            return nil
        }
        let limit = 4096
        let text = String(decoding: bytes[start...].suffix(limit), as: UTF8.self)
        let lines = text.split(separator: "\n")
        let error = lines.lastIndex { $0.hasPrefix("falcon: ") }
        let words = lines[(error ?? max(0, lines.count - 1))...].joined(separator: "\n")
        return words.isEmpty ? nil : words
    }

    /// The process that trains a run at the moment; nil if there is none.
    func owner(ofRun id: String) -> String? { FolderLock.owner(ofFolder: runPath(of: id)) }

    private func run(_ id: String) -> RunFolder { RunFolder(path: runPath(of: id)) }

    /// The recipe that a run folder was made from; nil if there is none yet.
    func recipe(ofRun id: String) throws -> RecipeDocument? {
        let recipe = run(id).recipePath
        return fileKind(of: recipe) == .file ? try RecipeDocument(recipe: recipe) : nil
    }

    /// The steps that a run has done; lines that cannot be read are left out.
    func metrics(of id: String) -> [StepMetrics] { (try? run(id).metrics().steps) ?? [] }

    /// Whether a run has done all that its recipe asks for.
    func isComplete(_ id: String, _ recipe: TrainingRecipe) throws -> Bool {
        try run(id).isComplete(recipe)
    }
}
