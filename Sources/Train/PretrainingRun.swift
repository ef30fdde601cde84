import FalconCheckpoint
import FalconData
import FalconEval
import FalconInterchange
import FalconModel
import FalconOptim
import FalconRanks
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
    /// The run's folder.
    let folder: RunFolder
    /// Holds the folder until the value dies; nil where the leader does.
    let held: HeldRun?
    /// The ranks that train together.
    let ranks: RankGroup
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
    /// The size above which the optimizer's state is split into files; tests make it small.
    var optimizerFileByteLimit = CheckpointWriter.optimizerByteLimit

    /// Opens the data, draws or loads the weights, and only then writes to the run folder.
    ///
    /// - Parameters:
    ///   - request: a request that was opened: the recipe, the folder and the parent of a branch.
    ///   - ranks: the ranks that train together; all of them do this.
    ///   - threadCount: at least 1.
    ///   - onEvent: takes each event.
    /// - Throws: `RecipeError`, `TrainError`, `DataError`, `TokenizerError`, `CheckpointError`,
    ///   `OptimizerError`, `FileError`, `RankFailure`. The folder is then as it was.
    public init(
        _ request: OpenedRun, ranks: RankGroup = RankGroup(), threadCount: Int,
        onEvent: @escaping (RunEvent) -> Void
    ) throws {
        let (document, existing) = (request.document, request.existing)
        recipe = try document.decode(TrainingRecipe.self)
        guard ranks.count <= recipe.train.leaves || ranks.count == 1 else {
            throw TrainError.tooManyRanks(ranks: ranks.count, leaves: recipe.train.leaves)
        }
        resolvedRecipe = document.resolvedYAML()
        recipeDigest = document.digest
        (folder, held, self.ranks) = (request.folder, request.held, ranks)
        self.onEvent = onEvent
        let plan = RunPlan(recipe, document: document)
        data = try recipe.openedData(plan)
        let tokenizer = try data.sources[0].tokenizer()
        if tokenizer.vocabularyCount > recipe.model.vocabSize {
            throw TrainError.vocabularyTooSmall(
                model: recipe.model.vocabSize, tokenizer: tokenizer.vocabularyCount)
        }
        tasks = try TaskScoring(recipe.evaluation) { tokenizer }
        try MemoryPlan.requireFit(recipe, threadCount: threadCount, tasks: tasks, ranks: ranks)
        let device = Device(threadCount: threadCount, precision: recipe.train.precision)
        var agreement = RankAgreement()
        agreement.add("the recipe", recipeDigest)
        agreement.add("the data", data.digest)
        agreement.add("the tasks", tasks?.digest ?? "none")
        agreement.add("products", device.precision.rawValue)
        try agreement.check(ranks)
        let (state, source) = try Self.origin(
            of: folder, existing, branch: request.parent, ranks, onEvent: onEvent)
        trainer = try Trainer(recipe, on: device, initialize: source == nil, ranks: ranks)
        evaluator = Evaluator(model: trainer.model, tokenizer: tokenizer, device: device)
        judge = StepJudge(
            ranks.isLeader ? EventLog(folder, recipe: recipe, data: data) : nil,
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
