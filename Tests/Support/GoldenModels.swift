import Foundation

/// The folder of the models that transformers computed logits and gradients of, a folder each.
package let goldenModels = testsFolder + "/ModelTests/Fixtures"

/// The names of their folders, sorted: a new fixture is tested because it is there.
package let goldenModelNames: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: goldenModels)) ?? []
    return names.filter {
        FileManager.default.fileExists(atPath: "\(goldenModels)/\($0)/reference.safetensors")
    }.sorted()
}()
