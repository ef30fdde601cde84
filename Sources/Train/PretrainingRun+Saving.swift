import FalconCheckpoint
import FalconData
import FalconModel
import FalconOptim
import FalconRanks
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTokenizer

// The files that a run leaves on disk.
extension PretrainingRun {
    /// Writes a checkpoint of the last step, all ranks at once, and removes those that are no longer wanted.
    func save() throws {
        let start = monotonicSeconds()
        ranks.note("saving step \(trainer.step)")
        let contents = try checkpointContents()
        let path = folder.checkpoints.path(ofStep: trainer.step)
        var writer: CheckpointWriter?
        // The others write into the folder when it is there.
        let partial = try ranks.fromLeader {
            let begun = try folder.checkpoints.writer(
                contents, optimizerByteLimit: optimizerFileByteLimit)
            let partial = begun.partialPath
            writer = consume begun
            return Array(partial.utf8)
        }
        let files = try TensorFileExchange(trainer).write(
            CheckpointWriter.files(of: contents, optimizerByteLimit: optimizerFileByteLimit),
            in: String(decoding: partial, as: UTF8.self))
        if let writer = writer.take() {
            _ = try writer.finish(files)
            try held?.removeReplaced()
            // While steps are skipped, no earlier checkpoint is removed.
            if judge.skippedInARow == 0 {
                try folder.checkpoints.prune(
                    keepLast: recipe.checkpoint.keepLast,
                    keepEverySteps: recipe.checkpoint.keepEverySteps, upTo: trainer.step)
            }
        }
        // From here on the save stands, whatever becomes of a rank.
        try ranks.meet()
        lastSavedStep = trainer.step
        onEvent(.saved(path: path, seconds: monotonicSeconds() - start))
    }

    private func checkpointContents() throws -> CheckpointContents {
        let state = TrainingState(
            step: trainer.step, tokens: trainer.tokens,
            data: data.digests(of: recipe.data), appliedSteps: trainer.optimizer.stepCount,
            skippedInARow: judge.skippedInARow, spikeHistory: trainer.spikeGuard?.history)
        let parameters = trainer.model.table.modelParameters.map {
            CheckpointParameter(name: $0.name, shape: $0.shape, role: $0.role.rawValue)
        }
        return CheckpointContents(
            step: trainer.step, tokens: state.tokens, recipeDigest: recipeDigest,
            dataDigest: data.digest, ancestors: ancestors, parameters: parameters,
            optimizerTensors: trainer.trainedTensors.map(\.description),
            configuration: try trainer.model.exportedConfiguration.encoded(),
            state: try state.encoded(),
            recipe: Array(resolvedRecipe.utf8),
            tokenizerFiles: try data.sources[0].tokenizerFiles().all.map { ($0.name, $0.bytes) })
    }

    /// Saves the changes since the last save, if they are finite, as all checkpoints are.
    ///
    /// - Parameter isEnd: whether the run ends here, and must have learned something.
    /// - Throws: `TrainError.diverged`, `FileError`.
    func saveIfSound(isEnd: Bool = false) throws {
        guard lastSavedStep != trainer.step else { return }
        if let problem = try trainer.stateProblem(probing: lastBatch, isEnd: isEnd) {
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
        let tensors = trainer.trainedTensors
        try optimizer.requireExactly(tensors.map(\.description))
        let pieces = trainer.piecesByParameter
        try readShare { try checkpoint.weights.readFloats($0, elements: $1, into: &$2) }
        // Masters and multipliers are among the trained tensors.
        for tensor in tensors {
            let first = table.elements(of: tensor.parameter).lowerBound
            for piece in pieces[tensor.parameter] where trainer.isOwn(piece) {
                let start = piece.elements.lowerBound - first
                try trainer.values(of: tensor, piece.elements).upload { elements, values in
                    try optimizer.readFloats(
                        tensor.description.name,
                        elements: start + elements.lowerBound..<start + elements.upperBound,
                        into: &values)
                }
            }
        }
        try trainer.gatherWeights()
        if let name = try trainer.firstTensorNotFinite() {
            throw TrainError.notFinite(path: checkpoint.path, tensor: name)
        }
        trainer.restoreCounters(
            step: state.step, appliedSteps: state.appliedSteps, history: state.spikeHistory)
        judge.skippedInARow = state.skippedInARow
        lastSavedStep = state.step
    }

    /// Sets the masters of this rank's share, multipliers left out, to given weights.
    ///
    /// - Parameter read: gives elements of a parameter by its name.
    /// - Throws: errors of `read`.
    func readShare(
        _ read: (_ name: String, _ elements: Range<Int>, _ values: inout MutableSpan<Float>) throws
            -> Void
    ) throws {
        let table = trainer.model.table
        let pieces = trainer.piecesByParameter
        for (index, parameter) in table.modelParameters.enumerated() {
            let first = table.elements(of: index).lowerBound
            for piece in pieces[index] where trainer.isOwn(piece) {
                let start = piece.elements.lowerBound - first
                try table.masters(piece.elements).upload { elements, values in
                    try read(
                        parameter.name,
                        start + elements.lowerBound..<start + elements.upperBound, &values)
                }
            }
        }
    }
}
