import FalconCheckpoint
import FalconData
import FalconRecipe
import FalconRunRecord
import FalconSystem

// The recipe of a run, and whether it is fulfilled.
extension RunFolder {
    /// Whether the run is at its end, with all that belongs to it: the line of its last step, in it the
    /// scores that are due, and a whole checkpoint of that step.
    ///
    /// A run that is not complete can continue with `--resume`, whatever is missing.
    ///
    /// - Parameter recipe: the run's.
    /// - Returns: false also while there is no run.
    /// - Throws: `FileError` if a file is there and cannot be read.
    public func isComplete(_ recipe: TrainingRecipe) throws -> Bool {
        let steps = BatchPlan(recipe.train, sequenceLength: recipe.data.sequenceLength).steps
        guard let last = try lastStep(), last.step == steps else { return false }
        if last.taskScores == nil && !recipe.evaluation.scoredNames.isEmpty { return false }
        if last.validationLoss == nil && recipe.evaluation.everySteps != nil {
            // Data without a validation split give no score.
            let datasets = try? recipe.data.paths.map { try TokenDataset(path: $0) }
            guard let datasets, !datasets.contains(where: \.hasValidation) else { return false }
        }
        return (try? Checkpoint.open(checkpoints.path(ofStep: steps)))?.manifest.step == steps
    }

    /// The recipe that the run continues with.
    ///
    /// - Parameter settings: `key.path=value` each, on top.
    /// - Returns: the recipe in the folder, or in the newest whole checkpoint.
    /// - Throws: `TrainError.noRecipe` if there is neither; `RecipeError`; `FileError`.
    public func recipe(settings: [String]) throws -> RecipeDocument {
        var path = recipePath
        var bytes: [UInt8]?
        if fileKind(of: path) == .file {
            bytes = try InputFile.contents(of: path)
        } else if let checkpoint = try checkpoints.newest().checkpoint {
            path = checkpoint.path + "/" + CheckpointFileName.recipe
            bytes = try checkpoint.bytes(of: CheckpointFileName.recipe)
        }
        guard let bytes else { throw TrainError.noRecipe(path: self.path) }
        return try RecipeDocument(
            resolvedYAML: String(decoding: bytes, as: UTF8.self), name: path, settings: settings)
    }

    /// Writes the resolved recipe.
    func write(resolvedRecipe: String) throws {
        var file = try AtomicFile(path: recipePath)
        try file.write(resolvedRecipe)
        try file.commit()
    }
}
