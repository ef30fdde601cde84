import FalconRanks
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconTrain

/// Ranks train together, and what they make does not depend on their number.
@Suite struct RankTests {
    /// What may matter for the order of sums, and what divides work among ranks.
    struct Case: CustomTestStringConvertible, Sendable {
        let kind: TinyRecipe
        let settings: [String]
        var testDescription: String { "\(kind) \(settings.joined(separator: " "))" }
    }

    static let cases: [Case] = [
        Case(
            kind: .falconH1, settings: ["optimizer.kind=adamw", "model.tie_word_embeddings=true"]),
        Case(kind: .falconH1, settings: ["optimizer.kind=muon", "train.precision=bf16"]),
        Case(
            kind: .falconH1,
            settings: [
                "optimizer.kind=muon", "optimizer.muon.projections=fused",
                "parametrization.kind=learnable", "parametrization.placement=redundant",
            ]),
        Case(kind: .falconMamba, settings: ["parametrization.kind=learnable"]),
        Case(
            kind: .falconMamba,
            settings: ["train.recompute=block", "data.packing=best_fit", "train.precision=bf16"]),
    ]

    /// 24 leaves; at the beginning of the ramp most of them are empty.
    private static let common = [
        "train.batch_tokens=1152", "train.leaves=24", "train.steps=4",
        "train.batch_ramp={start_tokens: 192, tokens: 1500}", "evaluation.every_steps=2",
        "checkpoint.every_steps=2",
    ]

    private func manifest(_ runs: TinyRuns, _ name: String, step: Int = 4) throws -> [UInt8] {
        try readBytes(ofFile: runs.checkpoint(name, step: step) + "/manifest.json")
    }

    @Test(arguments: cases) func theBitsAreThoseOfAnyNumberOfRanks(_ sample: Case) throws {
        let runs = try TinyRuns(sample.kind, settings: Self.common + sample.settings)
        #expect(try runs.run("alone", ranks: 1)[0].get() == .finished)
        let line = try #require(try runs.metrics("alone").last)
        for (count, threads) in [(2, 1), (3, 2), (8, 1)] {
            let name = "ranks-\(count)"
            for result in try runs.run(name, ranks: count, threads: threads) {
                #expect(try result.get() == .finished)
            }
            #expect(try manifest(runs, name) == manifest(runs, "alone"))
            let own = try #require(try runs.metrics(name).last)
            #expect(own.loss == line.loss && own.gradientNorm == line.gradientNorm)
            #expect(own.validationLoss == line.validationLoss && own.ranks?.count == count)
        }
    }

    /// The state of the optimizer in several files, each written by another rank, for other numbers of ranks.
    @Test func aCheckpointIsTakenUpByAnyNumberOfRanks() throws {
        let runs = try TinyRuns(settings: Self.common + ["parametrization.kind=learnable"])
        func run(
            _ name: String, ranks: Int, _ existing: ExistingRun = .resume, until: Int? = nil
        ) throws {
            let results = try runs.run(
                name, ranks: ranks, existing, untilTokens: until,
                prepare: { run, _ in run.optimizerFileByteLimit = 30_000 })
            for result in results {
                #expect(try result.get() == (until == nil ? .finished : .stopped))
            }
        }
        try run("whole", ranks: 1)
        let files = try namesInFolder(runs.checkpoint("whole", step: 4))
            .filter { $0.hasPrefix("optimizer-") }
        #expect(files.count > 4)
        try run("moved", ranks: 4, until: 100)
        try run("moved", ranks: 3, until: 400)
        try run("moved", ranks: 1, until: 900)
        try run("moved", ranks: 6)
        #expect(try manifest(runs, "moved") == manifest(runs, "whole"))
        #expect(
            try runs.metrics("moved").map(\.loss) == runs.metrics("whole").map(\.loss))
    }

    /// The others end, name the rank and its error, and leave the run as it was.
    @Test func aRankThatFailsEndsTheOthers() throws {
        struct Trouble: FalconError {
            let description = "the disk is on fire"
            let exitStatus = ExitStatus.inputOutput
        }
        let runs = try TinyRuns(settings: Self.common)
        let results = try runs.run(
            "run", ranks: 3,
            prepare: { _, ranks in if ranks.rank == 1 { throw Trouble() } })
        #expect(throws: Trouble.self) { try results[1].get() }
        for rank in [0, 2] {
            let failure = #expect(throws: RankFailure.self) { try results[rank].get() }
            #expect(failure?.rank == 1 && failure?.reason.contains("on fire") == true)
        }
        for result in try runs.run("run", ranks: 2, .resume) {
            #expect(try result.get() == .finished)
        }
    }

    @Test func ranksThatDoNotRunTheSameAreRefused() throws {
        let runs = try TinyRuns(settings: Self.common)
        try runs.folder.write("recipe.yaml", try runs.document().resolvedYAML())
        let path = runs.path("recipe.yaml")
        let folder = runs.path("run")
        let results = try ThreadRanks(count: 3).run { link in
            let ranks = RankGroup(link)
            let request = RunRequest(
                recipe: path,
                settings: link.rank == 2 ? ["optimizer.learning_rate=0.5"] : [], path: folder)
            _ = try PretrainingRun(
                request.open(ranks), ranks: ranks, threadCount: 1, onEvent: { _ in })
        }
        // The first to see it ends the others, before or after they see it too.
        #expect(results.contains { Self.error($0) is RanksDiffer })
        for result in results {
            let text = Self.error(result).map { "\($0)" } ?? ""
            #expect(text.contains("the recipe: ") && text.contains("at rank 2 on "), "\(text)")
        }
        #expect(fileKind(of: folder) == .missing)
    }

    private static func error(_ result: Result<Void, any Error>) -> (any Error)? {
        if case .failure(let error) = result { error } else { nil }
    }

    @Test func moreRanksThanLeavesAreRefused() throws {
        let runs = try TinyRuns(settings: ["train.batch_tokens=240", "train.leaves=2"])
        for result in try runs.run("run", ranks: 3) {
            #expect(
                "\(result)".contains("tooManyRanks") || "\(result)".contains("there are 3 ranks"))
        }
    }
}
