import FalconInterchange
import FalconTensor
import FalconTestSupport
import Testing

/// The folder of this target's fixtures.
let fixtures = testsFolder + "/InterchangeTests/Fixtures"

extension ModelFiles {
    /// A parameter's values as float32.
    func floats(_ parameter: Parameter) throws -> [Float] {
        var values = [Float](repeating: 0, count: parameter.count)
        var span = values.mutableSpan
        try weights.readFloats(parameter.name, elements: 0..<parameter.count, into: &span)
        return values
    }
}
