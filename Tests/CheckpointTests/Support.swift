import FalconCheckpoint
import FoundationEssentials
import Testing

/// The folder of this target's fixtures.
let fixtures = String(#filePath.dropLast("Support.swift".count)) + "Fixtures"

/// Runs `body` with a fresh folder that is removed afterwards.
@discardableResult
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = temporaryFolder() + "/falcon-checkpoint-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
}

private func temporaryFolder() -> String {
    FileManager.default.temporaryDirectory.path
}

/// Writes bytes without ceremony.
func store(_ bytes: [UInt8], at path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
}

/// The bytes of a file.
func load(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
}

/// A safetensors file of a header text and some data.
func safetensors(header: String, dataBytes: Int = 0, claimedHeaderBytes: UInt64? = nil) -> [UInt8] {
    let text = Array(header.utf8)
    let claimed = claimedHeaderBytes ?? UInt64(text.count)
    let prefix = (0..<8).map { UInt8(truncatingIfNeeded: claimed >> (8 * $0)) }
    return prefix + text + [UInt8](repeating: 0, count: dataBytes)
}

/// The problems that `body` reports; an issue if it reports none.
func problems(of body: () throws -> Void) -> [CheckpointProblem] {
    do {
        try body()
        Issue.record("no error")
        return []
    } catch let error as CheckpointError {
        return error.problems
    } catch {
        Issue.record("another error: \(error)")
        return []
    }
}
