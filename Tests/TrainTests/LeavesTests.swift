import FalconData
import FalconModel
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTestSupport
import Testing

@testable import FalconTrain

/// The order in which a step adds up follows from the recipe.
@Suite struct LeavesTests {
    let runs: TinyRuns

    init() throws { runs = try TinyRuns(settings: ["train.batch_tokens=240"]) }

    @Test func leavesAreNeighboursOfEqualSize() {
        for leaves in 1...9 {
            for count in 0...40 {
                let ranges = Leaves.ranges(microBatches: count, leaves: leaves)
                #expect(ranges.count == leaves && ranges.flatMap(Array.init) == Array(0..<count))
                let sizes = ranges.map(\.count)
                #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
            }
        }
        #expect(Leaves.ranges(microBatches: 10, leaves: 4) == [0..<2, 2..<5, 5..<7, 7..<10])
    }

    /// The sums of a step of some micro-batches, before anything is decided.
    private func sums(
        _ batches: some Collection<Batch>, leaves: Int
    ) throws -> (sums: StepSums, gradients: [Float]) {
        let trainer = try Trainer(
            runs.recipe(["train.leaves=\(leaves)", "parametrization.kind=learnable"]),
            on: Device(threadCount: 2))
        let ends = try trainer.sumGradients(
            microBatches: batches.count, proceed: { _ in true }, next: CountedBatches(batches).next)
        let sums = StepSums(
            try #require(ends),
            leaves: Leaves.ranges(microBatches: batches.count, leaves: leaves))
        let table = trainer.model.table
        return (sums, table.summedGradients(0..<table.flatCount).toArray())
    }

    /// Each leaf by a trainer of its own, then added by hand; also a step with fewer micro-batches than
    /// leaves, as at the beginning of a batch ramp.
    @Test(arguments: [(5, 2), (5, 3), (5, 5), (2, 4), (1, 4)])
    func leavesAreAddedInTheirOrder(count: Int, leaves: Int) throws {
        let batches = try runs.batches(count)
        let got = try sums(batches, leaves: leaves)
        var wanted = [Float](repeating: 0, count: got.gradients.count)
        var (loss, scored) = (0.0, 0)
        for range in Leaves.ranges(microBatches: count, leaves: leaves) where !range.isEmpty {
            let leaf = try sums(batches[range], leaves: 1)
            for place in wanted.indices { wanted[place] += leaf.gradients[place] }
            loss += leaf.sums.loss
            scored += leaf.sums.scoredTokens
        }
        #expect(got.gradients == wanted)
        #expect(got.sums.loss == loss && got.sums.scoredTokens == scored)
    }

    @Test func leavesChangeTheRounding() throws {
        let batches = try runs.batches(5)
        #expect(try sums(batches, leaves: 1).gradients != sums(batches, leaves: 2).gradients)
    }

    /// Steps of 1 to 5 micro-batches; stopped in the middle, with other threads.
    @Test(arguments: [1, 4]) func theBitsAreThoseOfAnyThreadsAndAnyStop(leaves: Int) throws {
        let settings = [
            "train.leaves=\(leaves)", "train.batch_ramp={start_tokens: 48, tokens: 480}",
        ]
        func run(
            _ name: String, _ existing: ExistingRun = .refuse, threads: Int
        ) throws -> [UInt8] {
            let run = try runs.begin(name, existing, settings: settings, threads: threads)
            #expect(try run.run() == .finished)
            return try readBytes(ofFile: runs.checkpoint(name) + "/manifest.json")
        }
        let whole = try run("one", threads: 1)
        #expect(try runs.metrics("one").map(\.batchTokens).contains(240))
        #expect(try run("three", threads: 3) == whole)
        for step in [6, 8] { try runs.remove("three/checkpoints/step-0000000\(step)") }
        #expect(try run("three", .resume, threads: 2) == whole)
    }

    @Test func aResumedRunKeepsItsLeavesAndABranchMayNot() throws {
        try runs.run("run")
        try runs.remove("run/checkpoints/step-00000008")
        let error = #expect(throws: TrainError.self) {
            try runs.run("run", .resume, settings: ["train.leaves=2"])
        }
        #expect(error?.description.contains("train.leaves: was 1, now 2") == true)
        try runs.run(
            "branch", settings: ["train.leaves=2"],
            branch: BranchPoint("\(runs.path("run"))@3"))
    }

    @Test(arguments: [
        ("train.leaves=0", "train.leaves: got 0, want at least 1"),
        (
            "train.leaves=6",
            "leaves is 6, want at most batch_tokens / (micro_batch_sequences · data.sequence_length) = 5"
        ),
    ]) func impossibleLeavesAreNamed(setting: String, message: String) throws {
        let error = #expect(throws: RecipeError.self) { try runs.recipe([setting]) }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }
}
