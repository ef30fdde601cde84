import FalconRecipe
import FalconRunRecord
import FalconSystem

/// A person's request for a run: by a recipe, a folder to continue in, or a run to branch from.
public struct RunRequest: Sendable {
    /// A recipe file or the name of a shipped recipe; nil for the run's own, or else the parent's.
    public var recipe: String?
    /// `key.path=value` each, over the recipe.
    public var settings: [String]
    /// The folder of the run; nil for `runs/NAME` with the recipe's name.
    public var path: String?
    /// The choice for a run that already exists.
    public var existing: ExistingRun
    /// The checkpoint of another run to begin from, `run[@step]`; nil for none.
    public var branch: String?

    /// A run from a recipe.
    ///
    /// - Parameters:
    ///   - recipe: a recipe file or the name of a shipped recipe; nil where a folder or a parent holds one.
    ///   - settings: `key.path=value` each.
    ///   - path: the folder; nil for `runs/NAME`.
    ///   - existing: the choice for a run that already exists.
    ///   - branch: `run[@step]`; nil for none.
    public init(
        recipe: String?, settings: [String] = [], path: String? = nil,
        existing: ExistingRun = .refuse, branch: String? = nil
    ) {
        (self.recipe, self.settings, self.path) = (recipe, settings, path)
        (self.existing, self.branch) = (existing, branch)
    }

    /// Takes hold of the folder and reads the recipe: the named one, else the run's, else the
    /// parent's.
    ///
    /// Nothing is created if the recipe is wrong.
    ///
    /// - Returns: the folder; the recipe; and the parent of a branch that has not saved yet, nil for none.
    /// - Throws: `RecipeError`, `TrainError` or `FileError`, the last also where neither a recipe nor a parent
    ///   is named and no run is in the folder.
    public func open() throws -> (held: HeldRun, document: RecipeDocument, parent: BranchPoint?) {
        if let recipe {
            let document = try RecipeDocument(recipe: recipe, settings: settings)
            if document.contains("sweep") { throw TrainError.isSweep(recipe: recipe) }
            let held = try hold(document)
            return (held, document, try parent(of: held))
        }
        if existing == .resume, let path, fileKind(of: path) == .folder {
            let held = try HeldRun(path)
            let parent = try parent(of: held)
            let document =
                try parent?.recipe(settings: settings) ?? held.folder.recipe(settings: settings)
            return (held, document, parent)
        }
        guard let branch else { throw FileError.missing(path: path ?? "runs") }
        let parent = try BranchPoint(branch)
        let document = try parent.recipe(settings: settings)
        return (try hold(document), document, parent)
    }

    /// The checkpoint to branch from; nil for none, or if the branch has saved already.
    private func parent(of held: HeldRun) throws -> BranchPoint? {
        if try existing == .resume && held.folder.state() == .saved { return nil }
        return try branch.map { try BranchPoint($0) }
    }

    private func hold(_ document: RecipeDocument) throws -> HeldRun {
        let name = try document.decode(TrainingRecipe.self).name
        return try HeldRun(path ?? "runs/\(name)")
    }
}
