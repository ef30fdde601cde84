import FalconRecipe

/// Which values of a recipe may change while its run goes on.
enum RecipeChange {
    /// Values that change no bit of the weights of the steps to come, or only when something has gone
    /// wrong.
    private static let harmless = [
        "name", "checkpoint", "evaluation", "monitor", "train.max_skipped_steps",
        "train.recompute", "train.spike_guard",
    ]

    /// Values that a branch may have of its own: they decide about the steps to come only.
    private static let ofBranches = [
        "schedule", "train.tokens", "train.steps", "train.clip_norm", "train.z_loss",
        "train.precision", "train.micro_batch_sequences", "train.leaves", "optimizer.learning_rate",
        "optimizer.weight_decay", "optimizer.betas", "optimizer.epsilon",
        "optimizer.muon.momentum", "optimizer.muon.nesterov",
        "optimizer.muon.newton_schulz_steps", "optimizer.muon.scale", "optimizer.groups",
        "parametrization.learning_rate", "parametrization.weight_decay",
        "parametrization.in_clip_norm",
    ]

    /// Of a group of the optimizer: which parameters it holds, and with what state.
    private static let ofGroups = ["roles", "names", "kind"]

    /// Where the data lie; what they are is compared by their digest.
    static let dataPath = "data.path"
    /// How many tokens a step has: free where that leaves the tokens up to here as they were.
    static let batchKeys = ["train.batch_tokens", "train.batch_ramp"]

    /// Whether a resumed run may have another value.
    static func isHarmless(_ difference: RecipeDifference) -> Bool {
        isBelow(difference.keyPath, harmless)
    }

    /// Whether a branch may have another value.
    static func isFreeInBranches(_ difference: RecipeDifference) -> Bool {
        let path = difference.keyPath
        let name = path.split(separator: ".").last.map(String.init) ?? ""
        if path.hasPrefix("optimizer.groups.") && ofGroups.contains(name) { return false }
        return isHarmless(difference) || isBelow(path, ofBranches)
    }

    /// Whether a difference is about the size of steps.
    static func isOfBatches(_ difference: RecipeDifference) -> Bool {
        isBelow(difference.keyPath, batchKeys)
    }

    private static func isBelow(_ path: String, _ sections: [String]) -> Bool {
        sections.contains { path == $0 || path.hasPrefix($0 + ".") }
    }
}
