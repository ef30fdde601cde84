import FoundationEssentials
import Testing

/// The folder of this target's fixtures.
let fixtures = String(#filePath.dropLast("Support.swift".count)) + "Fixtures"

/// The golden models of the model tests.
let goldenModels =
    String(#filePath.dropLast("InterchangeTests/Support.swift".count)) + "ModelTests/Fixtures"

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
