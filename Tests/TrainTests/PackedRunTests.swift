import FalconData
import FalconRunRecord
import FalconTensor
import FalconTestSupport
import FalconTrain
import Testing

/// Runs whose documents are packed into samples.
@Suite struct PackedRunTests {
    private let runs: TinyRuns
    private let packed = ["data.packing=best_fit"]

    init() throws {
        let texts = (0..<60).map { String(repeating: "law \($0) of peace ", count: 1 + $0 % 3) }
        runs = try TinyRuns(adding: texts, settings: ["checkpoint.every_steps=1"])
    }

    @Test func aStopChangesNothingAndThePlanTellsThePadding() throws {
        let events = try runs.run("whole", settings: packed)
        let source = try #require(
            events.lazy.compactMap { event -> PlannedSource? in
                guard case .started(let start) = event else { return nil }
                return start.sources.first
            }.first)
        let recipe = try runs.recipe(packed)
        let stream = try recipe.openedData(RunPlan(recipe))
        let samples = try #require(stream.packedSamples(ofSource: 0, sequenceLength: 24))
        let told = try #require(source.packed)
        #expect(told.map(\.sequenceLength) == [24] && told[0].samples == samples.sampleCount)
        #expect(told[0].padding == samples.paddingShare && samples.paddingShare > 0)
        #expect(told[0].cutDocuments == samples.cutDocuments && samples.cutDocuments > 0)
        #expect(source.description.contains("% padded, \(samples.cutDocuments) documents cut"))
        try runs.run("stopped", settings: packed, untilTokens: 300)
        try runs.run("stopped", .resume, settings: packed)
        let whole = runs.checkpoint("whole")
        #expect(try runs.differingFiles(runs.checkpoint("stopped"), whole) == [])
        try runs.run("split")
        #expect(try !runs.differingFiles(runs.checkpoint("split"), whole).isEmpty)
    }

    @Test func packingCannotChangeInTheMiddle() throws {
        try runs.run("run", settings: packed, untilTokens: 300)
        let error = #expect(throws: TrainError.self) { try runs.run("run", .resume) }
        #expect("\(try #require(error))".contains("data.packing"))
    }

    /// The loss of a packed micro-batch is that of its documents, each alone in a batch.
    @Test func packedDocumentsLearnWhatTheyLearnAlone() throws {
        let recipe = try runs.recipe(packed + ["train.precision=f32"])
        let stream = try recipe.openedData(RunPlan(recipe))
        let reader = try TokenDataset(path: runs.path("shards")).reader(of: .train)
        let end = stream.sources[0].index.endOfDocumentID
        func loss(_ batch: Batch) throws -> Double {
            let trainer = try Trainer(recipe, on: Device(threadCount: 2))
            return try trainer.step([batch]).loss
        }
        var cursor = stream.cursor(at: 0)
        var samples: [[[Int32]]] = []
        while samples.count < 2 {
            let pieces = stream.pieces(of: cursor.next())
            guard pieces.count > 1 else { continue }
            samples.append(
                try pieces.map {
                    try reader.tokens(in: $0.firstToken..<$0.firstToken + $0.count + 1)
                })
        }
        let together = try loss(Batch(samples: samples, sequenceLength: 24, endOfDocumentID: end))
        let pieces = samples.flatMap { $0 }
        let alone = try pieces.reduce(0) {
            try $0 + loss(Batch(sequences: [$1], endOfDocumentID: end)) * Double($1.count - 1)
        }
        let targets = pieces.reduce(0) { $0 + $1.count - 1 }
        #expect(abs(together - alone / Double(targets)) < 1e-5 * together)
    }
}
