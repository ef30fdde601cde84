import FalconRecipe

/// The values of a recipe that may change when its run is resumed or branched from.
enum RecipeChange {
    /// Values that change no bit of the weights of the steps to come, or only when something has gone
    /// wrong.
    static let harmless = RecipeKeyPaths([
        "name", "checkpoint", "evaluation", "monitor", "train.max_skipped_steps",
        "train.recompute", "train.spike_guard",
    ])

    /// Values that a branch may set for itself: they affect only the steps to come.
    private static let ofBranches = RecipeKeyPaths([
        "schedule", "train.tokens", "train.steps", "train.clip_norm", "train.z_loss",
        "train.precision", "train.micro_batch_sequences", "train.leaves", "optimizer.learning_rate",
        "optimizer.weight_decay", "optimizer.betas", "optimizer.epsilon",
        "optimizer.muon.momentum", "optimizer.muon.nesterov",
        "optimizer.muon.newton_schulz_steps", "optimizer.muon.scale", "optimizer.groups",
        "parametrization.learning_rate", "parametrization.weight_decay",
        "parametrization.in_clip_norm",
    ])

    /// Values of an optimizer group that decide its parameters and its kind of state.
    private static let ofGroups = RecipeKeyPaths(
        ["roles", "names", "kind"].map { "optimizer.groups.*.\($0)" })

    /// The data: free if what was drawn so far stays as it was.
    static let ofData = RecipeKeyPaths(["data.path", "data.mix", "data.stages"])
    /// The tokens of a step: free if the tokens up to the branch stay as they were.
    static let ofBatches = RecipeKeyPaths(["train.batch_tokens", "train.batch_ramp"])

    /// Whether a branch may have another value.
    static func isFreeInBranches(_ difference: RecipeDifference) -> Bool {
        !ofGroups.contain(difference)
            && (harmless.contain(difference) || ofBranches.contain(difference))
    }
}
