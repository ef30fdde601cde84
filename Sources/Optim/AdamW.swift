import FalconSystem
import FalconTensor

/// A parameter without a group, or a group without parameters.
public enum OptimizerError: FalconError, Equatable {
    case unmatchedParameters([String])
    case emptyGroup(place: Int, rule: String)

    /// The message for a person.
    public var description: String {
        switch self {
        case .unmatchedParameters(let names):
            let shown = names.prefix(5).joined(separator: ", ")
            return "optimizer.groups: no rule matches \(names.count) parameters (\(shown)"
                + (names.count > 5 ? ", …" : "") + "); add a group for their role"
        case .emptyGroup(let place, let rule):
            return
                "optimizer.groups[\(place)] (\(rule)) matches no parameter that an earlier group "
                + "has not taken; remove it or correct its roles and names"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus { .badRecipe }
}

/// Adam with decoupled weight decay, its state in float32, over the flat buffers of a table.
///
///     m = β₁m + (1 − β₁)g;  v = β₂v + (1 − β₂)g²
///     w −= η·λ·w + η · (m / (1 − β₁ᵗ)) / (sqrt(v / (1 − β₂ᵗ)) + ε)
///
/// - SeeAlso: Loshchilov & Hutter, arXiv 1711.05101.
public final class AdamW {
    /// Neighbouring parameters with the same numbers, updated in one pass.
    private struct Span {
        var range: Range<Int>
        let group: OptimizerGroup
    }

    private let section: OptimizerSection
    private let table: ParameterTable
    private let device: Device
    private let spans: [Span]
    /// First moments, `[flatCount]`.
    public let firstMoment: Tensor
    /// Second moments, `[flatCount]`.
    public let secondMoment: Tensor
    /// Steps applied so far.
    public var stepCount = 0

    /// An optimizer with zero moments.
    ///
    /// - Parameters:
    ///   - section: the recipe's part.
    ///   - table: allocated with gradients.
    ///   - device: where the table lives.
    /// - Throws: `OptimizerError` if the groups do not cover the table or one is empty.
    public init(
        _ section: OptimizerSection, table: ParameterTable, on device: Device
    ) throws(OptimizerError) {
        self.section = section
        self.table = table
        self.device = device
        let places = try Self.groupPlaces(of: table, section)
        var spans: [Span] = []
        for (index, place) in places.enumerated() {
            let range = table.offsets[index]..<table.offsets[index + 1]
            if let last = spans.last, last.group == section.groups[place] {
                spans[spans.count - 1].range = last.range.lowerBound..<range.upperBound
            } else {
                spans.append(Span(range: range, group: section.groups[place]))
            }
        }
        self.spans = spans
        firstMoment = device.zeros([table.flatCount])
        secondMoment = device.zeros([table.flatCount])
    }

    /// The group of every parameter.
    ///
    /// - Parameters:
    ///   - table: the parameters; memory is not needed.
    ///   - section: the rules.
    /// - Returns: places in `section.groups`, by parameter.
    /// - Throws: `OptimizerError` if a parameter has no group or a group no parameter.
    @discardableResult
    public static func groupPlaces(
        of table: ParameterTable, _ section: OptimizerSection
    ) throws(OptimizerError) -> [Int] {
        var places: [Int] = []
        var unmatched: [String] = []
        for parameter in table.parameters {
            let place = section.groups.firstIndex {
                $0.matches(name: parameter.name, role: parameter.role)
            }
            if let place { places.append(place) } else { unmatched.append(parameter.name) }
        }
        if !unmatched.isEmpty { throw .unmatchedParameters(unmatched) }
        for (place, group) in section.groups.enumerated() where !places.contains(place) {
            let roles = group.roles.map { "roles \($0.map(\.rawValue))" } ?? "any role"
            throw .emptyGroup(
                place: place, rule: roles + (group.names.map { ", names \($0)" } ?? ""))
        }
        return places
    }

    /// Updates all weights from their gradients and zeroes these.
    ///
    /// - Parameters:
    ///   - scheduleFactor: multiplies the learning rate of every group.
    ///   - weightDecayFactor: multiplies λ of every group, as the schedule wants it.
    ///   - gradientScale: multiplies the gradients of clipped groups first.
    public func step(
        scheduleFactor: Double, weightDecayFactor: Double = 1, gradientScale: Double
    ) {
        stepCount += 1
        for span in spans {
            let betas = span.group.betas ?? section.betas
            func correction(_ beta: Double) -> Float { Float(1 - power(beta, stepCount)) }
            device.backend.adamW(
                weights: table.masters.columns(span.range),
                firstMoment: firstMoment.columns(span.range),
                secondMoment: secondMoment.columns(span.range),
                gradient: table.gradients.columns(span.range),
                step: AdamWStep(
                    clip: Float(span.group.isClipped ? gradientScale : 1),
                    learningRate: Float(scheduleFactor * learningRate(of: span.group)),
                    weightDecay: Float(
                        (span.group.weightDecay ?? section.weightDecay) * weightDecayFactor),
                    beta1: Float(betas[0]), beta2: Float(betas[1]),
                    epsilon: Float(span.group.epsilon ?? section.epsilon),
                    correction1: correction(betas[0]), correction2: correction(betas[1])))
        }
    }

    /// At the top of the schedule.
    private func learningRate(of group: OptimizerGroup) -> Double {
        group.learningRate ?? section.learningRate * (group.learningRateScale ?? 1)
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= square }
            square *= square
            rest >>= 1
        }
        return result
    }
}
