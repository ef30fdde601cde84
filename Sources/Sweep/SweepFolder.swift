import FalconCheckpoint
import FalconRecipe
import FalconSystem
import FalconTrain
import FoundationEssentials

/// The files of a sweep.
///
///     sweep.resolved.yaml  sweep.sqlite  results.jsonl  recipes/ID.yaml  runs/ID/  runs/ID.log
struct SweepFolder {
    let path: String

    var recipePath: String { path + "/sweep.resolved.yaml" }
    var databasePath: String { path + "/sweep.sqlite" }
    var resultsPath: String { path + "/results.jsonl" }
    func recipePath(of id: String) -> String { path + "/recipes/\(id).yaml" }
    func runPath(of id: String) -> String { path + "/runs/\(id)" }
    func logPath(of id: String) -> String { path + "/runs/\(id).log" }

    /// Makes or checks the folder.
    func prepare(_ document: RecipeDocument, resume: Bool) throws {
        let isThere = fileKind(of: recipePath) == .file
        if resume {
            guard isThere else { throw SweepError.nothingToResume(path: path) }
            let old = try RecipeDocument(recipe: recipePath)
            guard old.digest == document.digest else {
                throw SweepError.changed(path: path, got: document.digest, want: old.digest)
            }
        } else if isThere {
            throw SweepError.folderExists(path: path)
        }
        for folder in [path, path + "/recipes", path + "/runs"] { try createFolder(folder) }
        if !isThere { try writeAtomically(document.resolvedYAML(), to: recipePath) }
    }

    func writeAtomically(_ text: String, to path: String) throws(FileError) {
        var file = try AtomicFile(path: path)
        try file.write(text)
        try file.commit()
    }

    /// One line a run.
    func writeResults(_ records: [SweepRecord]) throws {
        let lines = try records.map { try jsonText($0) + "\n" }
        try writeAtomically(lines.joined(), to: resultsPath)
    }

    /// The last words of a run.
    func lastWords(of id: String) -> String? {
        guard let text = try? String(contentsOfFile: logPath(of: id), encoding: .utf8) else {
            return nil
        }
        return text.split(separator: "\n").last.map(String.init)
    }

    /// The digest of the recipe that a run folder was made from; nil if there is no such folder.
    func recipeDigest(ofRun id: String) throws -> String? {
        let recipe = runPath(of: id) + "/recipe.resolved.yaml"
        guard fileKind(of: recipe) == .file else { return nil }
        return try RecipeDocument(recipe: recipe).digest
    }

    func hasCheckpoint(_ id: String) -> Bool {
        (try? CheckpointFolder(run: runPath(of: id)).steps().isEmpty) == false
    }

    /// The steps that a run has done, without the half line that a killed one may have left.
    func metrics(of id: String) -> [StepMetrics] {
        guard let bytes = try? readBytes(ofFile: runPath(of: id) + "/metrics.jsonl") else {
            return []
        }
        return bytes.split(separator: 0x0A).compactMap {
            try? decodedJSON(StepMetrics.self, from: $0)
        }
    }
}

extension SweepRecord {
    /// Takes what a run's metrics say.
    mutating func take(_ metrics: [StepMetrics], parameterCount: Int) {
        guard let last = metrics.last else { return }
        steps = last.step
        tokens = last.tokens
        parameters = parameterCount
        elapsedSeconds = last.elapsedSeconds
        let tail = metrics.suffix(max(1, metrics.count / 20)).map { $0.loss ?? .nan }
        let mean = tail.reduce(0, +) / Double(tail.count)
        loss = mean.isFinite ? mean : nil
        let validation = metrics.last { $0.validationLoss != nil }
        validationLoss = validation?.validationLoss
        validationBitsPerByte = validation?.validationBitsPerByte
    }
}
