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
/// `PretrainingRun+Training` is the loop, `PretrainingRun+Saving` its files on disk,
/// `PretrainingRun+Beginning` its start.
public final class PretrainingRun {
    let recipe: TrainingRecipe
    let data: SampleStream
    let evaluator: Evaluator
    /// The tasks to be scored; nil for none.
    let tasks: TaskScoring?
    let onEvent: (RunEvent) -> Void
    /// The run's folder, held by this process until the value dies.
    let held: HeldRun
    /// The model and its optimizer.
    public let trainer: Trainer

    /// The recipe's text with every value, kept in the run and in each checkpoint.
    var resolvedRecipe: String
    /// The digest of the recipe's values.
    var recipeDigest: String
    /// The checkpoints of other runs that this one comes from, the oldest first.
    var ancestors: [CheckpointAncestor] = []
    var lastSavedStep: Int?
    /// The judge of steps that are not applied.
    var judge: StepJudge
    /// A batch of the last step, to check that the model has a finite loss.
    var lastBatch: Batch?
    /// The problem with the last validation; nil if there was none.
    var validationProblem: String?
    /// Whether a save waits for a step that is applied.
    var isSaveDue = false

    var folder: RunFolder { held.folder }

    /// Opens the data, draws or loads the weights, and only then writes to the run folder.
    ///
    /// - Parameters:
    ///   - document: a recipe.
    ///   - held: the run folder.
    ///   - existing: the choice for an old run.
    ///   - branch: the checkpoint to begin from; nil for none. A resumed run ignores it.
    ///   - threadCount: at least 1.
    ///   - onEvent: takes each event.
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
        let plan = RunPlan(recipe, document: document)
        data = try recipe.openedData(plan)
        let tokenizer = try data.sources[0].tokenizer()
        if tokenizer.vocabularyCount > recipe.model.vocabSize {
            throw TrainError.vocabularyTooSmall(
                model: recipe.model.vocabSize, tokenizer: tokenizer.vocabularyCount)
        }
        tasks = try TaskScoring(recipe.evaluation) { tokenizer }
        try MemoryPlan.requireFit(recipe, threadCount: threadCount, tasks: tasks)
        let state = try Self.state(of: held.folder, existing)
        let source = try Self.checkpoint(
            of: held.folder, state, existing, branch: branch, onEvent: onEvent)
        let device = Device(threadCount: threadCount, precision: recipe.train.precision)
        trainer = try Trainer(recipe, on: device, initialize: source == nil)
        evaluator = Evaluator(model: trainer.model, tokenizer: tokenizer, device: device)
        judge = StepJudge(
            EventLog(held.folder, recipe: recipe, data: data),
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
                    sources: PlannedSource.all(of: data, plan), threadCount: device.threadCount,
                    precision: device.precision, wantedPrecision: recipe.train.precision)))
    }

    /// The step after which this run itself begins.
    var firstStep: Int { ancestors.last?.step ?? 0 }
}
