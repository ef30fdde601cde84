import FalconTensor

/// The errors of all cases of one op.
public struct OpSummary: Sendable {
    /// The op's name.
    public let op: String
    /// The number of cases.
    public internal(set) var caseCount: Int
    /// The worst output of all cases, relative to the largest of its case.
    public internal(set) var forward: Double
    /// The worst gradient of all cases, likewise.
    public internal(set) var backward: Double
    /// The case with the worst gradient.
    public internal(set) var worstLabel: String

    /// Whether all errors are within the op's limits.
    ///
    /// - Parameter precision: the precision of the factors in products.
    /// - Returns: false also for errors that are not numbers.
    public func isWithinLimits(_ precision: Precision) -> Bool {
        let limit = OpCase.tolerance(of: op, precision)
        return forward <= limit.forward && backward <= limit.backward
    }
}

extension OpCase {
    /// Every op on shapes that have broken kernels before.
    public static var all: [OpCase] { rowCases + sequenceCases }

    /// The largest errors allowed, relative to the largest entry; never relaxed to pass.
    public static let tolerance = OpError(forward: 2e-6, backward: 5e-6)

    /// The largest errors allowed of an op on a device, relative to the largest entry.
    ///
    /// bfloat16 rounds a factor by at most 2⁻⁹ of itself; ops without products keep the limits of
    /// float32.
    ///
    /// - Parameters:
    ///   - op: the op's name.
    ///   - precision: the precision of the factors in products.
    /// - Returns: limits of outputs and gradients.
    public static func tolerance(of op: String, _ precision: Precision) -> OpError {
        let products = ["linear", "headCrossEntropy", "causalAttention", "ssdScan"]
        return precision == .bf16 && products.contains(op)
            ? OpError(forward: 0x1p-6, backward: 0x1p-5) : tolerance
    }

    /// Runs cases and gathers their errors by op, in order of appearance.
    ///
    /// - Parameters:
    ///   - cases: the cases to run.
    ///   - device: where the ops run.
    /// - Returns: one summary per op.
    public static func summaries(of cases: [OpCase] = all, on device: Device) -> [OpSummary] {
        var summaries: [OpSummary] = []
        for opCase in cases {
            let error = opCase.check(on: device)
            let place = summaries.firstIndex { $0.op == opCase.op }
            guard let place else {
                summaries.append(
                    OpSummary(
                        op: opCase.op, caseCount: 1, forward: error.forward,
                        backward: error.backward, worstLabel: opCase.label))
                continue
            }
            summaries[place].caseCount += 1
            summaries[place].forward = max(summaries[place].forward, error.forward)
            if error.backward > summaries[place].backward {
                summaries[place].backward = error.backward
                summaries[place].worstLabel = opCase.label
            }
        }
        return summaries
    }
}
