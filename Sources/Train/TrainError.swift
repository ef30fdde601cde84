import FalconSystem

/// An error that stops a run.
public enum TrainError: FalconError, Equatable {
    case isSweep(recipe: String)
    case runExists(path: String)
    case notARun(path: String)
    case noRecipe(path: String)
    case noWholeCheckpoint(path: String, reasons: [String])
    case nothingToBranchFrom(path: String)
    case noSuchCheckpoint(path: String, step: Int, steps: [Int])
    case noTrainingState(path: String)
    case recipeChanged(path: String, differences: [String])
    case branchChanged(path: String, differences: [String])
    case branchAtEnd(path: String, step: Int, steps: Int)
    case noData(path: String, missing: String)
    case dataChanged(path: String, got: String, want: String)
    /// The stages of the data up to a checkpoint are not those that it was trained with.
    case drawnDataChanged(path: String, tokens: Int, got: [String], want: [String])
    case vocabularyTooSmall(model: Int, tokenizer: Int)
    case initialModelDiffers(path: String, differences: [String])
    case initialTokenizerDiffers(path: String, data: String)
    case diverged(Divergence)
    case widthDoesNotScale(width: Int, hiddenSize: Int)
    case nothingToLearn(path: String, steps: Int)
    case notFinite(path: String, tensor: String)
    case badState(path: String, reason: String)
    /// What the leader has made does not appear on another host.
    case notSeen(path: String, host: String, leader: String)
    /// More ranks than leaves: some would have nothing to compute in any step.
    case tooManyRanks(ranks: Int, leaves: Int)
    case doesNotFit(MemoryPlan, available: Int, remedies: [MemoryRemedy])

    /// The message for a person.
    public var description: String {
        switch self {
        case .isSweep(let recipe):
            "\(recipe) has a sweep part, so it describes many runs; run it with falcon sweep"
        case .runExists(let path):
            "\(path) already holds a run; continue it with --resume, or choose another folder with "
                + "--run"
        case .notARun(let path):
            "\(path) exists and holds no run of falcon; choose another folder with --run, or empty it "
                + "yourself (--resume begins a run beside the files that are there)"
        case .noRecipe(let path):
            "\(path) holds no recipe to continue with; name one with --recipe"
        case .noWholeCheckpoint(let path, let reasons):
            "\(path) has no whole checkpoint; restore one of these from a copy, or start a new run with "
                + "--run\n" + reasons.map { "  \($0)" }.joined(separator: "\n")
        case .nothingToBranchFrom(let path):
            "\(path) has no checkpoint to branch from; name the folder of a run that has saved"
        case .noSuchCheckpoint(let path, let step, let steps):
            "\(path) has no checkpoint of step \(step); it has those of "
                + steps.map(String.init).joined(separator: ", ")
        case .noTrainingState(let path):
            "\(path) has only weights, no recipe or optimizer state to continue with; "
                + "train.initial_model begins from weights alone"
        case .recipeChanged(let path, let differences):
            "the recipe is not the one that \(path) was trained with; resuming would mix two runs:\n"
                + differences.map { "  \($0)" }.joined(separator: "\n")
                + "\nleave out --recipe and these settings, or begin another run from this one with "
                + "--branch"
        case .branchChanged(let path, let differences):
            "a branch continues with the model, the optimizer state and the data of \(path), so it "
                + "cannot change:\n" + differences.map { "  \($0)" }.joined(separator: "\n")
                + "\nleave out these settings, or start a new run with train.initial_model"
        case .branchAtEnd(let path, let step, let steps):
            "the branch would end with step \(steps), and \(path) has already done \(step); raise "
                + "train.tokens (or train.steps)"
        case .noData(let path, let missing):
            "the data of the recipe is \(path), relative to the current folder, and \(missing) is not there; "
                + "`falcon tokenize --output \(path)` makes it; data.path, data.mix and data.stages may name "
                + "another place"
        case .dataChanged(let path, let got, let want):
            "the data at \(path) is not what this run was trained on: its digest is \(got), the "
                + "checkpoint's is \(want); restore the shards, or start a new run with --run"
        case .drawnDataChanged(let path, let tokens, let got, let want):
            "the recipe does not draw what \(path) has drawn in its first \(tokens) tokens:\n"
                + (got.map { "  got   \($0)" } + want.map { "  want  \($0)" }).joined(
                    separator: "\n")
                + "\nkeep the stages up to there: end the one that has begun with tokens, and put what "
                + "changes into a stage behind it"
        case .vocabularyTooSmall(let model, let tokenizer):
            "model.vocab_size is \(model), but the tokenizer of the data has \(tokenizer) pieces; set "
                + "model.vocab_size to at least \(tokenizer)"
        case .initialModelDiffers(let path, let differences):
            "train.initial_model \(path) is not the model of the recipe:\n"
                + differences.map { "  \($0)" }.joined(separator: "\n")
                + "\nset model to the output of `falcon ckpt info \(path) --recipe`"
        case .initialTokenizerDiffers(let path, let data):
            "train.initial_model \(path) has a different tokenizer from the data at \(data); "
                + "tokenize the text with the model's tokenizer"
        case .diverged(let divergence): divergence.description
        case .notFinite(let path, let tensor):
            "\(path): \(tensor) holds numbers that are not finite, so nothing can continue from "
                + "it: its training had diverged, or it is damaged; use an earlier checkpoint"
        case .nothingToLearn(let path, let steps):
            "none of the \(steps) steps had a token to predict: the documents at \(path) hold "
                + "nothing but their end tokens; tokenize other text, or remove the empty documents"
        case .widthDoesNotScale(let width, let hiddenSize):
            "a width of \(width) does not give whole numbers of heads and channels when a model of "
                + "width \(hiddenSize) is scaled to it; try \(hiddenSize / 2) or \(2 * hiddenSize)"
        case .notSeen(let path, let host, let leader):
            "\(path), which rank 0 on \(leader) has made, does not appear on \(host); the folder of a run of "
                + "several hosts must be on a disk that all of them share, under the same name"
        case .tooManyRanks(let ranks, let leaves):
            "there are \(ranks) ranks, and the recipe adds up \(leaves) leaves; start at most \(leaves) "
                + "ranks, or begin a run with train.leaves=\(ranks) or a multiple"
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
        case .noData, .noRecipe, .nothingToBranchFrom, .noSuchCheckpoint: .missingInput
        case .isSweep, .recipeChanged, .branchChanged, .branchAtEnd, .vocabularyTooSmall,
            .doesNotFit, .initialModelDiffers, .tooManyRanks:
            .badRecipe
        case .dataChanged, .drawnDataChanged, .badState, .initialTokenizerDiffers,
            .noWholeCheckpoint,
            .noTrainingState, .nothingToLearn, .notFinite:
            .badData
        case .widthDoesNotScale: .usage
        case .notSeen: .missingInput
        case .diverged: .checkFailed
        }
    }
}
