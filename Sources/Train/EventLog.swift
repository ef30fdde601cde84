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
    private let data: SampleStream
    /// Events that are written and wait for the next applied step.
    private var open: [StepEvent] = []

    /// The events of a run.
    init(_ folder: RunFolder, recipe: TrainingRecipe, data: SampleStream) {
        (self.folder, self.recipe, self.data) = (folder, recipe, data)
    }

    /// Removes the events of later steps, which will be done again.
    func removeLater(than step: Int) throws {
        for later in try folder.eventSteps() where later > step {
            try removeFile(folder.eventPath(ofStep: later))
        }
    }

    /// Writes the event of a step that was not applied.
    ///
    /// - Parameters:
    ///   - result: the result of the step, with sizes by parameter.
    ///   - planned: the step.
    ///   - spikeGuard: the guard that judged the step; nil for none.
    /// - Returns: the event, and the file that holds it.
    /// - Throws: `FileError` or `DataError` if it cannot be written, or the data not be read.
    mutating func write(
        _ result: StepResult, _ planned: StepPlan, _ spikeGuard: SpikeGuard?
    ) throws -> (event: StepEvent, path: String) {
        let sequences = try StepSequences(
            recipe, data, BatchPlan(recipe.train, sequenceLength: recipe.data.sequenceLength))
        let samples = sequences.microBatches(ofStep: planned.step)
        let microBatches = try zip(result.microBatches, samples).enumerated().map { place, part in
            StepEvent.MicroBatch(
                number: place + 1, loss: part.0.loss, targets: part.0.targets,
                sequences: try part.1.map {
                    try sequences.sequence($0, beginnings: Self.shownTokens)
                })
        }
        let worst = microBatches.filter { $0.targets > 0 }.max { Self.isBelow($0.loss, $1.loss) }
        let event = StepEvent(
            step: planned.step, tokens: planned.tokens,
            reason: result.skipReason ?? .notFinite, loss: result.loss,
            gradientNorm: result.gradientNorm,
            multiplierGradientNorm: result.multiplierGradientNorm,
            learningRate: result.learningRate, parameter: result.parameter,
            microBatch: worst?.number,
            history: spikeGuard.map { Self.history($0, result) }, microBatches: microBatches,
            parameters: result.norms, data: data.sources.map(\.path).joined(separator: ", "),
            command: worst.map { command(for: $0.sequences) })
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

    /// The command that prints the documents of sequences: one for each data set.
    private func command(for sequences: [StepEvent.Sequence]) -> String {
        data.sources.compactMap { source in
            let own = sequences.filter { $0.source == nil || $0.source == source.path }
            let documents = own.flatMap(\.documents).map { "\($0.firstToken)" }
            guard !documents.isEmpty else { return nil }
            return (["falcon", "documents", quotedForShell(source.path)] + documents)
                .joined(separator: " ")
        }.joined(separator: " && ")
    }
}
