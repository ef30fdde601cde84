import FalconCheckpoint
import FalconData
import FalconEval
import FalconInterchange
import FalconRecipe
import FalconSystem

/// The data that a model was trained on, as its recipe and manifest name it.
public struct TrainingData {
    /// The recipe's part.
    public let section: DataSection
    /// The digest of the data set; "" if the checkpoint does not say.
    private let digest: String
    private let recipe: String
    private let model: String

    /// The data of a model; nil if its recipe is not there.
    ///
    /// - Parameter model: any model.
    /// - Throws: `RecipeError` if its recipe cannot be read.
    public init?(of model: ModelFiles) throws {
        guard let recipe = model.resolvedRecipe else { return nil }
        section = try RecipeDocument(yaml: recipe, name: "recipe.resolved.yaml")
            .decode(DataSection.self, at: "data")
        digest = model.manifest?.dataDigest ?? ""
        self.recipe = recipe
        self.model = model.path
    }

    /// The place in the recipe that names the data at a path.
    private func place(of path: String) -> String {
        let lines = recipe.split(separator: "\n", omittingEmptySubsequences: false)
        let start = lines.firstIndex { $0.hasPrefix("data:") } ?? 0
        let line =
            lines[start...].firstIndex { $0.contains("path: ") && $0.contains(path) } ?? start
        return "named in line \(line + 1) of recipe.resolved.yaml of \(model)"
    }

    /// The folders of the data: the recipe's paths, from here or from a folder that contains the run.
    ///
    /// - Returns: one for each data set.
    /// - Throws: `EvaluationError` if one is not there or is other data.
    public func locate() throws -> [String] {
        let paths = section.paths
        guard paths.count > 1 else {
            return [try locate(paths[0]) { digest.isEmpty || $0 == digest }]
        }
        let found = try paths.map { try locate($0) { _ in true } }
        let digests = try found.map { try TokenDataset(path: $0).index.datasetDigest }
        guard digest.isEmpty || combinedDigest(digests) == digest else {
            throw EvaluationError.otherData(
                path: found.joined(separator: ", "), place: place(of: paths[0]))
        }
        return found
    }

    /// The folder of one data set, with a digest that is wanted.
    private func locate(_ path: String, isWanted: (String) -> Bool) throws -> String {
        var candidates = [path]
        if !path.hasPrefix("/") {
            var folder = canonicalPath(model)[...]
            while let slash = folder.lastIndex(of: "/"), !folder.isEmpty {
                folder = folder[..<slash]
                candidates.append(folder + "/" + path)
            }
        }
        var other: String?
        for path in candidates where fileKind(of: path + "/" + DatasetIndex.fileName) == .file {
            if isWanted(try TokenDataset(path: path).index.datasetDigest) { return path }
            other = other ?? path
        }
        if let other { throw EvaluationError.otherData(path: other, place: place(of: path)) }
        throw EvaluationError.missingData(path: path, place: place(of: path), model: model)
    }
}
