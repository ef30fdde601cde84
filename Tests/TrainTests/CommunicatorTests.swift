import FalconData
import FalconModel
import FalconOptim
import FalconRunRecord
import FalconTensor
import FalconTestSupport
import FalconTrain
import Testing

/// What a step asks of other processes, when, and what it makes of the answer.
@Suite struct CommunicatorTests {
    let runs: TinyRuns

    init() throws { runs = try TinyRuns() }

    private func trainer(
        _ communicator: any Communicator, on device: Device = Device(threadCount: 1)
    ) throws -> Trainer {
        try Trainer(
            runs.recipe(["parametrization.kind=learnable"]), on: device, communicator: communicator)
    }

    private func masters(_ trainer: Trainer) -> [Float] {
        trainer.model.table.masters.toArray()
    }

    /// Once a step, after its last micro-batch and before anything is decided or updated.
    @Test func sumsAreReducedBetweenMicroBatchesAndUpdate() throws {
        var events: [String] = []
        let communicator = RecordingCommunicator { sums, gradients in
            events.append(gradients.toArray().contains { $0 != 0 } ? "reduce" : "reduce zeros")
            return sums
        }
        let trainer = try trainer(communicator)
        let source = CountedBatches(try runs.batches(6))
        for step in 1...3 {
            let before = masters(trainer)
            let given = try trainer.step(microBatches: 2) { done in
                events.append("ask \(done)")
                return true
            } next: {
                events.append("read")
                #expect(masters(trainer) == before)
                return try source.next()
            }
            let result = try #require(given)
            #expect(events == ["ask 0", "read", "ask 1", "read", "reduce"])
            events = []
            #expect(masters(trainer) != before)
            let sums = try #require(communicator.sums.last)
            #expect(communicator.sums.count == step && !sums.isStopRequested)
            #expect(sums.scoredTokens == result.scoredTokens)
            #expect(sums.loss / Double(sums.scoredTokens) == result.loss)
        }
    }

    /// Two ranks with the same micro-batches: sums are twice those of one, means the same.
    @Test func twoEqualRanksTrainAsOne() throws {
        let device = Device(threadCount: 1)
        let twice = RecordingCommunicator { sums, gradients in
            var both = sums
            both.loss *= 2
            both.scoredTokens *= 2
            device.backend.copy(from: gradients, to: gradients, scale: 2)
            return both
        }
        let (one, two) = (try trainer(SingleProcess()), try trainer(twice, on: device))
        let batches = try runs.batches(6)
        for step in 0..<3 {
            let own = Array(batches[2 * step..<2 * (step + 1)])
            let (a, b) = (one.step(own), two.step(own))
            #expect(a.loss == b.loss && a.gradientNorm == b.gradientNorm)
            #expect(a.multiplierGradientNorm == b.multiplierGradientNorm)
            #expect(2 * a.scoredTokens == b.scoredTokens)
        }
        #expect(masters(one) == masters(two))
        #expect(one.spikeGuard == two.spikeGuard)
    }

    /// This rank asks, or another one does.
    @Test(arguments: [true, false]) func aStopOfOneRankIsAStopOfAll(isOwn: Bool) throws {
        var isStopping = true
        let communicator = RecordingCommunicator { sums, _ in
            var all = sums
            all.isStopRequested = isStopping
            return all
        }
        let trainer = try trainer(communicator)
        let alone = try self.trainer(SingleProcess())
        let batches = try runs.batches(2)
        let stopped = try trainer.step(
            microBatches: 2, proceed: { !isOwn || $0 < 1 }, next: CountedBatches(batches).next)
        #expect(stopped == nil && trainer.step == 0 && masters(trainer) == masters(alone))
        #expect(communicator.sums.map(\.isStopRequested) == [isOwn])
        isStopping = false
        #expect(trainer.step(batches).loss == alone.step(batches).loss)
        #expect(masters(trainer) == masters(alone))
    }

    /// What another rank had decides: this one's numbers are finite.
    @Test(arguments: [true, false]) func finitenessIsThatOfTheSums(isLoss: Bool) throws {
        let trainer = try trainer(
            RecordingCommunicator { sums, gradients in
                var all = sums
                if isLoss {
                    all.loss = .infinity
                } else {
                    gradients.set(3, to: .nan)
                }
                return all
            })
        let before = masters(trainer)
        let result = trainer.step(try runs.batches(2))
        #expect(result.skipReason == .notFinite && trainer.step == 1)
        #expect(trainer.optimizer.stepCount == 0 && masters(trainer) == before)
        #expect(trainer.model.table.gradients.toArray().allSatisfy { $0 == 0 })
    }

    /// A rank without targets takes the step that others give; without any, the step is skipped.
    @Test func targetsAreThoseOfAllRanks() throws {
        let ends = [Int32](repeating: 2, count: 25)
        let empty = Batch(sequences: [ends, ends], endOfDocumentID: 2)
        let alone = RecordingCommunicator()
        let passed = try trainer(alone).step([empty, empty])
        #expect(passed.skipReason == .noTargets && passed.microBatches.map(\.loss) == [0, 0])
        #expect(alone.sums == [StepSums()])
        let joined = try trainer(
            RecordingCommunicator { sums, gradients in
                gradients.set(0, to: 1)
                var all = sums
                (all.loss, all.scoredTokens) = (10, 4)
                return all
            })
        let result = joined.step([empty, empty])
        #expect(result.isApplied && result.loss == 2.5 && result.scoredTokens == 4)
        #expect(result.microBatches.map(\.targets) == [0, 0])
        #expect(joined.optimizer.stepCount == 1)
    }
}
