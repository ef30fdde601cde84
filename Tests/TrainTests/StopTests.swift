import FalconData
import FalconModel
import FalconTensor
import FalconTrain
import Testing

/// A step that is given up between micro-batches is as if it had not begun.
@Suite struct StopTests {
    @Test(arguments: ["standard", "learnable"], [0, 1, 3])
    func aStepThatIsGivenUpLeavesNothing(kind: String, done: Int) throws {
        let runs = try TinyRuns()
        let recipe = try runs.recipe([
            "train.batch_tokens=192", "parametrization.kind=\(kind)",
        ])
        let dataset = try TokenDataset(path: recipe.data.path)
        func trained(givingUp: Bool) throws -> (losses: [Double], weights: [[Float]]) {
            let trainer = try Trainer(recipe, on: Device(threadCount: 2))
            let loader = try BatchLoader(
                dataset: dataset, sequenceLength: 24, sequencesPerBatch: 2, seed: 0)
            var losses: [Double] = []
            for _ in 0..<2 {
                let batches = try (0..<4).map { _ in try loader.next() }
                if givingUp {
                    var asked: [Int] = []
                    let result = trainer.step(batches) {
                        asked.append($0)
                        return $0 < done
                    }
                    #expect(result == nil && asked == Array(0...done))
                }
                losses.append(trainer.step(batches).loss)
            }
            #expect(trainer.step == 2)
            return (losses, trainer.model.table.parameters.map { $0.master.toArray() })
        }
        let (whole, stopped) = (try trained(givingUp: false), try trained(givingUp: true))
        #expect(whole.losses == stopped.losses && whole.weights == stopped.weights)
    }
}
