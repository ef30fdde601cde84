import FalconSystem

/// What can stop a run.
public enum TrainError: FalconError, Equatable {
    case runExists(path: String)
    case notARun(path: String)
    case nothingToResume(path: String)
    case recipeChanged(path: String, differences: [String])
    case dataChanged(path: String, got: String, want: String)
    case vocabularyTooSmall(model: Int, tokenizer: Int)
    case initialModelDiffers(path: String, differences: [String])
    case initialTokenizerDiffers(path: String, data: String)
    case diverged(step: Int, skipped: Int, parameter: String?, lastSave: Int?)
    case badState(path: String, reason: String)
    case doesNotFit(MemoryPlan, available: Int, remedies: [MemoryRemedy])

    /// The message for a person.
    public var description: String {
        switch self {
        case .runExists(let path):
            "\(path) holds a run already; continue it with --resume, replace it with --overwrite, or "
                + "choose another folder with --run"
        case .notARun(let path):
            "\(path) exists but holds no run of falcon, so --overwrite leaves it alone; choose another "
                + "folder with --run or empty it yourself"
        case .nothingToResume(let path):
            "\(path) holds no checkpoint to resume from; start the run without --resume, "
                + "with --overwrite if it was stopped before its first save"
        case .recipeChanged(let path, let differences):
            "the recipe is not the one that \(path) was trained with; resuming would mix two runs:\n"
                + differences.map { "  \($0)" }.joined(separator: "\n")
                + "\nrestore these values, or start a new run with --run"
        case .dataChanged(let path, let got, let want):
            "the data at \(path) is not what this run was trained on: its digest is \(got), the "
                + "checkpoint's is \(want); restore the shards, or start a new run with --run"
        case .vocabularyTooSmall(let model, let tokenizer):
            "model.vocab_size is \(model), but the tokenizer of the data has \(tokenizer) pieces; set "
                + "model.vocab_size to at least \(tokenizer)"
        case .initialModelDiffers(let path, let differences):
            "train.initial_model \(path) is not the model of the recipe:\n"
                + differences.map { "  \($0)" }.joined(separator: "\n")
                + "\nset model to what `falcon ckpt info \(path) --recipe` prints"
        case .initialTokenizerDiffers(let path, let data):
            "train.initial_model \(path) has another tokenizer than the data at \(data); tokenize the "
                + "text with the model's tokenizer"
        case .diverged(let step, let skipped, let parameter, let lastSave):
            "stopped at step \(step): loss or gradient was not finite \(skipped) times in a row"
                + (parameter.map { " (first in \($0))" } ?? "")
                + "; the last good save is "
                + (lastSave.map { "step \($0)" } ?? "none")
                + "; lower optimizer.learning_rate or lengthen schedule.warmup_tokens"
        case .badState(let path, let reason):
            "\(path): not the training state of a checkpoint: \(reason)"
        case .doesNotFit(let plan, let available, let remedies):
            "the run needs \(mebibytes(plan.totalBytes)) of memory (weights, gradients and optimizer "
                + "state \(mebibytes(plan.stateBytes)), activations and scratch "
                + "\(mebibytes(plan.activationBytes + plan.scratchBytes)), other "
                + "\(mebibytes(plan.otherBytes))), and \(mebibytes(available)) are available;\n"
                + MemoryRemedy.text(remedies, available: available)
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus {
        switch self {
        case .runExists, .notARun: .cannotCreate
        case .nothingToResume: .missingInput
        case .recipeChanged, .vocabularyTooSmall, .doesNotFit, .initialModelDiffers: .badRecipe
        case .dataChanged, .badState, .initialTokenizerDiffers: .badData
        case .diverged: .checkFailed
        }
    }
}
