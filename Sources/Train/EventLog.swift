import FalconData
import FalconJSON
import FalconRunRecord
import FalconSystem

/// Writes the black boxes of steps that were not applied: `RUN/events/step-N.json`.
struct EventLog {
    /// Tokens of a document to show: enough to recognise it.
    private static let shownTokens = 24

    private let folder: RunFolder
    private let recipe: TrainingRecipe
    private let dataset: TokenDataset
    /// Events that are written and wait for the next applied step.
    private var open: [StepEvent] = []

    /// The events of a run.
    init(_ folder: RunFolder, recipe: TrainingRecipe, dataset: TokenDataset) {
        (self.folder, self.recipe, self.dataset) = (folder, recipe, dataset)
    }

    /// Removes the events of later steps, which will be done again.
    func removeLater(than step: Int) throws {
        for later in try folder.eventSteps() where later > step {
            try removeFile(folder.eventPath(ofStep: later))
        }
    }

    /// Whether an event waits for the sizes of the next applied step.
    var isOpen: Bool { !open.isEmpty }

    /// Writes the event of a step that was not applied.
    ///
    /// - Parameters:
    ///   - result: the result of the step, with sizes by parameter.
    ///   - planned: the step.
    ///   - firstPosition: samples consumed before it.
    ///   - spikeGuard: the guard that judged the step; nil for none.
    /// - Returns: the event, and the file that holds it.
    /// - Throws: `FileError` or `DataError` if it cannot be written, or the data not be read.
    mutating func write(
        _ result: StepResult, _ planned: StepPlan, firstPosition: Int, _ spikeGuard: SpikeGuard?
    ) throws -> (event: StepEvent, path: String) {
        let finder = try DocumentFinder(dataset, split: .train)
        let length = recipe.data.sequenceLength
        // The same order as in the loader.
        let order = SampleOrder(
            datasetDigest: dataset.index.datasetDigest, seed: recipe.seed,
            sampleCount: (finder.tokenCount - 1) / length)
        let rows = recipe.train.microBatchSequences
        let microBatches = try result.microBatches.enumerated().map { place, batch in
            let first = firstPosition + place * rows
            return StepEvent.MicroBatch(
                number: place + 1, loss: batch.loss, targets: batch.targets,
                sequences: try (first..<first + rows).map {
                    try sequence(order.sample(at: $0), finder)
                })
        }
        let worst = microBatches.filter { $0.targets > 0 }.max { Self.isBelow($0.loss, $1.loss) }
        let documents = worst?.sequences.flatMap(\.documents).map { "\($0.firstToken)" }
        let event = StepEvent(
            step: planned.step, tokens: planned.tokens,
            reason: result.skipReason ?? .notFinite, loss: result.loss,
            gradientNorm: result.gradientNorm,
            multiplierGradientNorm: result.multiplierGradientNorm,
            learningRate: result.learningRate, parameter: result.parameter,
            microBatch: worst?.number,
            history: spikeGuard.map { Self.history($0, result) }, microBatches: microBatches,
            parameters: result.norms, data: recipe.data.path,
            command: documents.map {
                (["falcon", "documents", quotedForShell(recipe.data.path)] + $0)
                    .joined(separator: " ")
            })
        let file = try save(event)
        open.append(event)
        return (event, file)
    }

    /// Adds the next applied step to the events that wait for it.
    mutating func close(_ result: StepResult, step: Int) throws {
        for var event in open {
            event.after = StepEvent.After(
                step: step, loss: result.loss, gradientNorm: result.gradientNorm,
                parameters: result.norms)
            _ = try save(event)
        }
        open = []
    }

    private func save(_ event: StepEvent) throws -> String {
        try createFolder(folder.eventsPath)
        let name = folder.eventPath(ofStep: event.step)
        var file = try AtomicFile(path: name)
        try file.write(try jsonText(event, isPretty: true) + "\n")
        try file.commit()
        return name
    }

    /// Orders losses, those that are not finite last.
    private static func isBelow(_ a: Double, _ b: Double) -> Bool {
        guard a.isFinite else { return false }
        return !b.isFinite || a < b
    }

    private static func history(_ spikeGuard: SpikeGuard, _ result: StepResult) -> StepEvent.History
    {
        StepEvent.History(
            window: spikeGuard.section.window, limit: spikeGuard.section.limit,
            loss: spikeGuard.lossScore(result.loss),
            gradientNorm: spikeGuard.gradientScore(result.gradientNorm),
            losses: spikeGuard.history.losses, gradientNorms: spikeGuard.history.gradientNorms)
    }

    private func sequence(_ sample: Int, _ finder: DocumentFinder) throws -> StepEvent.Sequence {
        let length = recipe.data.sequenceLength
        let first = sample * length
        let (shard, token) = finder.shard(ofToken: first)
        let starts = try finder.starts(in: first..<first + length)
        let documents = try starts.enumerated().map { place, start in
            // No further than the sequence, or the next document.
            let end = place + 1 < starts.count ? starts[place + 1] : first + length
            return StepEvent.Document(
                firstToken: start, text: try finder.text(of: start..<end, limit: Self.shownTokens))
        }
        return StepEvent.Sequence(
            sample: sample, firstToken: first, shard: shard, firstTokenInShard: token,
            documents: documents)
    }
}
