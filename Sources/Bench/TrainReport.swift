import FalconData
import FalconModel
import FalconProfiling
import FalconTensor
import FalconTrain

/// One line of a training benchmark, as `--json` prints it; units are in the names.
public struct TrainReport: Encodable, Sendable {
    /// The size's or recipe's name.
    public let model: String
    /// "falcon-h1" or "attention".
    public let architecture: String
    /// All weights.
    public let parameters: Int
    /// Width of the residual stream.
    public let hiddenSize: Int
    /// Blocks.
    public let layers: Int
    /// Sequences that the model takes at once.
    public let sequences: Int
    /// Tokens per sequence.
    public let sequenceLength: Int
    /// Tokens per step.
    public let stepTokens: Int
    /// The label of the format that products run in.
    public let precision: String
    /// The activations computed again by backward: "none", "cheap" or "block".
    public let recompute: String
    /// Timed steps.
    public let steps: Int
    /// The median time of a step.
    public let medianSeconds: Double
    /// The time of the fastest step.
    public let bestSeconds: Double
    /// The mean time of a step; the profile's times are parts of it.
    public let meanSeconds: Double
    /// Tokens per second at the median time of a step.
    public let tokensPerSecond: Double
    /// The operations that the mathematics needs; work that is done twice counts once.
    public let flopsPerStep: Double
    /// Operations per second at the median time of a step.
    public let flopsPerSecond: Double
    /// The share of the product peak measured in the same run.
    public let shareOfPeak: Double
    /// The most memory that the process held; nil if the system does not tell.
    public let peakMemoryBytes: Int?
    /// The most bytes of tensors alive at one time.
    public let peakTensorBytes: Int
    /// The loss of the last step, in nats; nil if not finite.
    public let loss: Double?
    /// The kernels of one step; nil if not profiled.
    public let profile: [KernelReport]?
    /// The limits of the speed-up by more threads; nil if not profiled.
    public let threadLimits: [ThreadLimit]?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case model, architecture, parameters, layers, sequences, precision, recompute, steps, loss
        case profile
        case hiddenSize = "hidden_size"
        case sequenceLength = "sequence_length"
        case stepTokens = "step_tokens"
        case medianSeconds = "median_step_seconds"
        case bestSeconds = "best_step_seconds"
        case meanSeconds = "mean_step_seconds"
        case tokensPerSecond = "tokens_per_second"
        case flopsPerStep = "flops_per_step"
        case flopsPerSecond = "flops_per_second"
        case shareOfPeak = "share_of_peak"
        case peakMemoryBytes = "peak_memory_bytes"
        case peakTensorBytes = "peak_tensor_bytes"
        case threadLimits = "thread_limits"
    }

    /// The line of a measurement.
    ///
    /// - Parameters:
    ///   - measurement: timed steps.
    ///   - peak: of the machine, measured in the same run.
    public init(_ measurement: TrainMeasurement, _ peak: MachinePeak) {
        let recipe = measurement.recipe
        model = measurement.subject.label
        architecture = measurement.subject.architecture.rawValue
        parameters = measurement.plan.parameterCount
        hiddenSize = recipe.model.hiddenSize
        layers = recipe.model.numHiddenLayers
        sequences = recipe.train.microBatchSequences
        sequenceLength = recipe.data.sequenceLength
        stepTokens = measurement.plan.stepTokens
        precision = measurement.precision
        recompute = recipe.train.recompute.rawValue
        steps = measurement.stepSeconds.count
        medianSeconds = measurement.medianSeconds
        bestSeconds = measurement.bestSeconds
        meanSeconds = measurement.meanSeconds
        tokensPerSecond = measurement.tokensPerSecond
        flopsPerStep = measurement.flopsPerStep
        flopsPerSecond = measurement.flopsPerSecond
        shareOfPeak = measurement.shareOfPeak(peak)
        peakMemoryBytes = measurement.peakMemoryBytes
        peakTensorBytes = measurement.peakTensorBytes
        loss = measurement.losses.last.flatMap { $0.isFinite ? $0 : nil }
        profile =
            measurement.profile.isEmpty
            ? nil
            : measurement.profile.map { KernelReport($0, measurement, peak) }
        threadLimits =
            measurement.profile.isEmpty
            ? nil
            : [4, 16, 64].map { ThreadLimit($0, measurement, measuredOn: peak.threads) }
    }
}

/// The limit of the speed-up by several threads over one, by the number of pieces alone.
///
/// A job of p equal pieces takes as long as ceil(p / n) of them on n threads. Forking, joining, memory
/// and caches cost more; work outside kernels is not sped up.
public struct ThreadLimit: Encodable, Sendable, Equatable {
    /// The number of threads.
    public let threads: Int
    /// The time on one thread divided by the time on `threads`.
    public let speedUp: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case threads
        case speedUp = "speed_up"
    }

    /// The limit that a measurement shows.
    init(_ threads: Int, _ measurement: TrainMeasurement, measuredOn measured: Int) {
        self.threads = threads
        let steps = Double(measurement.stepSeconds.count)
        func total(_ seconds: (ProfileRow) -> Double) -> Double {
            measurement.profile.reduce(0) { $0 + seconds($1) } / steps
        }
        let outside = measurement.meanSeconds - total(\.seconds)
        func step(_ threads: Int) -> Double {
            outside + total { $0.seconds(onThreads: threads, measuredOn: measured) }
        }
        speedUp = step(1) / step(threads)
    }
}

/// One op: the cost of its calls and the least that they must cost; units are in the names.
public struct KernelReport: Encodable, Sendable {
    /// The op and its direction; for products, the purpose.
    public let name: String
    /// The label of the format that its products run in.
    public let precision: String
    /// Calls per step.
    public let calls: Double
    /// Wall-clock time per step.
    public let seconds: Double
    /// The share of a step.
    public let shareOfStep: Double
    /// Floating-point operations of products, of all calls.
    public let flops: Double
    /// Bytes that must be moved, of all calls.
    public let bytes: Double
    /// The least possible time by the machine's peaks.
    public let floorSeconds: Double
    /// Floor divided by time: 1 is perfect; more means that data came from a cache.
    public let shareOfFloor: Double
    /// Jobs that woke the threads.
    public let forks: Double
    /// Pieces of those jobs.
    public let pieces: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case precision, calls, seconds, flops, bytes, forks, pieces
        case name = "op"
        case shareOfStep = "share_of_step"
        case floorSeconds = "floor_seconds"
        case shareOfFloor = "share_of_floor"
    }

    /// The report of a row.
    ///
    /// - Parameters:
    ///   - row: the calls of all steps.
    ///   - measurement: of the steps.
    ///   - peak: of the machine.
    init(_ row: ProfileRow, _ measurement: TrainMeasurement, _ peak: MachinePeak) {
        let steps = Double(measurement.stepSeconds.count)
        name = row.name
        precision = row.precision
        calls = Double(row.calls) / steps
        seconds = row.seconds / steps
        shareOfStep = seconds / measurement.meanSeconds
        flops = row.cost.flops / steps
        bytes = Double(row.cost.bytes) / steps
        floorSeconds = row.floorSeconds(peak) / steps
        shareOfFloor = floorSeconds / seconds
        forks = Double(row.work.forks) / steps
        pieces = Double(row.work.pieces) / steps
    }
}
