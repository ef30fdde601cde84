import FalconCheckpoint
import FalconData
import FalconInterchange
import FalconJSON
import FalconModel
import FalconRanks
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTokenizer

/// A checkpoint that a run continues from.
struct RunSource {
    let checkpoint: Checkpoint
    /// The record of the parent of a branch; nil for a run that is resumed.
    let ancestor: CheckpointAncestor?
}

/// What the leader of a run found in its folder, for all ranks.
struct RunOrigin: Codable {
    /// The state of the folder.
    let state: RunState
    /// The checkpoint to continue from; nil to begin at the first step.
    let path: String?
    /// The digest of its manifest.
    let manifestDigest: String
    /// The record of the parent of a branch.
    let ancestor: CheckpointAncestor?
}

// The start of a run.
extension PretrainingRun {
    /// The state of the folder, if the request allows it.
    static func state(of folder: RunFolder, _ existing: ExistingRun) throws -> RunState {
        let state = try folder.state()
        switch (existing, state) {
        case (_, .blank), (.resume, _), (.overwrite, .begun), (.overwrite, .saved): return state
        case (.refuse, .begun), (.refuse, .saved): throw TrainError.runExists(path: folder.path)
        case (.refuse, .foreign), (.overwrite, .foreign):
            throw TrainError.notARun(path: folder.path)
        }
    }

    /// The state of the folder and the checkpoint to continue from, which the leader finds and verifies.
    ///
    /// - Returns: the checkpoint; nil to begin at the first step.
    static func origin(
        of folder: RunFolder, _ existing: ExistingRun, branch: BranchPoint?, _ ranks: RankGroup,
        onEvent: (RunEvent) -> Void
    ) throws -> (state: RunState, source: RunSource?) {
        var found: RunSource?
        let bytes = try ranks.fromLeader {
            let state = try state(of: folder, existing)
            found = try checkpoint(of: folder, state, existing, branch: branch, onEvent: onEvent)
            let origin = RunOrigin(
                state: state, path: found?.checkpoint.path,
                manifestDigest: found?.checkpoint.manifest.digest ?? "", ancestor: found?.ancestor)
            return Array(try jsonText(origin).utf8)
        }
        let origin = try decodedJSON(RunOrigin.self, from: bytes)
        if !ranks.isLeader, let path = origin.path {
            found = RunSource(
                checkpoint: try Checkpoint.open(path, withManifest: origin.manifestDigest),
                ancestor: origin.ancestor)
        }
        return (origin.state, found)
    }

    /// The checkpoint to continue from; nil to begin at the first step.
    private static func checkpoint(
        of folder: RunFolder, _ state: RunState, _ existing: ExistingRun, branch: BranchPoint?,
        onEvent: (RunEvent) -> Void
    ) throws -> RunSource? {
        if existing == .resume && state == .saved {
            let (newest, damaged) = try folder.checkpoints.newest()
            for error in damaged { onEvent(.damagedCheckpoint(error.description)) }
            guard let newest else {
                throw TrainError.noWholeCheckpoint(
                    path: folder.path, reasons: damaged.map(\.description))
            }
            return RunSource(checkpoint: newest, ancestor: nil)
        }
        guard let branch else { return nil }
        for text in branch.damaged { onEvent(.damagedCheckpoint(text)) }
        return RunSource(checkpoint: branch.checkpoint, ancestor: branch.ancestor)
    }

    /// Checks that the recipe may follow the one that a checkpoint was trained with, and that the data are
    /// the same.
    ///
    /// A recipe with the same values keeps its text, so that the same run writes the same bytes.
    ///
    /// - Returns: the changes, one line per value.
    func takeRecipe(_ document: RecipeDocument, against source: RunSource) throws -> [String] {
        let (checkpoint, isBranch) = (source.checkpoint, source.ancestor != nil)
        guard let text = try checkpoint.recipeText else {
            throw TrainError.noTrainingState(path: checkpoint.path)
        }
        let old = try RecipeDocument(
            resolvedYAML: text, name: checkpoint.path + "/" + CheckpointFileName.recipe)
        let differences = document.differences(from: old)
        let refused = differences.filter {
            !RecipeChange.ofData.contain($0)
                && !(isBranch
                    ? RecipeChange.isFreeInBranches($0) || RecipeChange.ofBatches.contain($0)
                    : RecipeChange.harmless.contain($0))
        }
        guard refused.isEmpty else {
            let lines = refused.map(\.description)
            throw isBranch
                ? TrainError.branchChanged(path: checkpoint.path, differences: lines)
                : TrainError.recipeChanged(path: checkpoint.path, differences: lines)
        }
        let dataChanges = try requireSameData(as: checkpoint, old.decode(TrainingRecipe.self))
        if isBranch { try requireSteps(after: checkpoint, differences) }
        if differences.isEmpty {
            resolvedRecipe = text
            recipeDigest = checkpoint.manifest.recipeDigest
        }
        return differences.map(\.description) + dataChanges
    }

    /// Checks that the recipe draws the same samples up to a checkpoint.
    ///
    /// - Returns: data sets for the steps to come that are others now, one line each.
    private func requireSameData(
        as checkpoint: Checkpoint, _ old: TrainingRecipe
    ) throws -> [String] {
        let state = try checkpoint.bytes(of: CheckpointFileName.state).map {
            try TrainingState(decoding: $0, path: checkpoint.path)
        }
        let (tokens, known) = (checkpoint.manifest.tokens, checkpoint.manifest.dataDigest)
        // Checkpoints of one data set name its digest in the manifest alone.
        let digests = state?.data ?? [old.data.path: known]
        let drawn = SampleStream.StageHistory.stages(
            of: old.data, firstTokens: RunPlan(old).stageStarts, until: tokens
        ) { digests[$0] }
        let ours = data.digests(of: recipe.data)
        let planned = SampleStream.StageHistory.stages(
            of: recipe.data, firstTokens: trainer.plan.stageStarts, until: tokens
        ) { ours[$0] }
        let others = recipe.data.paths.filter { digests[$0] != nil && digests[$0] != ours[$0] }
        if drawn == planned {
            return others.map {
                "the data at \($0), for the steps to come: was \((digests[$0] ?? "").prefix(8)), now "
                    + "\((ours[$0] ?? "").prefix(8))"
            }
        }
        if old.data.paths.count == 1 && recipe.data.paths.count == 1, known != data.digest {
            throw TrainError.dataChanged(
                path: recipe.data.paths[0], got: data.digest, want: known)
        }
        if let path = others.first, let got = ours[path], let want = digests[path] {
            throw TrainError.dataChanged(path: path, got: got, want: want)
        }
        let names = Dictionary((digests.map { ($1, $0) } + ours.map { ($1, $0) })) { _, ours in ours
        }
        func lines(_ stages: [SampleStream.StageHistory]?) -> [String] {
            (stages ?? []).map { stage in
                "from token \(stage.firstToken): sequences of \(stage.sequenceLength), "
                    + zip(stage.digests, stage.weights).map { digest, weight in
                        let place = names[digest].map { "\($0) (\(digest.prefix(8)))" }
                        return "\(weight) of " + (place ?? String(digest.prefix(8)))
                    }.joined(separator: ", ")
            }
        }
        throw TrainError.drawnDataChanged(
            path: checkpoint.path, tokens: tokens, got: lines(planned), want: lines(drawn))
    }

    /// Checks that a branch counts tokens as its parent did, and has something left to do.
    private func requireSteps(
        after checkpoint: Checkpoint, _ differences: [RecipeDifference]
    ) throws {
        let (step, tokens) = (checkpoint.manifest.step, checkpoint.manifest.tokens)
        guard trainer.plan.batches.tokens(afterStep: step) == tokens else {
            throw TrainError.branchChanged(
                path: checkpoint.path,
                differences: differences.filter(RecipeChange.ofBatches.contain).map(\.description))
        }
        guard trainer.plan.steps > step else {
            throw TrainError.branchAtEnd(
                path: checkpoint.path, step: step, steps: trainer.plan.steps)
        }
    }

    /// Begins with the weights of a given model; learnable multipliers begin as declared.
    func takeWeights(of path: String, tokenizer: any Tokenizer) throws {
        let source = try ModelFiles.open(path)
        let differences = try source.configuration.functionalDifferences(
            from: trainer.model.configuration)
        guard differences.isEmpty else {
            throw TrainError.initialModelDiffers(path: path, differences: differences)
        }
        if let other = source.tokenizer, other.digest != tokenizer.digest,
            other.fingerprint != tokenizer.fingerprint
        {
            throw TrainError.initialTokenizerDiffers(path: path, data: data.sources[0].path)
        }
        let weights = source.weights
        try readShare { try weights.readFloats($0, elements: $1, into: &$2) }
        try trainer.gatherWeights()
    }

    /// Writes the files that make the folder a run; everything that can be wrong has been checked.
    ///
    /// A branch saves at once: from then on it no longer needs its parent. Its recipe comes after
    /// that, so that a folder with a recipe and no checkpoint is a run to begin from its first
    /// step.
    func begin(replacing isReplacing: Bool, isBranch: Bool) throws {
        if isReplacing { try held?.setAside() }
        if isBranch { try save() }
        guard ranks.isLeader else { return }
        let old = try? InputFile.contents(of: folder.recipePath)
        if old != Array(resolvedRecipe.utf8) { try folder.write(resolvedRecipe: resolvedRecipe) }
    }
}
