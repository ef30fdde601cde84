import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// Where a rank runs.
public struct RankPlace: Equatable, Sendable {
    /// The name of its host.
    public let host: String
    /// Its process there.
    public let processId: Int
    /// The numbers of the cores that it is bound to, below 2048: all of the host if nobody bound it.
    public let cores: [Int]
    /// How many cores' time it may take: the number of its cores, or less by its control groups.
    public let coreLimit: Int
    /// The number of cores of its host.
    public let hostCoreCount: Int

    /// A place.
    ///
    /// - Parameters:
    ///   - host: the name of the host.
    ///   - processId: the process there.
    ///   - cores: the cores that it is bound to, ascending, from 0 to 2047.
    ///   - coreLimit: how many cores' time it may take, at least 1.
    ///   - hostCoreCount: the number of cores of the host.
    public init(host: String, processId: Int, cores: [Int], coreLimit: Int, hostCoreCount: Int) {
        (self.host, self.processId, self.cores) = (host, processId, cores)
        (self.coreLimit, self.hostCoreCount) = (coreLimit, hostCoreCount)
    }
}

extension RankPlace {
    /// The bytes of a place, as ranks exchange them.
    static let byteCount = nameByteCount + 3 * 8 + coreByteCount
    private static let nameByteCount = 256
    private static let coreByteCount = 256

    /// The place of this process.
    static func own() -> RankPlace {
        RankPlace(
            host: hostName(), processId: Int(getpid()), cores: boundProcessors(),
            coreLimit: usableProcessorCount(),
            hostCoreCount: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// The place as `byteCount` bytes: name, process, limit, cores of the host, a bit a core.
    var bytes: [UInt8] {
        // A byte of the name's room stays 0.
        var bytes = Array(host.utf8.prefix(Self.nameByteCount - 1))
        bytes += Array(repeating: 0, count: Self.nameByteCount - bytes.count)
        for number in [processId, coreLimit, hostCoreCount] {
            appendLittleEndian(Int64(number), to: &bytes)
        }
        var bits = [UInt8](repeating: 0, count: Self.coreByteCount)
        for core in cores where core / 8 < bits.count { bits[core / 8] |= 1 << (core % 8) }
        return bytes + bits
    }

    /// The place that `bytes` made.
    init(bytes: ArraySlice<UInt8>) {
        let bytes = Array(bytes)
        let numbers = (0..<3).map { place in
            let offset = Self.nameByteCount + 8 * place
            return Int(littleEndianUInt32(bytes, at: offset))
                | Int(littleEndianUInt32(bytes, at: offset + 4)) << 32
        }
        let bits = Array(bytes.suffix(Self.coreByteCount))
        self.init(
            host: String(
                decoding: bytes[..<Self.nameByteCount].prefix { $0 != 0 }, as: UTF8.self),
            processId: numbers[0],
            cores: (0..<bits.count * 8).filter { bits[$0 / 8] >> ($0 % 8) & 1 == 1 },
            coreLimit: numbers[1], hostCoreCount: numbers[2])
    }
}
