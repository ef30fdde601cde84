import FalconTensor

/// Numbers behind every block of an arena, which kernels must leave as they are.
///
/// The bytes asked for start as NaN, so that a result shows where it was not written.
final class Sentinels: BlockWatch {
    /// Far above the numbers that ops are tested on, so that a result shows that it was read; not
    /// so far that adding to it leaves it as it is.
    static let value: Float = 8191.25
    let marginByteCount = 256
    /// Bytes of a block that were asked for, and all of them.
    private var blocks: [UnsafeMutableRawPointer: (used: Int, size: Int)] = [:]
    /// Changes that were found.
    private(set) var damage: [String] = []

    /// Whether all of some numbers are untouched sentinels.
    static func areIntact(_ values: some Sequence<Float>) -> Bool {
        values.allSatisfy { $0.bitPattern == value.bitPattern }
    }

    /// Fills a new block.
    func didTake(
        _ block: UnsafeMutableRawPointer, used: Int, size: Int, of backend: any Backend
    ) {
        let first = Self.firstSentinel(used)
        let values =
            [Float](repeating: .nan, count: first)
            + [Float](repeating: Self.value, count: size / MemoryLayout<Float>.stride - first)
        values.withUnsafeBytes { backend.write($0, to: block) }
        blocks[block] = (used, size)
    }

    /// Checks the margin behind a block that is given back.
    func willRecycle(_ block: UnsafeMutableRawPointer, of backend: any Backend) {
        guard let (used, size) = blocks.removeValue(forKey: block) else { return }
        let first = Self.firstSentinel(used)
        let float = MemoryLayout<Float>.stride
        var values = [Float](repeating: 0, count: size / float - first)
        values.withUnsafeMutableBytes { backend.read(block + first * float, into: $0) }
        if !Self.areIntact(values) { damage.append("what lies behind \(used) bytes") }
    }

    /// Checks the margins behind all blocks that are still in use.
    func removeAll(of backend: any Backend) {
        for block in blocks.keys { willRecycle(block, of: backend) }
    }

    private static func firstSentinel(_ used: Int) -> Int {
        (used + MemoryLayout<Float>.stride - 1) / MemoryLayout<Float>.stride
    }
}
