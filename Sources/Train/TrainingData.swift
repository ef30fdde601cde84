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
    private let place: String
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
        place =
            "data.path in line \(Self.line(in: recipe)) of recipe.resolved.yaml of \(model.path)"
        self.model = model.path
    }

    /// The line of the recipe that names the data.
    private static func line(in recipe: String) -> Int {
        let lines = recipe.split(separator: "\n", omittingEmptySubsequences: false)
        let start = lines.firstIndex { $0.hasPrefix("data:") } ?? 0
        let path = lines[start...].firstIndex { $0.hasPrefix("  path:") } ?? start
        return path + 1
    }

    /// The folder of the data: the recipe's path, from here or from a folder that contains the run.
    ///
    /// - Returns: the folder.
    /// - Throws: `EvaluationError` if it is not there or is other data.
    public func locate() throws -> String {
        var candidates = [section.path]
        if !section.path.hasPrefix("/") {
            var folder = canonicalPath(model)[...]
            while let slash = folder.lastIndex(of: "/"), !folder.isEmpty {
                folder = folder[..<slash]
                candidates.append(folder + "/" + section.path)
            }
        }
        var other: String?
        for path in candidates where fileKind(of: path + "/" + DatasetIndex.fileName) == .file {
            let found = try TokenDataset(path: path).index.datasetDigest
            if digest.isEmpty || found == digest { return path }
            other = other ?? path
        }
        if let other { throw EvaluationError.otherData(path: other, place: place) }
        throw EvaluationError.missingData(path: section.path, place: place, model: model)
    }
}
