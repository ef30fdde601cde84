import FalconInterchange
import FalconTensor
import FalconTestSupport
import Testing

/// The folder of this target's fixtures.
let fixtures = testsFolder + "/InterchangeTests/Fixtures"

/// The golden models of the model tests.
let goldenModels = testsFolder + "/ModelTests/Fixtures"

/// Their folders: Falcon-H1 with and without gated norm, in 2 groups and 1, untied and tied;
/// Falcon-Mamba.
let allGoldenModels = [
    "rms_g2_untied", "norms_g1_tied", "mamba_tied", "mamba_odd_untied", "mamba_wide_state",
]

extension ModelFiles {
    /// A parameter's values as float32.
    func floats(_ parameter: Parameter) throws -> [Float] {
        var values = [Float](repeating: 0, count: parameter.count)
        var span = values.mutableSpan
        try weights.readFloats(parameter.name, elements: 0..<parameter.count, into: &span)
        return values
    }
}
