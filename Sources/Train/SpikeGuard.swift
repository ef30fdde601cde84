import FalconRunRecord

#if canImport(Glibc)
    import Glibc
#endif

/// A value of one step compared with those of the steps before it.
public struct SpikeScore: Codable, Equatable, Sendable {
    /// The value of this step.
    public let value: Double
    /// The geometric mean of the window.
    public let mean: Double
    /// The median of the window.
    public let median: Double
    /// The standard deviation of the logarithms in the window, or the least that counts.
    public let deviation: Double
    /// log(value / mean) / deviation.
    public let score: Double
}

/// The memory of a spike guard, saved and restored with the weights.
public struct SpikeHistory: Codable, Equatable, Sendable {
    /// The losses of the last applied steps, oldest first.
    public internal(set) var losses: [Double] = []
    /// Their gradient norms.
    public internal(set) var gradientNorms: [Double] = []
    /// Applied steps that entered the two lists below.
    public internal(set) var parameterSteps = 0
    /// By parameter, the recent mean of the logarithm of its gradient norm.
    public internal(set) var parameterMeans: [Double] = []
    /// By parameter, its recent variance.
    public internal(set) var parameterVariances: [Double] = []

    /// An empty history.
    public init() {}

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case losses
        case gradientNorms = "gradient_norms"
        case parameterSteps = "parameter_steps"
        case parameterMeans = "parameter_means"
        case parameterVariances = "parameter_variances"
    }
}

/// Detects steps whose loss or gradient norm is far above those of the last applied steps.
///
/// With m and s the mean and the standard deviation of log x over the window, a step is a spike if
///
///     log x − m > limit · max(s, least)       least = 0.02 for x the loss, 0.2 for the gradient norm
///
/// Logarithms, because norms vary by factors. However still the window was, a loss is thus no spike below
/// 1.13 times its mean at the usual limit of 6, and a gradient not below 3.3 times: norms of healthy runs
/// have long tails (1.4 times their mean at 7 deviations in 8,000 steps of one sequence), and clipping takes
/// those. A spike does not enter the window, so that one does not hide the next; a lasting change of level
/// therefore ends the run after `max_skipped_steps`. Everything is a function of the steps before, so a
/// resumed run decides in the same way.
///
/// - SeeAlso: `SkipStepOptimizer` of OLMo-core (`src/olmo_core/optim/skip_step_optimizer.py`): window 128, 6
///   standard deviations of loss and gradient norm, judged from half a window on; llm.c's `outlier_detector.h`.
public struct SpikeGuard: Equatable, Sendable {
    private static let leastLossDeviation = 0.02
    private static let leastNormDeviation = 0.2
    /// Used for 0, which has no logarithm.
    private static let leastValue = 1e-30

    /// Window and limit.
    public let section: SpikeGuardSection
    /// The steps that were applied.
    public private(set) var history: SpikeHistory

    /// A guard.
    ///
    /// - Parameters:
    ///   - section: window and limit.
    ///   - history: of a resumed run; empty at the beginning of a run.
    public init(_ section: SpikeGuardSection, history: SpikeHistory = SpikeHistory()) {
        self.section = section
        self.history = history
        // The window may have become shorter.
        self.history.losses = history.losses.suffix(section.window)
        self.history.gradientNorms = history.gradientNorms.suffix(section.window)
    }

    /// Whether there are enough steps to compare with.
    public var isReady: Bool { history.losses.count >= max(2, section.window / 2) }

    /// The loss of a step compared with the window; nil before there is one.
    func lossScore(_ loss: Double) -> SpikeScore? {
        Self.score(loss, in: history.losses, least: Self.leastLossDeviation)
    }

    /// The gradient norm of a step compared with the window; nil before there is one.
    func gradientScore(_ norm: Double) -> SpikeScore? {
        Self.score(norm, in: history.gradientNorms, least: Self.leastNormDeviation)
    }

    /// Why a step must not be applied; nil if it may.
    func reason(loss: Double, gradientNorm: Double) -> SkipReason? {
        guard isReady else { return nil }
        if let score = lossScore(loss), score.score > section.limit { return .lossSpike }
        if let score = gradientScore(gradientNorm), score.score > section.limit {
            return .gradientSpike
        }
        return nil
    }

    /// Takes the numbers of an applied step into the window.
    mutating func take(loss: Double, gradientNorm: Double, byParameter norms: [Double]) {
        func push(_ value: Double, _ list: inout [Double]) {
            if list.count == section.window { list.removeFirst() }
            list.append(value)
        }
        push(loss, &history.losses)
        push(gradientNorm, &history.gradientNorms)
        if history.parameterMeans.count != norms.count {
            history.parameterSteps = 0
            history.parameterMeans = Array(repeating: 0, count: norms.count)
            history.parameterVariances = history.parameterMeans
        }
        history.parameterSteps = min(history.parameterSteps + 1, section.window)
        // A plain mean at first, then an exponential one over about a window (Welford; Finch 2009).
        let share = 1 / Double(history.parameterSteps)
        for (place, norm) in norms.enumerated() {
            let difference = Self.logarithm(norm) - history.parameterMeans[place]
            history.parameterMeans[place] += share * difference
            history.parameterVariances[place] =
                (1 - share) * (history.parameterVariances[place] + share * difference * difference)
        }
    }

    /// The recent gradient norm of a parameter; nil before there is one.
    func usualNorm(ofParameter place: Int) -> Double? {
        history.parameterMeans.indices.contains(place)
            ? exp(history.parameterMeans[place]) : nil
    }

    /// The distance of a parameter's gradient norm above its recent ones, in standard deviations.
    func change(ofParameter place: Int, norm: Double) -> Double? {
        guard history.parameterMeans.indices.contains(place) else { return nil }
        let deviation = max(
            history.parameterVariances[place].squareRoot(), Self.leastNormDeviation)
        return (Self.logarithm(norm) - history.parameterMeans[place]) / deviation
    }

    private static func logarithm(_ value: Double) -> Double { log(max(value, leastValue)) }

    private static func score(_ value: Double, in window: [Double], least: Double) -> SpikeScore? {
        guard window.count > 1 else { return nil }
        let logs = window.map(logarithm)
        let mean = logs.reduce(0, +) / Double(logs.count)
        let squares = logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let deviation = max((squares / Double(logs.count - 1)).squareRoot(), least)
        return SpikeScore(
            value: value, mean: exp(mean), median: window.sorted()[window.count / 2],
            deviation: deviation, score: (logarithm(value) - mean) / deviation)
    }
}
