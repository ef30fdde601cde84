import FalconRecipe

/// Which values of a recipe may change while its run goes on.
enum RecipeChange {
    /// Values that change no bit of the weights of the steps to come, or only when something has gone
    /// wrong.
    static let harmless = RecipeKeyPaths([
        "name", "checkpoint", "evaluation", "monitor", "train.max_skipped_steps",
        "train.recompute", "train.spike_guard",
    ])

    /// Values that a branch may have of its own: they decide about the steps to come only.
    private static let ofBranches = RecipeKeyPaths([
        "schedule", "train.tokens", "train.steps", "train.clip_norm", "train.z_loss",
        "train.precision", "train.micro_batch_sequences", "train.leaves", "optimizer.learning_rate",
        "optimizer.weight_decay", "optimizer.betas", "optimizer.epsilon",
        "optimizer.muon.momentum", "optimizer.muon.nesterov",
        "optimizer.muon.newton_schulz_steps", "optimizer.muon.scale", "optimizer.groups",
        "parametrization.learning_rate", "parametrization.weight_decay",
        "parametrization.in_clip_norm",
    ])

    /// Of a group of the optimizer: which parameters it holds, and with what state.
    private static let ofGroups = RecipeKeyPaths(
        ["roles", "names", "kind"].map { "optimizer.groups.*.\($0)" })

    /// Where the data lie; what they are is compared by their digest.
    static let ofData = RecipeKeyPaths(["data.path"])
    /// How many tokens a step has: free where that leaves the tokens up to here as they were.
    static let ofBatches = RecipeKeyPaths(["train.batch_tokens", "train.batch_ramp"])

    /// Whether a branch may have another value.
    static func isFreeInBranches(_ difference: RecipeDifference) -> Bool {
        !ofGroups.contain(difference)
            && (harmless.contain(difference) || ofBranches.contain(difference))
    }
}
