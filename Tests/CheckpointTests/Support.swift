import FalconCheckpoint
import FalconTestSupport
import Testing

/// The folder of this target's fixtures.
let fixtures = testsFolder + "/CheckpointTests/Fixtures"

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
