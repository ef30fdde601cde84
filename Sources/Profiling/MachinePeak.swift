import CKernels
import FalconSystem
import FalconTensor

/// The measured peak of this machine, from which the floor of every kernel is calculated.
public struct MachinePeak: Sendable, Equatable, Codable {
    /// A rate on one thread alone and on all threads together.
    public struct Rate: Sendable, Equatable, Codable {
        /// The other threads idle.
        public let oneThread: Double
        /// The sum over all threads.
        public let allThreads: Double

        /// The key of each field in JSON.
        public enum CodingKeys: String, CodingKey {
            case oneThread = "one_thread"
            case allThreads = "all_threads"
        }

        func better(_ other: Self) -> Self {
            Self(
                oneThread: max(oneThread, other.oneThread),
                allThreads: max(allThreads, other.allThreads))
        }
    }

    /// Threads of the second numbers.
    public let threads: Int
    /// Float32 fused multiply-adds in registers, FLOP/s.
    public let float32: Rate
    /// bf16 dot products added to float32, FLOP/s; nil if the CPU has no such instruction.
    public let bfloat16: Rate?
    /// y = x on arrays much larger than the caches, bytes/s: 8 per element.
    public let copy: Rate
    /// y = a + s·b likewise, bytes/s: 12 per element.
    public let triad: Rate

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case threads
        case float32 = "float32_flops_per_second"
        case bfloat16 = "bf16_flops_per_second"
        case copy = "copy_bytes_per_second"
        case triad = "triad_bytes_per_second"
    }

    /// Measures the machine.
    ///
    /// - Parameters:
    ///   - threadCount: at least 1.
    ///   - arrayByteCount: the size of each of three arrays; nil for four times the last cache, within
    ///     64 MiB and 1 GiB.
    public init(threadCount: Int, arrayByteCount: Int? = nil) {
        threads = threadCount
        let (one, all) = (ThreadPool(threadCount: 1), ThreadPool(threadCount: threadCount))
        float32 = Self.productRate(one, all, fk_peak_float32)
        var sink: Float = 0
        bfloat16 = fk_peak_bf16(&sink, 1) == 0 ? nil : Self.productRate(one, all, fk_peak_bf16)
        let wanted = arrayByteCount ?? min(max(4 * fk_last_cache_bytes(), 64 << 20), 1 << 30)
        let count = max(1, wanted / 64) * 16
        let byteCount = count * MemoryLayout<Float>.stride
        let arrays = (0..<3).map { _ in
            guard let block = HostMemory.allocate(byteCount) else {
                preconditionFailure("MachinePeak: no memory for \(byteCount) bytes")
            }
            let array = block.assumingMemoryBound(to: Float.self)
            all.ranges(count, grain: Self.memoryGrain) { _, range in
                fk_fill(array + range.lowerBound, range.count, 0)
            }
            return array
        }
        defer { for array in arrays { HostMemory.deallocate(array, byteCount) } }
        let (y, a, b) = (arrays[0], arrays[1], arrays[2])
        copy = Self.memoryRate(one, all, count, bytesPerFloat: 8) { range in
            fk_peak_copy(y + range.lowerBound, a + range.lowerBound, range.count)
        }
        triad = Self.memoryRate(one, all, count, bytesPerFloat: 12) { range in
            fk_peak_triad(
                y + range.lowerBound, a + range.lowerBound, b + range.lowerBound, 0.5, range.count)
        }
    }

    private init(threads: Int, float32: Rate, bfloat16: Rate?, copy: Rate, triad: Rate) {
        self.threads = threads
        self.float32 = float32
        self.bfloat16 = bfloat16
        self.copy = copy
        self.triad = triad
    }

    /// The better of two measurements in each number: other processes only ever slow one down.
    ///
    /// - Parameter other: a measurement of the same machine with the same number of threads.
    /// - Returns: the best seen.
    public func better(_ other: Self) -> Self {
        Self(
            threads: threads, float32: float32.better(other.float32),
            bfloat16: bfloat16.flatMap { other.bfloat16?.better($0) },
            copy: copy.better(other.copy), triad: triad.better(other.triad))
    }

    /// The product peak of all threads for a precision label, FLOP/s.
    ///
    /// - Parameter precision: "bf16", or anything else for float32.
    /// - Returns: FLOP/s; the float32 peak if there are no bf16 instructions.
    public func productRate(precision: String) -> Double {
        (precision == "bf16" ? bfloat16 : nil)?.allThreads ?? float32.allThreads
    }

    /// The memory bandwidth of all threads, bytes/s: the better of copy and triad.
    public var memoryRate: Double { max(copy.allThreads, triad.allThreads) }

    /// The least time that a call can take.
    ///
    /// - Parameters:
    ///   - cost: the cost of the call.
    ///   - precision: the label of the products' format.
    /// - Returns: seconds: the longer of computing at the product peak and moving at the bandwidth.
    public func floorSeconds(_ cost: KernelCost, precision: String) -> Double {
        max(cost.flops / productRate(precision: precision), Double(cost.bytes) / memoryRate)
    }

    private static let repeats = 10
    /// Rounds of a piece: about a millisecond.
    private static let rounds = 800_000
    private static let piecesPerThread = 2
    /// Floats of a piece when memory is measured: 1 MiB.
    private static let memoryGrain = 1 << 18

    /// The best of some repeats on one and on all threads.
    private static func best(
        _ one: ThreadPool, _ all: ThreadPool, _ amount: (ThreadPool) -> Double
    ) -> Rate {
        func rate(_ pool: ThreadPool) -> Double {
            let start = monotonicSeconds()
            let done = amount(pool)
            return done / (monotonicSeconds() - start)
        }
        var (oneThread, allThreads) = (0.0, 0.0)
        for _ in 0..<repeats {
            oneThread = max(oneThread, rate(one))
            allThreads = max(allThreads, rate(all))
        }
        return Rate(oneThread: oneThread, allThreads: max(oneThread, allThreads))
    }

    private static func productRate(
        _ one: ThreadPool, _ all: ThreadPool,
        _ loop: (UnsafeMutablePointer<Float>?, Int) -> UInt64
    ) -> Rate {
        best(one, all) { pool in
            let pieces = pool.threadCount * piecesPerThread
            pool.run(pieces) { _, _ in
                var sink: Float = 0
                _ = loop(&sink, rounds)
            }
            var sink: Float = 0
            return Double(loop(&sink, 1)) * Double(rounds) * Double(pieces)
        }
    }

    private static func memoryRate(
        _ one: ThreadPool, _ all: ThreadPool, _ count: Int, bytesPerFloat: Int,
        _ body: (Range<Int>) -> Void
    ) -> Rate {
        best(one, all) { pool in
            pool.ranges(count, grain: memoryGrain) { _, range in body(range) }
            return Double(count) * Double(bytesPerFloat)
        }
    }
}
