import FalconSystem

/// The order in which samples are seen: a different permutation for every epoch.
///
/// A pure function of (data set, seed, position): nothing is stored, so nothing can be lost, and a
/// run continues from one integer. Epoch e consists of positions e·N to (e+1)·N - 1 and holds every
/// one of the N samples exactly once.
///
/// The permutation is a Feistel network over the smallest domain of 4^k numbers that holds N;
/// numbers beyond N are mapped again until they fall below ("cycle walking", at most 4 times on
/// average), which keeps it one to one.
/// - SeeAlso: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002, method 2.
public struct SampleOrder: Sendable, Equatable {
    // Luby and Rackoff need 4 rounds; more make small domains look random too.
    private static let roundCount = 8

    /// Samples in an epoch.
    public let sampleCount: Int
    private let key: UInt64
    private let halfBits: UInt64

    /// The order of one run.
    ///
    /// - Parameters:
    ///   - datasetDigest: identifies the data: other data, another order.
    ///   - seed: the run's seed.
    ///   - sampleCount: samples in an epoch, 1 to 2^62.
    public init(datasetDigest: String, seed: UInt64, sampleCount: Int) {
        precondition(
            sampleCount >= 1 && sampleCount <= 1 << 62,
            "SampleOrder: \(sampleCount) samples, want 1 to 2^62")
        self.sampleCount = sampleCount
        var digest = SHA256()
        digest.update("sample order 1\n\(datasetDigest)\n\(seed)\n")
        key = digest.finalize().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        var halfBits: UInt64 = 1
        while UInt64(sampleCount) > 1 << (2 * halfBits) { halfBits += 1 }
        self.halfBits = halfBits
    }

    /// The sample seen at a position.
    ///
    /// - Parameter position: samples consumed before it since the beginning of the run, from 0.
    /// - Returns: a sample number from 0 to `sampleCount - 1`.
    public func sample(at position: Int) -> Int {
        precondition(position >= 0, "SampleOrder: position \(position), want at least 0")
        let (epoch, index) = position.quotientAndRemainder(dividingBy: sampleCount)
        let epochKey = Self.mixed(key ^ Self.mixed(UInt64(epoch)))
        var value = UInt64(index)
        repeat { value = permuted(value, epochKey) } while value >= UInt64(sampleCount)
        return Int(value)
    }

    private func permuted(_ value: UInt64, _ epochKey: UInt64) -> UInt64 {
        let mask = (UInt64(1) << halfBits) - 1
        var left = value >> halfBits
        var right = value & mask
        for round in 0..<UInt64(Self.roundCount) {
            let mixed = Self.mixed(epochKey ^ (right << 8 | round))
            (left, right) = (right, left ^ (mixed >> (64 - halfBits)))
        }
        return left << halfBits | right
    }

    /// SplitMix64's finalizer after one step of its sequence: a bijection that mixes every bit.
    ///
    /// - SeeAlso: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
    private static func mixed(_ value: UInt64) -> UInt64 {
        // Wrapping is meant: arithmetic modulo 2^64.
        var value = value &+ 0x9E37_79B9_7F4A_7C15
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
