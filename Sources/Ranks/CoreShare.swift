/// The cores of one rank among those of its host.
///
/// Ranks that a launcher has bound to the same cores, or to none, divide them evenly: neighbours in number get
/// neighbouring cores.
public struct CoreShare: Equatable, Sendable {
    /// The numbers of the cores, ascending.
    public let cores: [Int]
    /// Ranks that the same cores were given to, this one included.
    public let sharerCount: Int
    /// The threads that this rank should have: one a core, or fewer by the limits of its control groups.
    public let threadCount: Int

    /// Whether the cores are fewer than those that the launcher has given.
    public var isPart: Bool { sharerCount > 1 && !isShared }
    /// Whether ranks share cores, because there are fewer than ranks.
    public let isShared: Bool

    /// The cores of a rank.
    ///
    /// - Parameters:
    ///   - rank: the rank.
    ///   - places: where each rank runs.
    public init(of rank: Int, places: [RankPlace]) {
        let place = places[rank]
        let sharers = places.indices.filter {
            places[$0].host == place.host && places[$0].cores == place.cores
        }
        let limit = min(place.coreLimit, max(1, place.cores.count))
        sharerCount = sharers.count
        isShared = place.cores.count < sharers.count
        guard sharers.count > 1, !isShared, let number = sharers.firstIndex(of: rank) else {
            cores = place.cores
            threadCount = isShared ? 1 : limit
            return
        }
        let start = number * place.cores.count / sharers.count
        let end = (number + 1) * place.cores.count / sharers.count
        cores = Array(place.cores[start..<end])
        threadCount = max(1, min(cores.count, limit / sharers.count))
    }
}
