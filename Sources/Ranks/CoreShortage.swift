/// Ranks of one host that have fewer cores than they could use.
public enum CoreShortage: Equatable, Sendable, CustomStringConvertible {
    /// The launcher has bound each of these ranks to fewer cores than it has threads.
    case bound(host: String, ranks: [Int], cores: Int, threads: Int)
    /// The launcher has bound every rank of the host to one core, and leaves others idle.
    case idle(host: String, ranks: [Int], hostCores: Int)
    /// The ranks of a host have together more threads than cores.
    case shared(host: String, ranks: [Int], cores: Int, threads: Int)

    /// Looks for hosts whose ranks have fewer cores than they could use.
    ///
    /// - Parameters:
    ///   - places: where each rank runs.
    ///   - threadCount: the threads of every rank, at least 1.
    /// - Returns: at most one of each host, in the order of their first ranks.
    public static func all(of places: [RankPlace], threadCount: Int) -> [CoreShortage] {
        var hosts: [String] = []
        for place in places where !hosts.contains(place.host) { hosts.append(place.host) }
        return hosts.compactMap { host in
            shortage(
                of: places, ranks: places.indices.filter { places[$0].host == host },
                threadCount: threadCount)
        }
    }

    private static func shortage(
        of places: [RankPlace], ranks: [Int], threadCount: Int
    ) -> CoreShortage? {
        let (host, hostCores) = (places[ranks[0]].host, places[ranks[0]].hostCoreCount)
        // A system that does not say which cores a process has leaves nothing to compare.
        if ranks.contains(where: { places[$0].cores.isEmpty }) { return nil }
        let few = ranks.filter { places[$0].cores.count < min(threadCount, hostCores) }
        if let first = few.first {
            return .bound(
                host: host, ranks: few, cores: places[first].cores.count, threads: threadCount)
        }
        if ranks.allSatisfy({ places[$0].cores.count == 1 }) && hostCores > ranks.count {
            return .idle(host: host, ranks: ranks, hostCores: hostCores)
        }
        // Control groups may give a rank less than its cores; ranks of one group share what it gives.
        let cores = Set(ranks.flatMap { places[$0].cores }).count
        let usable = min(cores, ranks.reduce(0) { $0 + places[$1].coreLimit })
        let threads = threadCount * ranks.count
        return threads <= usable
            ? nil : .shared(host: host, ranks: ranks, cores: usable, threads: threads)
    }

    /// The message: what is short where, and what to do.
    public var description: String {
        switch self {
        case .bound(let host, let ranks, let cores, let threads):
            "\(Self.subject(ranks)) on \(host) bound to \(Self.count(cores)) by the launcher, for \(threads) threads "
                + "each, which is slow; " + Self.advice(threads: threads)
        case .idle(let host, let ranks, let hostCores):
            "\(Self.subject(ranks)) on \(host) bound to 1 core each by the launcher, and \(hostCores - ranks.count) of "
                + "its \(hostCores) cores stay idle; "
                + Self.advice(threads: hostCores / ranks.count)
        case .shared(let host, let ranks, let cores, let threads):
            "\(Self.subject(ranks)) on \(host) with \(threads) threads in all on \(Self.count(cores)), which is slow; "
                + (threads > ranks.count && cores >= ranks.count
                    ? "give --threads \(cores / ranks.count), or start" : "start")
                + " fewer ranks there"
        }
    }

    private static func advice(threads: Int) -> String {
        "start it with mpirun --bind-to none or --map-by slot:PE=\(threads) (Open MPI), mpirun -bind-to none "
            + "(MPICH), or srun --cpus-per-task=\(threads)"
    }

    private static func subject(_ ranks: [Int]) -> String {
        guard ranks.count > 1 else { return "rank \(ranks[0]) is" }
        let (first, last) = (ranks[0], ranks[ranks.count - 1])
        let isRange = ranks.count > 2 && last - first == ranks.count - 1
        return "ranks "
            + (isRange ? "\(first) to \(last)" : ranks.map(String.init).joined(separator: ", "))
            + " are"
    }

    private static func count(_ cores: Int) -> String { cores == 1 ? "1 core" : "\(cores) cores" }
}
