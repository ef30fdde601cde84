import FalconCheckpoint
import FalconRecipe
import FalconSystem

/// The checkpoint of another run that a new run begins from, with the optimizer's state and the
/// position in the data.
public struct BranchPoint: Sendable {
    /// The parent's folder.
    public let run: String
    /// The checkpoint.
    public let checkpoint: Checkpoint
    /// Newer checkpoints that cannot be used, and why.
    public let damaged: [String]

    /// Opens the checkpoint that an argument names.
    ///
    /// - Parameter argument: `RUN`, for its newest whole checkpoint, or `RUN@STEP`.
    /// - Throws: `TrainError` if there is no such run or checkpoint; `CheckpointError` if the one that is
    ///   named is damaged; `FileError`.
    public init(_ argument: String) throws {
        var (run, step) = (argument, Int?.none)
        if fileKind(of: argument) != .folder, let mark = argument.lastIndex(of: "@"),
            let number = Int(argument[argument.index(after: mark)...])
        {
            (run, step) = (String(argument[..<mark]), number)
        }
        self.run = run
        guard fileKind(of: run) == .folder else { throw FileError.missing(path: run) }
        let folder = CheckpointFolder(run: run)
        let steps = try folder.steps()
        guard !steps.isEmpty else { throw TrainError.nothingToBranchFrom(path: run) }
        if let step {
            guard steps.contains(step) else {
                throw TrainError.noSuchCheckpoint(path: run, step: step, steps: steps)
            }
            checkpoint = try Checkpoint.open(folder.path(ofStep: step))
            damaged = []
        } else {
            let (newest, damaged) = try folder.newest()
            self.damaged = damaged.map(\.description)
            guard let newest else {
                throw TrainError.noWholeCheckpoint(path: run, reasons: self.damaged)
            }
            checkpoint = newest
        }
    }

    /// The record of the parent in the checkpoints of the branch.
    public var ancestor: CheckpointAncestor {
        CheckpointAncestor(
            run: run, step: checkpoint.manifest.step, manifestDigest: checkpoint.manifest.digest)
    }

    /// The recipe that the parent was trained with up to here.
    ///
    /// - Parameter settings: `key.path=value` each, on top.
    /// - Returns: the recipe of the branch.
    /// - Throws: `RecipeError` for wrong settings; `TrainError` if the checkpoint has no recipe.
    public func recipe(settings: [String]) throws -> RecipeDocument {
        guard let text = try checkpoint.recipeText else {
            throw TrainError.noTrainingState(path: checkpoint.path)
        }
        return try RecipeDocument(
            resolvedYAML: text, name: checkpoint.path + "/" + CheckpointFileName.recipe,
            settings: settings)
    }
}

extension Checkpoint {
    /// The recipe that it was trained with; nil for weights from elsewhere.
    var recipeText: String? {
        get throws {
            try bytes(of: CheckpointFileName.recipe).map { String(decoding: $0, as: UTF8.self) }
        }
    }
}
