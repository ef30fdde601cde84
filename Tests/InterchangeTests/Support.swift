import FalconInterchange
import FalconTensor
import FoundationEssentials
import Testing

/// The folder of this target's fixtures.
let fixtures = String(#filePath.dropLast("Support.swift".count)) + "Fixtures"

/// The golden models of the model tests.
let goldenModels =
    String(#filePath.dropLast("InterchangeTests/Support.swift".count)) + "ModelTests/Fixtures"

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

/// Runs `body` with a fresh folder that is removed afterwards.
@discardableResult
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder =
        FileManager.default.temporaryDirectory.path
        + "/falcon-interchange-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
}

/// The bytes of a file.
func load(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
}
