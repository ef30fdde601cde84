import FalconCheckpoint
import FalconData
import FalconEval
import FalconInterchange
import FalconModel
import FalconOptim
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTokenizer

/// A pretraining run: data through the trainer, with validation, metrics and checkpoints.
///
/// `PretrainingRun+Training` is the loop, `PretrainingRun+Saving` what it leaves on disk,
/// `PretrainingRun+Beginning` where it starts from.
public final class PretrainingRun {
    let recipe: TrainingRecipe
    let dataset: TokenDataset
    let evaluator: Evaluator
    let onEvent: (RunEvent) -> Void
    /// The run's folder is nobody else's until this value dies.
    let held: HeldRun
    /// The model and its optimizer.
    public let trainer: Trainer

    /// The recipe's text with every value, kept in the run and in each checkpoint.
    var resolvedRecipe: String
    /// Of its values.
    var recipeDigest: String
    /// The checkpoints of other runs that this one comes from, the oldest first.
    var ancestors: [CheckpointAncestor] = []
    /// Where the data goes on: sequences consumed since the beginning.
    var dataPosition = 0
    var lastSavedStep: Int?
    /// What becomes of steps that are not applied.
    var judge: StepJudge
    /// Of the last step, to see whether the model has a finite loss.
    var lastBatch: Batch?
    /// What was wrong with the last validation; nil for nothing.
    var validationProblem: String?
    /// Whether a save waits for a step that is applied.
    var isSaveDue = false

    var folder: RunFolder { held.folder }

    /// Opens the data, draws or loads the weights, and only then begins or goes on in the run folder.
    ///
    /// - Parameters:
    ///   - document: a recipe.
    ///   - held: the run folder.
    ///   - existing: what to do with an old run.
    ///   - branch: the checkpoint to begin from; nil for none. A run that is resumed is not begun.
    ///   - threadCount: at least 1.
    ///   - onEvent: told what happens.
    /// - Throws: `RecipeError`, `TrainError`, `DataError`, `TokenizerError`, `CheckpointError`,
    ///   `OptimizerError`, `FileError`. The folder is then as it was.
    public init(
        _ document: RecipeDocument, in held: HeldRun, existing: ExistingRun,
        branch: BranchPoint? = nil, threadCount: Int, onEvent: @escaping (RunEvent) -> Void
    ) throws {
        recipe = try document.decode(TrainingRecipe.self)
        resolvedRecipe = document.resolvedYAML()
        recipeDigest = document.digest
        self.held = held
        self.onEvent = onEvent
        do {
            dataset = try TokenDataset(path: recipe.data.path)
        } catch FileError.missing(let path) {
            throw TrainError.noData(path: recipe.data.path, missing: path)
        }
        let tokenizer = try dataset.tokenizer()
        if tokenizer.vocabularyCount > recipe.model.vocabSize {
            throw TrainError.vocabularyTooSmall(
                model: recipe.model.vocabSize, tokenizer: tokenizer.vocabularyCount)
        }
        let plan = RunPlan(recipe)
        try MemoryPlan.requireFit(recipe, threadCount: threadCount)
        let state = try Self.state(of: held.folder, existing)
        let source = try Self.checkpoint(
            of: held.folder, state, existing, branch: branch, onEvent: onEvent)
        let device = Device(threadCount: threadCount, precision: recipe.train.precision)
        trainer = try Trainer(recipe, on: device, initialize: source == nil)
        evaluator = Evaluator(model: trainer.model, tokenizer: tokenizer, device: device)
        judge = StepJudge(
            EventLog(held.folder, recipe: recipe, dataset: dataset),
            limit: recipe.train.maxSkippedSteps)
        var beginning: RunStart.Beginning = state == .begun ? .again : .fresh
        var changes: [String] = []
        if let source {
            changes = try takeRecipe(document, against: source)
            try restore(from: source.checkpoint)
            beginning = source.ancestor.map { .branched($0) } ?? .resumed
            ancestors = source.checkpoint.manifest.ancestors + [source.ancestor].compactMap { $0 }
        } else if let path = recipe.train.initialModel {
            try takeWeights(of: path, tokenizer: tokenizer)
        }
        try begin(
            replacing: existing == .overwrite && state != .blank, isBranch: source?.ancestor != nil)
        onEvent(
            .started(
                RunStart(
                    beginning: beginning, step: trainer.step, changes: changes, plan: plan,
                    datasetTokens: dataset.index.train.tokens, threadCount: device.threadCount,
                    precision: device.precision, wantedPrecision: recipe.train.precision)))
    }

    /// The first step that this run itself has done comes after this one.
    var firstStep: Int { ancestors.last?.step ?? 0 }
}
