import FalconProfiling
import FalconSystem
import FalconTensor

/// The machine of a measurement, its peak speed, and its use by other processes meanwhile.
public struct MachineReport: Encodable, Sendable {
    /// The processor's name.
    public let processor: String
    /// Its peak speed.
    public let peak: MachinePeak
    /// The share of all processors' time that other processes took; nil if unknown.
    public let othersShare: Double?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case processor, peak
        case othersShare = "others_cpu_share"
    }

    /// The share of others above which times cannot be trusted.
    public static let othersShareLimit = 0.05

    /// Whether other processes took so much time that times cannot be trusted.
    public var isDisturbed: Bool { othersShare ?? 0 > Self.othersShareLimit }
}

/// A measurement under way: the peak is measured before and after.
public struct MachineWatch {
    private let watch = ProcessorWatch()
    private let peak: MachinePeak

    /// Measures the machine, which briefly takes up to 3 GiB, and starts to watch other processes.
    ///
    /// - Parameter threadCount: threads of the measurement.
    public init(threadCount: Int) { peak = MachinePeak(threadCount: threadCount) }

    /// Measures the machine again and keeps the better numbers.
    ///
    /// - Returns: the machine during the measurement.
    public func finish() -> MachineReport {
        let share = watch.othersShare()
        let peak = peak.better(MachinePeak(threadCount: peak.threads))
        return MachineReport(processor: processorName(), peak: peak, othersShare: share)
    }
}

/// The median of some numbers: for an even count, the mean of the two middle ones.
///
/// - Parameter values: at least one.
/// - Returns: their median.
public func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let half = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
