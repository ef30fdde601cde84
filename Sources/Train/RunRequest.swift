import FalconRanks
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
    /// Nothing is created if the recipe is wrong. Of several ranks the leader alone holds the folder; the others
    /// look into it when the leader has.
    ///
    /// - Parameter ranks: the ranks that train together.
    /// - Returns: all that a run begins with.
    /// - Throws: `RecipeError`, `TrainError` or `FileError`, the last also where neither a recipe nor a parent
    ///   is named and no run is in the folder; `RankFailure` if a rank has failed.
    public func open(_ ranks: RankGroup = RankGroup()) throws -> OpenedRun {
        var opened: OpenedRun?
        _ = try ranks.fromLeader {
            opened = try open(holding: true)
            return []
        }
        return try opened ?? open(holding: false)
    }

    private func open(holding isHolding: Bool) throws -> OpenedRun {
        func hold(_ path: String) throws -> (RunFolder, HeldRun?) {
            guard isHolding else { return (RunFolder(path: path), nil) }
            let held = try HeldRun(path)
            return (held.folder, held)
        }
        func opened(
            _ document: RecipeDocument, _ folder: (RunFolder, HeldRun?), _ parent: BranchPoint?
        ) -> OpenedRun {
            OpenedRun(
                document: document, folder: folder.0, held: folder.1, existing: existing,
                parent: parent)
        }
        if let recipe {
            let document = try RecipeDocument(recipe: recipe, settings: settings)
            if document.contains("sweep") { throw TrainError.isSweep(recipe: recipe) }
            let folder = try hold(path(document))
            return opened(document, folder, try parent(of: folder.0))
        }
        if existing == .resume, let path, fileKind(of: path) == .folder {
            let folder = try hold(path)
            let parent = try parent(of: folder.0)
            let document =
                try parent?.recipe(settings: settings) ?? folder.0.recipe(settings: settings)
            return opened(document, folder, parent)
        }
        guard let branch else { throw FileError.missing(path: path ?? "runs") }
        let parent = try BranchPoint(branch)
        let document = try parent.recipe(settings: settings)
        return opened(document, try hold(path(document)), parent)
    }

    /// The checkpoint to branch from; nil for none, or if the branch has saved already.
    private func parent(of folder: RunFolder) throws -> BranchPoint? {
        if try existing == .resume && folder.state() == .saved { return nil }
        return try branch.map { try BranchPoint($0) }
    }

    private func path(_ document: RecipeDocument) throws -> String {
        if let path { return path }
        return "runs/\(try document.decode(TrainingRecipe.self).name)"
    }
}

/// What a run begins with.
public struct OpenedRun {
    /// The recipe.
    public let document: RecipeDocument
    /// The folder of the run.
    public let folder: RunFolder
    /// Holds the folder; nil where the leader of several ranks does.
    public let held: HeldRun?
    /// The choice for a run that already exists.
    public let existing: ExistingRun
    /// The checkpoint to branch from; nil for none, or if the branch has saved already.
    public let parent: BranchPoint?

    /// A run in a folder that this process holds.
    ///
    /// - Parameters:
    ///   - document: the recipe.
    ///   - held: the folder.
    ///   - existing: the choice for a run that already exists.
    ///   - parent: the checkpoint to branch from; nil for none. A resumed run ignores it.
    public init(
        _ document: RecipeDocument, in held: HeldRun, existing: ExistingRun,
        parent: BranchPoint? = nil
    ) {
        self.init(
            document: document, folder: held.folder, held: held, existing: existing,
            parent: parent)
    }

    init(
        document: RecipeDocument, folder: RunFolder, held: HeldRun?, existing: ExistingRun,
        parent: BranchPoint?
    ) {
        (self.document, self.folder, self.held) = (document, folder, held)
        (self.existing, self.parent) = (existing, parent)
    }
}
