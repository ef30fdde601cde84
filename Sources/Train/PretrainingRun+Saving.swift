import FalconCheckpoint
import FalconData
import FalconModel
import FalconOptim
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTokenizer

// The files that a run leaves on disk.
extension PretrainingRun {
    /// Writes a checkpoint of the last step, and removes those that are no longer wanted.
    func save() throws {
        let start = monotonicSeconds()
        let state = TrainingState(
            step: trainer.step, tokens: trainer.tokens,
            data: data.digests(of: recipe.data), appliedSteps: trainer.optimizer.stepCount,
            skippedInARow: judge.skippedInARow, spikeHistory: trainer.spikeGuard?.history)
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
            dataDigest: data.digest, ancestors: ancestors, parameters: parameters,
            optimizerTensors: slots.map(\.description),
            configuration: try trainer.model.exportedConfiguration.encoded(),
            state: try state.encoded(),
            recipe: Array(resolvedRecipe.utf8),
            tokenizerFiles: try data.sources[0].tokenizerFiles().all.map { ($0.name, $0.bytes) })
        try folder.checkpoints.write(contents) { _, tensor, take in
            try tensors[tensor.name]?.download(take)
        }
        try held.removeReplaced()
        // While steps are skipped, no earlier checkpoint is removed.
        if judge.skippedInARow == 0 {
            try folder.checkpoints.prune(
                keepLast: recipe.checkpoint.keepLast,
                keepEverySteps: recipe.checkpoint.keepEverySteps, upTo: trainer.step)
        }
        lastSavedStep = trainer.step
        onEvent(
            .saved(
                path: folder.checkpoints.path(ofStep: trainer.step),
                seconds: monotonicSeconds() - start))
    }

    /// Saves the changes since the last save, if they are finite, as all checkpoints are.
    ///
    /// - Parameter isEnd: whether the run ends here, and must have learned something.
    /// - Throws: `TrainError.diverged`, `FileError`.
    func saveIfSound(isEnd: Bool = false) throws {
        guard lastSavedStep != trainer.step else { return }
        if let problem = trainer.stateProblem(probing: lastBatch, isEnd: isEnd) {
            throw try divergence(problem)
        }
        try save()
    }

    /// Saves if a save is due, once a step is applied, as that shows that training can continue.
    func saveIfDue() throws {
        guard isSaveDue && judge.lastReason == nil else { return }
        isSaveDue = false
        try saveIfSound(isEnd: trainer.step == trainer.plan.steps)
    }

    /// The error of a run that cannot continue: its steps, or its state, are not finite.
    func divergence(_ state: String? = nil) throws -> TrainError {
        .diverged(
            judge.divergence(
                step: trainer.step, lastSave: try folder.checkpoints.steps().last, state: state))
    }

    /// Sets weights, the optimizer's state and all counters to those of a checkpoint.
    func restore(from checkpoint: Checkpoint) throws {
        guard let optimizer = checkpoint.optimizer,
            let stateBytes = try checkpoint.bytes(of: CheckpointFileName.state)
        else { throw TrainError.noTrainingState(path: checkpoint.path) }
        let state = try TrainingState(decoding: stateBytes, path: checkpoint.path)
        let table = trainer.model.table
        try checkpoint.weights.requireExactly(
            table.modelParameters.map { TensorDescription(name: $0.name, shape: $0.shape) })
        let slots = trainer.trainedTensors
        try optimizer.requireExactly(slots.map(\.description))
        for parameter in table.modelParameters {
            try parameter.master.upload { elements, values in
                try checkpoint.weights.readFloats(parameter.name, elements: elements, into: &values)
            }
        }
        // The masters of multiplied matrices replace the weights just read.
        for slot in slots {
            try slot.tensor.upload { elements, values in
                try optimizer.readFloats(
                    slot.description.name, elements: elements, into: &values)
            }
        }
        table.materialise()
        if let name = trainer.firstTensorNotFinite() {
            throw TrainError.notFinite(path: checkpoint.path, tensor: name)
        }
        trainer.restoreCounters(
            step: state.step, appliedSteps: state.appliedSteps, history: state.spikeHistory)
        judge.skippedInARow = state.skippedInARow
        lastSavedStep = state.step
    }
}
