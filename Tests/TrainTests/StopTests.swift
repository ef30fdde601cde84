import FalconModel
import FalconTensor
import FalconTestSupport
import FalconTrain
import Testing

/// A step that is given up between micro-batches is as if it had not begun.
@Suite struct StopTests {
    @Test(
        arguments: ["standard", "learnable"],
        [(leaves: 1, done: 0), (1, 1), (1, 3), (4, 1), (2, 3), (3, 3)])
    func aStepThatIsGivenUpLeavesNothing(kind: String, plan: (leaves: Int, done: Int)) throws {
        let runs = try TinyRuns()
        let recipe = try runs.recipe([
            "train.batch_tokens=192", "parametrization.kind=\(kind)",
            "train.leaves=\(plan.leaves)",
        ])
        let batches = try runs.batches(8)
        func trained(givingUp: Bool) throws -> (losses: [Double], weights: [[Float]]) {
            let trainer = try Trainer(recipe, on: Device(threadCount: 2))
            var losses: [Double] = []
            for step in 0..<2 {
                let own = batches[4 * step..<4 * (step + 1)]
                if givingUp {
                    var asked: [Int] = []
                    let source = CountedBatches(own)
                    let result = try trainer.step(
                        microBatches: 4,
                        proceed: {
                            asked.append($0)
                            return $0 < plan.done
                        }, next: source.next)
                    #expect(result == nil && asked == Array(0...plan.done))
                    // No more is read than is computed.
                    #expect(source.readCount == plan.done)
                    #expect(trainer.model.table.gradients.toArray().allSatisfy { $0 == 0 })
                }
                losses.append(try trainer.step(Array(own)).loss)
            }
            #expect(trainer.step == 2)
            return (losses, trainer.model.table.parameters.map { $0.master.toArray() })
        }
        let (whole, stopped) = (try trained(givingUp: false), try trained(givingUp: true))
        #expect(whole.losses == stopped.losses && whole.weights == stopped.weights)
    }

    /// Data that cannot be read end the step, not the state.
    @Test func aStepWhoseDataFailLeavesNothing() throws {
        let runs = try TinyRuns()
        let recipe = try runs.recipe(["train.batch_tokens=192"])
        let trainer = try Trainer(recipe, on: Device(threadCount: 1))
        let before = trainer.model.table.values.toArray()
        let source = CountedBatches(try runs.batches(2))
        #expect(throws: CountedBatches.End.self) {
            _ = try trainer.step(microBatches: 4, proceed: { _ in true }, next: source.next)
        }
        #expect(source.readCount == 2)
        #expect(trainer.step == 0)
        #expect(trainer.model.table.gradients.toArray().allSatisfy { $0 == 0 })
        #expect(trainer.model.table.values.toArray() == before)
    }
}
