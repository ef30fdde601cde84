import FalconJSON
import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// The documents of a task with the text before each: preamble and examples.
public struct TaskData {
    /// The task.
    public let task: any EvaluationTask
    /// The number of examples before each document.
    public let shots: Int
    /// The scored file.
    public let path: String
    /// Its SHA-256.
    public let digest: String
    /// SHA-256 of the file of the examples; nil without examples.
    public let examplesDigest: String?
    /// The records of the documents.
    public let records: [Record]
    /// The documents, in the order of the file.
    public let documents: [TaskDocument]
    /// The text before each document's question.
    public let prefixes: [String]
    /// The text before every document's question: preamble and, if they are the same for all, examples.
    public let shared: String

    /// Reads a task's documents.
    ///
    /// - Parameters:
    ///   - task: the task.
    ///   - folder: holds the task's files.
    ///   - shots: examples before each document; nil for as many as is usual for the task.
    ///   - limit: documents from the start of the file; nil for all.
    /// - Throws: `FileError` or `EvaluationError` about the data.
    public init(
        _ task: any EvaluationTask, in folder: String, shots: Int? = nil, limit: Int? = nil
    ) throws {
        self.task = task
        self.shots = shots ?? task.defaultShots
        let scored = try Self.read(task, task.files, in: folder, limit: limit, purpose: nil)
        (path, digest) = (scored.path, scored.digest)
        (records, documents) = (scored.records, scored.documents)
        guard self.shots > 0 else {
            examplesDigest = nil
            shared = task.preamble
            prefixes = documents.map { _ in task.preamble }
            return
        }
        let files = task.exampleFiles.isEmpty ? task.files : task.exampleFiles
        let source = try Self.read(
            task, files, in: folder, limit: nil,
            purpose: "the \(self.shots) examples of \(task.name)")
        examplesDigest = source.digest
        let examples = source.documents.map(\.example)
        guard let texts = examples as? [String] else {
            throw EvaluationError.noExamples(task: task.name)
        }
        let hasSpare = task.sampling == .randomWithSpare || task.sampling == .firstOthers
        let wanted = self.shots + (hasSpare ? 1 : 0)
        guard texts.count >= wanted else {
            throw EvaluationError.fewExamples(
                path: source.path, count: texts.count, shots: self.shots, wanted: wanted)
        }
        func prefix(_ places: [Int]) -> String {
            places.reduce(task.preamble) { $0 + texts[$1] + "\n\n" }
        }
        switch task.sampling {
        case .firstN:
            let text = prefix(Array(0..<self.shots))
            (shared, prefixes) = (text, documents.map { _ in text })
        case .firstOthers:
            shared = prefix(Array(0..<self.shots))
            prefixes = records.map { [shots = self.shots] record in
                let others = texts.indices.lazy.filter {
                    source.records[$0].bytes != record.bytes
                }
                return prefix(Array(others.prefix(shots)))
            }
        case .random, .randomWithSpare:
            // One generator goes from document to document.
            var random = PythonRandom(seed: 1234)
            shared = task.preamble
            prefixes = records.map { [shots = self.shots] record in
                guard hasSpare else { return prefix(random.sample(shots, of: texts.count)) }
                func isOther(_ place: Int) -> Bool { source.records[place].bytes != record.bytes }
                let drawn = random.sample(shots + 1, of: texts.count).filter(isOther)
                if drawn.count >= shots { return prefix(Array(drawn.prefix(shots))) }
                let others = texts.indices.filter(isOther)
                return prefix(
                    random.sample(min(shots, others.count), of: others.count).map { others[$0] })
            }
        }
    }

    private struct Source {
        let path: String
        let digest: String
        var records: [Record] = []
        var documents: [TaskDocument] = []
    }

    /// Reads the first of some files that is there.
    private static func read(
        _ task: any EvaluationTask, _ names: [String], in folder: String, limit: Int?,
        purpose: String?
    ) throws -> Source {
        let paths = names.map { folder + "/" + $0 }
        if let folder = paths.first(where: { fileKind(of: $0) == .folder }) {
            throw FileError(action: "read", path: folder, code: EISDIR)
        }
        guard let path = paths.first(where: { fileKind(of: $0) == .file }) else {
            throw EvaluationError.missingFiles(
                task: task.name, purpose: purpose ?? "the documents of \(task.name)", paths: paths)
        }
        let bytes = try readBytes(ofFile: path)
        var source = Source(path: path, digest: SHA256.hex(of: bytes))
        let lines = task.records(in: bytes)
        if lines.isEmpty { throw EvaluationError.noRecords(path: path, task: task.name) }
        var random = PythonRandom(seed: 0)
        for line in lines.prefix(limit ?? .max) {
            let record = Record(line)
            do {
                source.documents.append(try task.document(from: record, random: &random))
                source.records.append(record)
            } catch let error as RecordError {
                let number = 1 + bytes[..<line.startIndex].reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
                throw EvaluationError.badRecord(
                    path: path, line: number, reason: error.description)
            }
        }
        return source
    }
}
