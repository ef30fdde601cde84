import FalconTensor

/// The totals over all calls of one op.
public struct ProfileRow: Sendable, Equatable {
    /// The op and its direction; for products the purpose.
    public let name: String
    /// The number format that its products run in: "f32" or another label of the device.
    public let precision: String
    /// The number of calls.
    public internal(set) var calls = 0
    /// Wall time of the calls.
    public internal(set) var seconds = 0.0
    /// The least work of all calls together.
    public internal(set) var cost = KernelCost(bytes: 0)
    /// The number of calls with each cost.
    var callsByCost: [KernelCost: Int] = [:]
    /// The wall time of calls that were split alike.
    var secondsByWork: [ParallelWork: Double] = [:]
    /// The division of the calls over threads.
    public internal(set) var work = ParallelWork()

    /// The least time the calls can take: the sum of their floors.
    ///
    /// - Parameter peak: the peak of the machine.
    /// - Returns: seconds.
    public func floorSeconds(_ peak: MachinePeak) -> Double {
        callsByCost.reduce(0) { sum, entry in
            sum + Double(entry.value) * peak.floorSeconds(entry.key, precision: precision)
        }
    }

    /// The time that the calls would take on another number of threads, by their pieces alone.
    ///
    /// A job of p equal pieces takes as long as ceil(p / n) of them on n threads.
    ///
    /// - Parameters:
    ///   - threads: at least 1.
    ///   - measured: threads that the times were measured on.
    /// - Returns: seconds; forking, joining, memory and caches cost more.
    public func seconds(onThreads threads: Int, measuredOn measured: Int) -> Double {
        secondsByWork.reduce(0) { sum, entry in
            let pieces = Double(entry.key.pieces) / Double(max(1, entry.key.forks))
            func rounds(_ threads: Int) -> Double {
                max(1, (pieces / Double(threads)).rounded(.up))
            }
            return sum + entry.value * rounds(threads) / rounds(measured)
        }
    }
}

/// Times and costs of kernels, added up by op.
///
/// - Invariant: used from one thread at a time, the one that runs the training loop.
public final class Profile {
    private var byName: [String: ProfileRow] = [:]

    /// An empty profile.
    public init() {}

    /// The rows, those with the most time first.
    public var rows: [ProfileRow] {
        byName.values.sorted { ($1.seconds, $0.name) < ($0.seconds, $1.name) }
    }

    /// Forgets everything.
    public func reset() { byName = [:] }

    /// Files a call.
    ///
    /// - Parameters:
    ///   - name: the op and its direction; for products the purpose.
    ///   - precision: the number format that its products run in.
    ///   - cost: the least work of the call.
    ///   - seconds: its wall time.
    ///   - work: its division over threads.
    func add(
        _ name: String, precision: String, _ cost: KernelCost, seconds: Double, work: ParallelWork
    ) {
        var row =
            byName.removeValue(forKey: name) ?? ProfileRow(name: name, precision: precision)
        row.calls += 1
        row.seconds += seconds
        row.cost.flops += cost.flops
        row.cost.bytes += cost.bytes
        row.callsByCost[cost, default: 0] += 1
        row.secondsByWork[work, default: 0] += seconds
        row.work.forks += work.forks
        row.work.pieces += work.pieces
        byName[name] = row
    }
}
