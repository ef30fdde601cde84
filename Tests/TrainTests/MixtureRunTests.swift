import FalconCheckpoint
import FalconData
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTestSupport
import FalconTokenizer
import FalconTrain
import Foundation
import Testing

/// Runs on several data sets, in stages.
@Suite struct MixtureRunTests {
    let runs: TinyRuns

    init() throws {
        runs = try TinyRuns(settings: ["checkpoint.every_steps=1"])
        let bytes = try TokenDataset(path: runs.path("shards")).tokenizerFiles().main.bytes
        for (name, count, held) in [("b", 30, 0.1), ("c", 20, 0)] {
            for (number, document) in tinyDocuments(count).enumerated() {
                try runs.folder.write("text-\(name)/\(number).txt", "\(name) \(number) " + document)
            }
            var writer = CorpusTokenizer(tokenizer: try SentencePieceTokenizer(modelBytes: bytes))
            writer.validationFraction = held
            _ = try writer.write(
                DocumentReader(paths: [runs.path("text-\(name)")]), to: runs.path(name))
        }
    }

    /// A mixture as a recipe writes it.
    private func mix(_ weights: [Double], more: String = "") -> String {
        let sources = zip(["shards", "b", "c"], weights).map {
            "{path: \"\(runs.path($0))\", weight: \($1)\(more)}"
        }
        return "[" + sources.joined(separator: ", ") + "]"
    }

    private func tokens(_ line: StepMetrics, _ name: String) -> Int {
        line.sources?[runs.path(name)]?.tokens ?? 0
    }

    /// 0.7, 0.2 and 0.1 in sequences of 24, then 1 : 1 : 2 in sequences of 12.
    private var staged: [String] {
        [
            "data.mix=\(mix([0.7, 0.2, 0.1]))",
            "data.stages=[{tokens: 400}, {sequence_length: 12, mix: \(mix([1, 1, 2]))}]",
        ]
    }

    @Test func sharesAreExactInEveryLineAndAStopChangesNothing() throws {
        try runs.run("whole", settings: staged)
        let lines = try runs.metrics("whole")
        // The stage changes behind the step in which its 400 tokens are reached.
        let change = 5 * 96
        for line in lines {
            let first = Double(min(line.tokens, change))
            let second = Double(max(0, line.tokens - change))
            var sum = 0
            for (name, shares) in [("shards", (0.7, 0.25)), ("b", (0.2, 0.25)), ("c", (0.1, 0.5))] {
                let got = tokens(line, name)
                let slack = second == 0 ? 24.0 : 24 + 12
                #expect(abs(Double(got) - shares.0 * first - shares.1 * second) < slack)
                #expect(got % 12 == 0)
                sum += got
            }
            #expect(sum == line.tokens)
        }
        let size = try TokenDataset(path: runs.path("b")).index.train.tokens
        let last = try #require(lines.last?.sources?[runs.path("b")])
        let first = Double((size - 1) / 24), second = Double((size - 1) / 12)
        let early = lines[4].sources?[runs.path("b")]?.tokens ?? 0
        let wanted = Double(early / 24) / first + Double((last.tokens - early) / 12) / second
        #expect(abs(last.epochs - wanted) < 1e-12)
        for stop in [2, 5, 6] {
            try runs.run("stopped", .overwrite, settings: staged, untilTokens: 96 * stop)
            try runs.run("stopped", .resume, settings: staged)
            #expect(
                try runs.differingFiles(runs.checkpoint("whole"), runs.checkpoint("stopped")) == [])
            #expect(try runs.metrics("stopped").map(\.sources) == lines.map(\.sources))
        }
    }

    @Test func eachSourceIsValidatedAndAllTogether() throws {
        try runs.run("run", settings: staged + ["evaluation.tokens=null"])
        let line = try #require(try runs.metrics("run").last)
        let (a, b) = try (
            #require(line.sources?[runs.path("shards")]), #require(line.sources?[runs.path("b")])
        )
        // Nothing of the third was held out.
        #expect(line.sources?[runs.path("c")]?.validationLoss == nil)
        func targets(_ name: String) throws -> Double {
            let split = try TokenDataset(path: runs.path(name)).index.validation
            return Double(split.tokens - split.documents)
        }
        let (losses, counts) = try (
            [#require(a.validationLoss), #require(b.validationLoss)],
            [targets("shards"), targets("b")]
        )
        let mean =
            (losses[0] * counts[0] + losses[1] * counts[1]) / (counts[0] + counts[1])
        #expect(abs(try #require(line.validationLoss) - mean) < 1e-9)
        #expect(losses[0] != losses[1] && a.validationBitsPerByte != nil)
    }

    @Test func weightsMayChangeInTheMiddleOfARun() throws {
        let (old, new) = (mix([0.7, 0.2, 0.1]), mix([1, 1, 2]))
        try runs.run(
            "whole", settings: ["data.mix=\(old)", "data.stages=[{tokens: 288}, {mix: \(new)}]"])
        try runs.run("changed", settings: ["data.mix=\(old)"], untilTokens: 288)
        for (stages, isRefused) in [
            ("[{tokens: 192}, {mix: \(new)}]", true),
            ("[{tokens: 288, sequence_length: 12}, {}]", true),
            ("[{tokens: 288, mix: \(new)}, {}]", true), ("null", false),
            ("[{tokens: 96}, {}]", true), ("[{tokens: 300}, {mix: \(new)}]", false),
        ] {
            let settings = ["data.mix=\(old)", "data.stages=\(stages)"]
            if isRefused {
                let error = #expect(throws: TrainError.self) {
                    try runs.begin("changed", .resume, settings: settings)
                }
                guard case .drawnDataChanged(_, 288, let got, let want) = error else {
                    Issue.record("\(stages): \(error.map { "\($0)" } ?? "")")
                    continue
                }
                #expect(
                    got != want && want.count == 1
                        && want[0].contains("7 of \(runs.path("shards"))"))
            } else {
                _ = try runs.begin("changed", .resume, settings: settings)
            }
        }
        let settings = ["data.mix=\(old)", "data.stages=[{tokens: 288}, {mix: \(new)}]"]
        let started = try runs.run("changed", .resume, settings: settings).compactMap {
            if case .started(let start) = $0 { start.changes } else { nil }
        }
        #expect(started.first?.contains { $0.contains("data.stages") } == true)
        #expect(try runs.differingFiles(runs.checkpoint("whole"), runs.checkpoint("changed")) == [])
    }

    @Test func otherDataAtTheSamePlaceAreRefused() throws {
        try runs.run("run", settings: staged, untilTokens: 192)
        let (b, kept) = (runs.path("b"), runs.path("kept"))
        try FileManager.default.moveItem(atPath: b, toPath: kept)
        try FileManager.default.copyItem(atPath: runs.path("c"), toPath: b)
        // The same data twice.
        #expect(throws: DataError.self) { try runs.begin("run", .resume, settings: staged) }
        try runs.remove("b")
        #expect(throws: TrainError.noData(path: b, missing: b + "/index.json")) {
            try runs.begin("run", .resume, settings: staged)
        }
        // Moved, they are the same.
        let moved = staged.map { $0.replacingOccurrences(of: b, with: kept) }
        try runs.run("run", .resume, settings: moved)
    }

    /// Data of a stage that has not begun may be others, and the run says so; those that were drawn may not.
    @Test func dataOfAStageToComeMayChangeWithAWord() throws {
        let settings = [
            "data.mix=[{path: \"\(runs.path("shards"))\"}]",
            "data.stages=[{tokens: 288}, {mix: [{path: \"\(runs.path("b"))\"}]}]",
        ]
        try runs.run("run", settings: settings, untilTokens: 96)
        try runs.remove("b")
        try FileManager.default.copyItem(atPath: runs.path("c"), toPath: runs.path("b"))
        let changes = try runs.run("run", .resume, settings: settings, untilTokens: 384).compactMap
        {
            if case .started(let start) = $0 { start.changes } else { nil }
        }
        #expect(
            changes.first?.contains { $0.contains("the data at \(runs.path("b")), for the steps") }
                == true)
        try runs.remove("b")
        try FileManager.default.copyItem(atPath: runs.path("shards"), toPath: runs.path("b"))
        let error = #expect(throws: TrainError.self) {
            try runs.begin("run", .resume, settings: settings)
        }
        guard case .dataChanged(runs.path("b"), _, _) = error else {
            Issue.record("\(error.map { "\($0)" } ?? "")")
            return
        }
    }

    @Test func aSourceIsNotReadMoreOftenThanAllowed() throws {
        let size = try TokenDataset(path: runs.path("c")).index.train.tokens
        let settings = ["data.mix=\(mix([1, 1, 1], more: ", max_repeats: 1"))", "train.steps=200"]
        let error = #expect(throws: DataError.self) { try runs.begin("run", settings: settings) }
        guard case .tooManyRepeats(let path, let tokens, let epochs, 1) = error else {
            Issue.record("\(error.map { "\($0)" } ?? "")")
            return
        }
        #expect(path.hasPrefix(runs.folder.path) && epochs > 1)
        if path == runs.path("c") {
            #expect(epochs == Double(tokens / 24) / Double((size - 1) / 24))
        }
        #expect(try RunFolder(path: runs.path("run")).state() == .blank)
    }

    /// The black box of a step names the documents of all its data sets.
    @Test func theBlackBoxOfAStepNamesTheDataSets() throws {
        let settings = [
            "data.mix=\(mix([1, 1, 1]))", "optimizer.learning_rate=1e20", "schedule.decay_tokens=0",
            "evaluation.every_steps=null", "checkpoint.every_steps=9",
        ]
        _ = try runs.divergence("run", settings: settings)
        let step = try #require(try RunFolder(path: runs.path("run")).eventSteps().first)
        let event = try runs.event("run", step: step)
        let stream = try runs.recipe(settings).openedData(RunPlan(runs.recipe(settings)))
        var cursor = stream.cursor(at: 96 * (step - 1))
        for sequence in event.microBatches.flatMap(\.sequences) {
            let sample = cursor.next()
            #expect(sequence.source == stream.sources[sample.source].path)
            #expect(sequence.sample == sample.number)
            #expect(sequence.firstToken == stream.pieces(of: sample)[0].firstToken)
        }
        let worst = try #require(event.microBatches.first { $0.number == event.microBatch })
        for source in Set(worst.sequences.compactMap(\.source)) {
            #expect(
                event.command?.contains("falcon documents '\(source)'") == true
                    || event.command?.contains("falcon documents \(source)") == true)
        }
    }

    @Test func recipesThatCannotBeRightSayWhy() throws {
        for (setting, words) in [
            ("data.mix=[]", "data.mix: got none"),
            ("data.mix=\(mix([0.3333333333333, 1]))", "no exact shares"),
            ("data.mix=\(mix([0, 1]))", "data.mix.0.weight: got 0.0"),
            (
                "data.mix=[{path: a, weight: 1}, {path: a, weight: 1}]",
                "data.mix.1: a is there twice"
            ),
            ("data.mix=[{path: a}, {path: b, weight: 2}]", "data.mix.0: weight is missing"),
            ("data.mix=[{path: a, wieght: 2}]", "did you mean weight"),
            ("data.stages=[]", "data.stages: got none"),
            ("data.stages=[{sequence_length: 12}, {}]", "data.stages.0: tokens is missing"),
            ("data.stages=[{tokens: 100}]", "data.stages.0.tokens: the last stage"),
            ("data.stages=[{tokens: 0}, {}]", "data.stages.0.tokens: got 0"),
            ("data.stages=[{sequence_length: 20}]", "want a divisor of"),
            ("data.stages=[{sequence_length: 0}]", "data.stages.0.sequence_length: got 0"),
        ] {
            let error = #expect(throws: (any Error).self) { _ = try runs.recipe([setting]) }
            #expect(
                error.map { "\($0)" }?.contains(words) == true,
                "\(setting): \(error.map { "\($0)" } ?? "")")
        }
        let plan = RunPlan(
            try runs.recipe(staged + ["data.stages=[{tokens: 5000}, {}]"]),
            document: try runs.document(staged + ["data.stages=[{tokens: 5000}, {}]"]))
        #expect(plan.notes.contains { $0.contains("data.stages.1 begins, after 5088 tokens") })
        #expect(plan.notes.contains { $0.contains("data.path is not read") })
        // The path that nobody chose is no reason for a note, in a resolved recipe either.
        let mixed = try RecipeDocument(
            yaml: "extends: demo\ndata: {mix: [{path: a}]}\n", name: "mixed.yaml")
        let resolved = try RecipeDocument(resolvedYAML: mixed.resolvedYAML(), name: "resolved.yaml")
        for document in [mixed, resolved] {
            let recipe = try document.decode(TrainingRecipe.self)
            #expect(
                !RunPlan(recipe, document: document).notes.contains { $0.contains("data.path") })
        }
    }
}
