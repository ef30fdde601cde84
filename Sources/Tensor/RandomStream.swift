import CKernels

#if canImport(Glibc)
    import Glibc
#endif

/// A stream of random numbers that is a pure function of (seed, name, index): nothing to save.
public struct RandomStream: Sendable, Equatable {
    /// The key from which, together with an index, each number is computed.
    public let key: UInt64

    /// The stream of a name.
    ///
    /// - Parameters:
    ///   - seed: the run's seed.
    ///   - name: the purpose of the numbers, such as a parameter's name.
    public init(seed: UInt64, name: String) {
        // FNV-1a over the seed's bytes and the name, then one multiply-xorshift round.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for shift in stride(from: 0, to: 64, by: 8) {
            mix(UInt8(truncatingIfNeeded: seed >> shift))
        }
        for byte in name.utf8 { mix(byte) }
        hash = (hash ^ (hash >> 32)) &* 0xD6E8_FEB8_6659_FD93
        key = hash ^ (hash >> 32)
    }

    /// One number of the stream.
    ///
    /// - Parameter index: any.
    /// - Returns: a number in [0, 1).
    public func uniform(at index: UInt64) -> Float {
        var value: Float = 0
        fk_random_uniform(&value, 1, key, index)
        return value
    }
}
