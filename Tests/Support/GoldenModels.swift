import Foundation

/// The folder of the models with logits and gradients computed by transformers, one folder each.
package let goldenModels = testsFolder + "/ModelTests/Fixtures"

/// The sorted names of their folders; a new fixture is tested as soon as it is there.
package let goldenModelNames: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: goldenModels)) ?? []
    return names.filter {
        FileManager.default.fileExists(atPath: "\(goldenModels)/\($0)/reference.safetensors")
    }.sorted()
}()
