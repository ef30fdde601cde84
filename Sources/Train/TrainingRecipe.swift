import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconRecipeSection
import FalconTensor

/// A whole recipe for pretraining, as decoded from YAML.
public struct TrainingRecipe: RecipeSection, Equatable {
    /// The name of the run folder.
    public var name: String
    /// The seed of the initial weights and of the order of the data.
    public var seed: UInt64
    /// The place and form of the tokens.
    public var data: DataSection
    /// Sizes and multipliers.
    public var model: ModelConfiguration
    /// The choice of the scales of matrices.
    public var parametrization: ParametrizationSection
    /// The update rule.
    public var optimizer: OptimizerSection
    /// Learning rate and weight decay over the run.
    public var schedule: ScheduleSection
    /// The length of the run and its batches.
    public var train: TrainSection
    /// The times of saving.
    public var checkpoint: CheckpointSection
    /// The times of validation.
    public var evaluation: EvaluationSection
    /// The times of measuring norms.
    public var monitor: MonitorSection

    /// The key of each part.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case name, seed, data, model, parametrization, optimizer, schedule, train, checkpoint,
            evaluation, monitor
    }

    /// The conflicts between the parts; empty if there are none.
    public func problems() -> [RecipeProblem] {
        if let problem = nameProblem { return [problem] }
        // Parts with problems of their own are not compared.
        guard data.problems().isEmpty, train.problems().isEmpty else { return [] }
        let sequenceBatch = data.sequenceLength * train.microBatchSequences
        var found: [RecipeProblem] = []
        if train.batchTokens % sequenceBatch != 0 {
            found.append(
                RecipeProblem(
                    key: "train",
                    "batch_tokens is \(train.batchTokens), want a multiple of "
                        + "micro_batch_sequences · data.sequence_length = \(sequenceBatch)"))
        } else if let problem = train.batchRamp?.problem(
            batchTokens: train.batchTokens, microBatchTokens: sequenceBatch)
        {
            found.append(RecipeProblem(key: "train", "batch_ramp: " + problem))
        }
        for (place, stage) in (data.stages ?? []).enumerated() {
            guard let length = stage.sequenceLength, sequenceBatch % length != 0 else { continue }
            found.append(
                RecipeProblem(
                    key: "data.stages.\(place).sequence_length",
                    "got \(length), want a divisor of train.micro_batch_sequences · data.sequence_length = "
                        + "\(sequenceBatch), the tokens of a micro-batch in every stage"))
        }
        let microBatches = max(1, train.batchTokens / sequenceBatch)
        if train.leaves > microBatches {
            found.append(
                RecipeProblem(
                    key: "train",
                    "leaves is \(train.leaves), want at most batch_tokens / (micro_batch_sequences · "
                        + "data.sequence_length) = \(microBatches), the micro-batches of a step"))
        }
        // Rows are counted in 32 bits, and a plan visits all of them.
        let rowLimit = 1 << 24
        if sequenceBatch > rowLimit {
            found.append(
                RecipeProblem(
                    key: "train",
                    "micro_batch_sequences · data.sequence_length is \(sequenceBatch), want at most "
                        + "\(rowLimit)"))
        }
        if parametrization.usesWidthLaws && !model.architecture.hasWidthLaws {
            let withLaws = Architecture.allCases.filter { $0.hasWidthLaws }
                .map { $0.rawValue }.joined(separator: ", ")
            found.append(
                RecipeProblem(
                    key: "parametrization",
                    "the width laws of \(parametrization.kind.rawValue) are known for \(withLaws) "
                        + "only, not for \(model.architecture.rawValue); use kind: standard or learnable "
                        + "with start: one"))
        } else if parametrization.usesWidthLaws && !model.sizes.hasUnitMultipliers {
            found.append(
                RecipeProblem(
                    key: "parametrization",
                    "the multipliers of \(parametrization.kind.rawValue) follow from base, but model has "
                        + "multipliers of its own; leave those at 1.0"))
        } else if parametrization.usesWidthLaws {
            // Its own numbers were judged with the model.
            found += parametrization.resolved(model).problems().map {
                RecipeProblem(
                    key: "parametrization", "base gives model.\($0.key ?? ""): \($0.message)")
            }
        }
        let lengths =
            [(CodingKeys.data.stringValue, data.sequenceLength)]
            + (data.stages ?? []).enumerated().compactMap { place, stage in
                stage.sequenceLength.map { ("data.stages.\(place)", $0) }
            }
        for (key, length) in lengths where length > model.maxPositionEmbeddings {
            found.append(
                RecipeProblem(
                    key: key,
                    "sequence_length is \(length), more than model.max_position_embeddings = "
                        + "\(model.maxPositionEmbeddings)"))
        }
        return found
    }
}

extension TrainingRecipe {
    /// A name is one component of the path `runs/NAME`.
    private var nameProblem: RecipeProblem? {
        let limit = 200
        let isPlain =
            !name.isEmpty && name != "." && name != ".." && name.utf8.count <= limit
            && name.unicodeScalars.allSatisfy { $0 != "/" && $0.value >= 0x20 && $0.value != 0x7F }
        return isPlain
            ? nil
            : RecipeProblem(
                key: CodingKeys.name.stringValue,
                "got \"\(name)\", want the name of a folder in runs: 1 to \(limit) bytes without /")
    }

    /// The settings that make the model `width` wide, with every other width in proportion.
    ///
    /// - Parameter width: the new `hidden_size`.
    /// - Returns: `model.key=value` each.
    /// - Throws: `TrainError.widthDoesNotScale` if a count would not be whole.
    public func settings(scaledToWidth width: Int) throws(TrainError) -> [String] {
        guard let settings = model.sizes.settings(scaledToWidth: width) else {
            throw .widthDoesNotScale(width: width, hiddenSize: model.hiddenSize)
        }
        return settings
    }

    /// Whether runs of another recipe score the same documents in the same tokens.
    ///
    /// - Parameter other: the other recipe.
    /// - Returns: true for equal sections of evaluation and the same data sets.
    public func scoresTasks(like other: TrainingRecipe) -> Bool {
        evaluation == other.evaluation && data.paths == other.data.paths
    }

    /// The update rule, with a group for the learnable multipliers if there are any.
    public var optimizerWithMultipliers: OptimizerSection {
        guard parametrization.multipliers != nil else { return optimizer }
        var section = optimizer
        section.groups.insert(
            OptimizerGroup(
                roles: [.multiplier], learningRate: parametrization.learningRate,
                weightDecay: parametrization.weightDecay,
                isClipped: parametrization.inClipNorm), at: 0)
        return section
    }
}

/// The `train` part of a recipe: the length of the run and its batches.
public struct TrainSection: RecipeSection, Codable, Equatable {
    /// Tokens of the whole run, rounded up to whole steps; or nil when `steps` is given.
    public var tokens: Int?
    /// Steps of the whole run; or nil when `tokens` is given.
    public var steps: Int?
    /// Tokens of one optimizer step; with a ramp, of those after it.
    public var batchTokens: Int
    /// Smaller steps at the beginning; nil is off.
    public var batchRamp: BatchRampSection?
    /// Sequences that the model takes at once; a step has as many micro-batches as it needs.
    public var microBatchSequences: Int
    /// Groups of neighbouring micro-batches, each summed on its own, then added in their order;
    /// with more than one, a second buffer of gradients is kept.
    public var leaves: Int
    /// The norm of all gradients together above which they are scaled down; nil is off.
    public var clipNorm: Double?
    /// Weight of the squared log of the softmax's sum in the loss; 0 is off.
    public var zLoss: Double
    /// The type of the factors in products; float32 on a processor without bfloat16.
    public var precision: Precision
    /// The activations of a block kept for backward.
    public var recompute: Recompute
    /// The number of steps in a row that are not applied after which the run stops.
    public var maxSkippedSteps: Int
    /// The limit beyond which a finite step is not applied; nil is off.
    public var spikeGuard: SpikeGuardSection?
    /// A model whose weights the run begins with: a checkpoint, run, Hugging Face folder or GGUF file;
    /// nil for newly drawn weights.
    public var initialModel: String?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case tokens, steps
        case batchTokens = "batch_tokens"
        case batchRamp = "batch_ramp"
        case microBatchSequences = "micro_batch_sequences"
        case leaves
        case clipNorm = "clip_norm"
        case zLoss = "z_loss"
        case precision, recompute
        case maxSkippedSteps = "max_skipped_steps"
        case spikeGuard = "spike_guard"
        case initialModel = "initial_model"
    }

    /// Buffers of gradients that a run keeps.
    var gradientBufferCount: Int { leaves > 1 ? 2 : 1 }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        let counts: [(CodingKeys, Int?)] = [
            (.tokens, tokens), (.steps, steps), (.batchTokens, batchTokens),
            (.microBatchSequences, microBatchSequences), (.leaves, leaves),
            (.maxSkippedSteps, maxSkippedSteps),
        ]
        for (key, value) in counts {
            if let problem = countProblem(key, value) { found.append(problem) }
        }
        if (tokens == nil) == (steps == nil) {
            found.append(
                RecipeProblem(
                    key: "tokens",
                    tokens == nil
                        ? "neither tokens nor steps is given; give one"
                        : "both tokens and steps are given; set the other to null"))
        }
        if let clipNorm, clipNorm <= 0 {
            found.append(RecipeProblem(key: "clip_norm", "got \(clipNorm), want more than 0"))
        }
        if zLoss < 0 { found.append(RecipeProblem(key: "z_loss", "got \(zLoss), want 0 or more")) }
        found += [
            float32Problem(CodingKeys.zLoss, zLoss),
            clipNorm.flatMap { float32Problem(CodingKeys.clipNorm, $0) },
        ].compactMap { $0 }
        return found
    }
}

/// The `checkpoint` part of a recipe.
public struct CheckpointSection: RecipeSection, Codable, Equatable {
    /// Steps from one save to the next; the last step is always saved.
    public var everySteps: Int
    /// The number of newest checkpoints to keep.
    public var keepLast: Int
    /// Checkpoints of steps divisible by this are never removed; nil for none.
    public var keepEverySteps: Int?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case everySteps = "every_steps"
        case keepLast = "keep_last"
        case keepEverySteps = "keep_every_steps"
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        let counts: [(CodingKeys, Int?)] = [
            (.everySteps, everySteps), (.keepLast, keepLast), (.keepEverySteps, keepEverySteps),
        ]
        return counts.compactMap(countProblem)
    }
}

/// The `evaluation` part of a recipe: validation and tasks during the run.
public struct EvaluationSection: RecipeSection, Codable, Equatable {
    /// Steps from one validation to the next; nil for none.
    public var everySteps: Int?
    /// Tokens of the validation split that are scored each time; nil for all.
    public var tokens: Int?
    /// Tasks, groups and suites that are scored each time, as for `falcon eval --tasks`; nil for none.
    public var tasks: [String]?
    /// The folder of the tasks' files.
    public var tasksPath: String
    /// Examples before each document; nil for as many as is usual for the task.
    public var shots: Int?
    /// Documents of each task, from the start of its file; nil for all.
    public var documents: Int?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case everySteps = "every_steps"
        case tokens, tasks
        case tasksPath = "tasks_path"
        case shots, documents
    }

    /// The tasks with their examples; nil for none.
    var selection: TaskSelection? {
        get throws(EvaluationError) {
            guard let tasks, !tasks.isEmpty else { return nil }
            return try TaskSelection(tasks.joined(separator: ","), shots: shots)
        }
    }

    /// The names of the tasks, groups and suites that are scored.
    public var scoredNames: [String] {
        everySteps == nil ? [] : (try? selection)?.names ?? []
    }

    /// The reason why runs have no score of a task and a metric; nil if they have.
    ///
    /// - Parameters:
    ///   - name: of a task, group or suite.
    ///   - metric: its metric.
    /// - Returns: the reason, with what to do.
    public func problem(scoreOf name: String, _ metric: String) -> String? {
        guard let selection = try? selection else {
            return "the runs score no task; add \(name) to evaluation.tasks"
        }
        return selection.problem(scoreOf: name, metric).map {
            $0 + "; the runs score \(scoredNames.joined(separator: ", "))"
        }
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        let counts: [(CodingKeys, Int?)] = [
            (.everySteps, everySteps), (.tokens, tokens), (.documents, documents),
        ]
        var problems = counts.compactMap(countProblem)
        if let shots, shots < 0 {
            problems.append(RecipeProblem(key: "shots", "got \(shots), want 0 or more"))
        }
        do {
            if try selection != nil && everySteps == nil {
                problems.append(
                    RecipeProblem(
                        key: "tasks",
                        "tasks are scored every every_steps steps, but that is null; set it, or set tasks "
                            + "to null"))
            }
        } catch {
            problems.append(RecipeProblem(key: "tasks", error.description))
        }
        return problems
    }
}

/// The problem with a count in a recipe; nil is no count.
func countProblem(_ key: some CodingKey, _ value: Int?) -> RecipeProblem? {
    guard let value else { return nil }
    if value < 1 { return RecipeProblem(key: key.stringValue, "got \(value), want at least 1") }
    // Far above any run, so that products of counts cannot overflow.
    let limit = key.stringValue == "tokens" ? 1_000_000_000_000_000 : Int(Int32.max)
    if value > limit {
        return RecipeProblem(key: key.stringValue, "got \(value), want at most \(limit)")
    }
    return nil
}
