import FalconCheckpoint
import FalconData
import FalconEval
import FalconInterchange
import FalconModel
import FalconOptim
import FalconSystem
import FalconTensor

/// How a run ended.
public enum RunOutcome: Equatable, Sendable {
    case finished
    /// A signal or a limit of tokens asked to stop; everything is saved.
    case stopped
}

/// Something a run tells while it goes on.
public enum RunEvent: Sendable {
    case started(RunStart)
    case damagedCheckpoint(String)
    case step(StepMetrics)
    case skipped(step: Int, parameter: String?)
    case saved(path: String, seconds: Double)
}

/// What a run starts from.
public struct RunStart: Sendable {
    /// Steps done before.
    public let step: Int
    /// What follows from the recipe.
    public let plan: RunPlan
    /// Tokens of the training split.
    public let datasetTokens: Int
    /// Threads that compute.
    public let threadCount: Int
    /// What products multiply here; not what the recipe wants on a processor without bfloat16.
    public let precision: Precision
    /// What the recipe wants products to multiply.
    public let wantedPrecision: Precision
}

/// A pretraining run: data through the trainer, with validation, metrics and checkpoints.
public final class PretrainingRun {
    private let recipe: TrainingRecipe
    private let resolvedRecipe: String
    private let recipeDigest: String
    private let folder: RunFolder
    private let dataset: TokenDataset
    private let evaluator: Evaluator
    private let onEvent: (RunEvent) -> Void
    /// The model and its optimizer.
    public let trainer: Trainer

    /// Where the data goes on: sequences consumed since the beginning.
    private var dataPosition = 0
    private var skippedInARow = 0
    private var lastSavedStep: Int?

    /// Opens the data and the run folder, and draws or loads the weights.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - resolvedRecipe: its text with every value, kept in the run and in each checkpoint.
    ///   - recipeDigest: of its values.
    ///   - runPath: the run folder.
    ///   - existing: what to do with an old run.
    ///   - threadCount: at least 1.
    ///   - onEvent: told what happens.
    /// - Throws: `TrainError`, `DataError`, `CheckpointError`, `OptimizerError`, `FileError`.
    public init(
        _ recipe: TrainingRecipe, resolvedRecipe: String, recipeDigest: String, runPath: String,
        existing: ExistingRun, threadCount: Int, onEvent: @escaping (RunEvent) -> Void
    ) throws {
        self.recipe = recipe
        self.resolvedRecipe = resolvedRecipe
        self.recipeDigest = recipeDigest
        self.onEvent = onEvent
        folder = RunFolder(path: runPath)
        dataset = try TokenDataset(path: recipe.data.path)
        let tokenizer = try dataset.tokenizer()
        if tokenizer.vocabularyCount > recipe.model.vocabSize {
            throw TrainError.vocabularyTooSmall(
                model: recipe.model.vocabSize, tokenizer: tokenizer.vocabularyCount)
        }
        let plan = RunPlan(recipe)
        try MemoryPlan.requireFit(recipe, threadCount: threadCount)
        try folder.prepare(existing)
        let device = Device(threadCount: threadCount, precision: recipe.train.precision)
        trainer = try Trainer(recipe, on: device, initialize: existing != .resume)
        evaluator = Evaluator(model: trainer.model, tokenizer: tokenizer, device: device)
        if existing == .resume {
            try resume()
        } else if let path = recipe.train.initialModel {
            try takeWeights(of: path, tokenizer: tokenizer)
        }
        try folder.write(resolvedRecipe: resolvedRecipe)
        onEvent(
            .started(
                RunStart(
                    step: trainer.step, plan: plan, datasetTokens: dataset.index.train.tokens,
                    threadCount: threadCount, precision: device.precision,
                    wantedPrecision: recipe.train.precision)))
    }

    /// Trains to the end of the recipe, or until a signal asks to stop.
    ///
    /// - Parameter untilTokens: stop after the step that reaches so many; nil for the end.
    /// - Returns: how it ended; either way the state is saved.
    /// - Throws: `TrainError.diverged`, `DataError`, `FileError`; the last save then stands.
    public func run(untilTokens: Int? = nil) throws -> RunOutcome {
        let metrics = try MetricsFile(path: folder.metricsPath, keepingStepsTo: trainer.step)
        let loader = try BatchLoader(
            dataset: dataset, split: .train, sequenceLength: recipe.data.sequenceLength,
            sequencesPerBatch: recipe.train.microBatchSequences, seed: recipe.seed,
            position: dataPosition)
        let start = monotonicSeconds()
        while trainer.step < trainer.plan.steps {
            if Signals.stopRequested || trainer.tokens >= untilTokens ?? .max {
                if lastSavedStep != trainer.step { try save() }
                return .stopped
            }
            let stepStart = monotonicSeconds()
            let planned = trainer.nextStep
            let batches = try (0..<planned.microBatches).map { _ in try loader.next() }
            let dataWait = monotonicSeconds() - stepStart
            let result = trainer.step(batches)
            dataPosition = batches[batches.count - 1].position
            var line = StepMetrics(
                planned,
                loss: result.loss.isFinite ? result.loss : nil,
                gradientNorm: result.gradientNorm.isFinite ? result.gradientNorm : nil,
                tokensPerSecond: Double(planned.batchTokens) / (monotonicSeconds() - stepStart),
                elapsedSeconds: 0, dataWaitSeconds: dataWait,
                peakMemoryBytes: peakMemoryByteCount(), applied: result.isApplied ? nil : false)
            if isDue(recipe.evaluation.everySteps), let score = try validate(), score.loss.isFinite
            {
                line.validationLoss = score.loss
                line.validationBitsPerByte = score.bitsPerByte
            }
            line.multiplierGradientNorm = result.multiplierGradientNorm
            if isDue(recipe.monitor.everySteps) {
                let monitor = Monitor(trainer: trainer)
                line.matrices = monitor.matrices()
                line.activations = monitor.activations(batches[0])
            }
            line.elapsedSeconds = monotonicSeconds() - start
            try metrics.append(line)
            onEvent(.step(line))
            try checkFinite(result)
            if isDue(recipe.checkpoint.everySteps) || Signals.takeSaveRequest() { try save() }
        }
        if lastSavedStep != trainer.step { try save() }
        return .finished
    }

    /// Whether something that happens at an interval happens now; the last step always counts.
    private func isDue(_ interval: Int?) -> Bool {
        guard let interval else { return false }
        return trainer.step % interval == 0 || trainer.step == trainer.plan.steps
    }

    /// Stops after too many steps in a row that were not applied.
    private func checkFinite(_ result: StepResult) throws {
        guard !result.isApplied else {
            skippedInARow = 0
            return
        }
        skippedInARow += 1
        onEvent(.skipped(step: trainer.step, parameter: result.badParameter))
        if skippedInARow >= recipe.train.maxSkippedSteps {
            throw TrainError.diverged(
                step: trainer.step, skipped: skippedInARow, parameter: result.badParameter,
                lastSave: try folder.checkpoints.steps().last)
        }
    }

    /// The score on the validation split; nil when there is no such split or a stop was asked for.
    private func validate() throws -> TextScore? {
        guard dataset.index.validation.tokens > 1 else { return nil }
        let batches = try ValidationBatches(
            dataset: dataset, sequenceLength: recipe.data.sequenceLength,
            sequencesPerBatch: recipe.train.microBatchSequences,
            tokenLimit: recipe.evaluation.tokens
        ).makeIterator()
        let score = try evaluator.score { Signals.stopRequested ? nil : try batches.next() }
        return Signals.stopRequested ? nil : score
    }
}

// Saving and resuming.
extension PretrainingRun {
    private func save() throws {
        let start = monotonicSeconds()
        let state = TrainingState(
            step: trainer.step, tokens: trainer.tokens,
            dataPosition: dataPosition, appliedSteps: trainer.optimizer.stepCount,
            skippedInARow: skippedInARow)
        let table = trainer.model.table
        let parameters = table.modelParameters.map {
            CheckpointParameter(name: $0.name, shape: $0.shape, role: $0.role.rawValue)
        }
        let slots = trainer.trainedTensors
        let tensors = Dictionary(
            uniqueKeysWithValues: table.modelParameters.map { ($0.name, $0.value) }
                + slots.map { ($0.description.name, $0.tensor) })
        let contents = CheckpointContents(
            step: trainer.step, tokens: state.tokens, recipeDigest: recipeDigest,
            dataDigest: dataset.index.datasetDigest, parameters: parameters,
            optimizerTensors: slots.map(\.description),
            configuration: try trainer.model.exportedConfiguration.encoded(),
            state: try state.encoded(),
            recipe: Array(resolvedRecipe.utf8),
            tokenizerFiles: try dataset.tokenizerFiles().all.map { ($0.name, $0.bytes) })
        try folder.checkpoints.write(contents) { _, tensor, take in
            try tensors[tensor.name]?.withSpan(take)
        }
        try folder.checkpoints.prune(
            keepLast: recipe.checkpoint.keepLast, keepEverySteps: recipe.checkpoint.keepEverySteps)
        lastSavedStep = trainer.step
        onEvent(
            .saved(
                path: folder.checkpoints.path(ofStep: trainer.step),
                seconds: monotonicSeconds() - start))
    }

    /// Begins with the weights of a model that someone else trained; learnable multipliers begin as
    /// declared, behind them.
    private func takeWeights(of path: String, tokenizer: any Tokenizer) throws {
        let source = try ModelFiles.open(path)
        let differences = try source.configuration.functionalDifferences(
            from: trainer.model.configuration)
        guard differences.isEmpty else {
            throw TrainError.initialModelDiffers(path: path, differences: differences)
        }
        if let other = source.tokenizer, other.digest != tokenizer.digest {
            throw TrainError.initialTokenizerDiffers(path: path, data: recipe.data.path)
        }
        for parameter in trainer.model.table.modelParameters {
            try parameter.master.withMutableSpan {
                try source.weights.readFloats(
                    parameter.name, elements: 0..<parameter.count, into: &$0)
            }
        }
        trainer.model.table.materialise()
    }

    private func resume() throws {
        try folder.checkpoints.removeLeftovers()
        let (newest, damaged) = try folder.checkpoints.newest()
        for error in damaged { onEvent(.damagedCheckpoint(error.description)) }
        guard let checkpoint = newest, let optimizer = checkpoint.optimizer,
            let stateBytes = try checkpoint.bytes(of: CheckpointFileName.state)
        else { throw TrainError.nothingToResume(path: folder.path) }
        try requireSameRecipe(checkpoint)
        if checkpoint.manifest.dataDigest != dataset.index.datasetDigest {
            throw TrainError.dataChanged(
                path: recipe.data.path, got: dataset.index.datasetDigest,
                want: checkpoint.manifest.dataDigest)
        }
        let state = try TrainingState(decoding: stateBytes, path: checkpoint.path)
        let table = trainer.model.table
        try checkpoint.weights.requireExactly(
            table.modelParameters.map { TensorDescription(name: $0.name, shape: $0.shape) })
        let slots = trainer.trainedTensors
        try optimizer.requireExactly(slots.map(\.description))
        for parameter in table.modelParameters {
            try parameter.master.withMutableSpan {
                try checkpoint.weights.readFloats(parameter.name, into: &$0)
            }
        }
        // The masters of multiplied matrices take the place of what was just read.
        for slot in slots {
            try slot.tensor.withMutableSpan {
                try optimizer.readFloats(slot.description.name, into: &$0)
            }
        }
        table.materialise()
        trainer.restoreCounters(step: state.step, appliedSteps: state.appliedSteps)
        dataPosition = state.dataPosition
        skippedInARow = state.skippedInARow
        lastSavedStep = state.step
    }

    /// A changed recipe cannot be resumed: the error names the lines that differ.
    private func requireSameRecipe(_ checkpoint: Checkpoint) throws {
        guard checkpoint.manifest.recipeDigest != recipeDigest else { return }
        let bytes = try checkpoint.bytes(of: CheckpointFileName.recipe) ?? []
        // Comments name where values come from, which may differ.
        func values(_ text: String) -> [String] {
            text.split(separator: "\n").map { line in
                String(line.split(separator: "#").first ?? "").split(separator: " ")
                    .joined(separator: " ")
            }
        }
        let old = values(String(decoding: bytes, as: UTF8.self))
        let new = values(resolvedRecipe)
        throw TrainError.recipeChanged(
            path: checkpoint.path,
            differences: old.filter { !new.contains($0) }.map { "was \($0)" }
                + new.filter { !old.contains($0) }.map { "now \($0)" })
    }
}
