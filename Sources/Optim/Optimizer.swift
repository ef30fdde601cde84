import FalconSystem
import FalconTensor

/// One tensor of an optimizer's state, under the name that it has in files.
public struct OptimizerSlot {
    /// `first_moment.NAME`, `second_moment.NAME` or `momentum.NAME`.
    public let name: String
    /// In the parameter's shape.
    public let tensor: Tensor
}

/// The update rule of a recipe, its state in float32, over the masters of a table.
///
/// AdamW, and for matrices between hidden activations Muon if the recipe says so (see `MuonUpdate`):
///
///     m = β₁m + (1 − β₁)g;  v = β₂v + (1 − β₂)g²
///     w −= η·λ·w + η · (m / (1 − β₁ᵗ)) / (sqrt(v / (1 − β₂ᵗ)) + ε)
///
/// - SeeAlso: Loshchilov & Hutter, arXiv 1711.05101.
public final class Optimizer {
    /// Neighbouring AdamW parameters with the same numbers, updated in one pass.
    private struct Span {
        var range: Range<Int>
        /// Where its second moments begin in their buffer.
        let secondStart: Int
        let group: OptimizerGroup

        var secondRange: Range<Int> { secondStart..<secondStart + range.count }
    }

    private let section: OptimizerSection
    private let table: ParameterTable
    private let device: Device
    private let groups: [OptimizerGroup]
    private let spans: [Span]
    private let muonUpdates: [MuonUpdate]
    /// First moments, or Muon's momentum: `[flatCount]`.
    private let firstMoment: Tensor
    /// Second moments of the parameters that AdamW updates, next to each other.
    private let secondMoment: Tensor
    /// Steps applied so far.
    public var stepCount = 0
    private var lastFactor = 0.0
    private var lastDecayFactor = 0.0

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
        groups = try Self.groupPlaces(of: table, section).map { section.groups[$0] }
        firstMoment = device.zeros([table.flatCount])
        var spans: [Span] = []
        var secondCount = 0
        for (index, group) in groups.enumerated() {
            let range = table.offsets[index]..<table.offsets[index + 1]
            if section.usesMuon(table.parameters[index], in: group) { continue }
            if let last = spans.last, last.group == group, last.range.upperBound == range.lowerBound
            {
                spans[spans.count - 1].range = last.range.lowerBound..<range.upperBound
            } else {
                spans.append(Span(range: range, secondStart: secondCount, group: group))
            }
            secondCount += range.count
        }
        self.spans = spans
        secondMoment = device.zeros([max(1, secondCount)])
        let (parameters, momentum) = (table.parameters, firstMoment)
        let groups = groups
        let muonPlaces = groups.indices.filter {
            section.usesMuon(parameters[$0], in: groups[$0])
        }
        muonUpdates = MuonUpdate.all(
            muonPlaces.map {
                MuonUpdate.Matrix(
                    place: $0, parameter: parameters[$0], group: groups[$0],
                    momentum: table.slice(of: momentum, $0))
            }, section.muon.projections)
    }

    /// Floats that the state takes.
    ///
    /// - Parameters:
    ///   - table: the parameters; memory is not needed.
    ///   - section: the rules.
    /// - Returns: two for each weight that AdamW updates, one for Muon's.
    /// - Throws: `OptimizerError` as `groupPlaces`.
    public static func stateCount(
        of table: ParameterTable, _ section: OptimizerSection
    ) throws(OptimizerError) -> Int {
        let places = try groupPlaces(of: table, section)
        return zip(table.parameters, places).reduce(0) { sum, pair in
            sum + (section.usesMuon(pair.0, in: section.groups[pair.1]) ? 1 : 2) * pair.0.count
        }
    }

    /// Bytes of the state, gaps included.
    public var stateByteCount: Int {
        (firstMoment.count + secondMoment.count) * MemoryLayout<Float>.stride
    }

    /// The state by parameter, for files.
    public var slots: [OptimizerSlot] {
        let parameters = table.parameters
        func isMuon(_ index: Int) -> Bool {
            section.usesMuon(parameters[index], in: groups[index])
        }
        let first = parameters.indices.map { index in
            OptimizerSlot(
                name: (isMuon(index) ? "momentum." : "first_moment.") + parameters[index].name,
                tensor: table.slice(of: firstMoment, index))
        }
        let second = spans.flatMap { span in
            parameters.indices.filter { span.range.contains(table.offsets[$0]) }.map { index in
                let start = span.secondStart + table.offsets[index] - span.range.lowerBound
                return OptimizerSlot(
                    name: "second_moment." + parameters[index].name,
                    tensor: secondMoment.columns(start..<start + parameters[index].count)
                        .reshaped(parameters[index].shape))
            }
        }
        return first + second
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

    /// Updates all masters from their gradients and zeroes these.
    ///
    /// - Parameters:
    ///   - scheduleFactor: multiplies the learning rate of every group.
    ///   - weightDecayFactor: multiplies the weight decay of every group.
    ///   - gradientScale: multiplies the gradients of clipped groups first.
    public func step(
        scheduleFactor: Double, weightDecayFactor: Double = 1, gradientScale: Double
    ) {
        stepCount += 1
        (lastFactor, lastDecayFactor) = (scheduleFactor, weightDecayFactor)
        for span in spans {
            device.backend.adamW(
                weights: table.masters.columns(span.range),
                firstMoment: firstMoment.columns(span.range),
                secondMoment: secondMoment.columns(span.secondRange),
                gradient: table.gradients.columns(span.range),
                step: adamWStep(
                    span.group, weightDecayFactor: weightDecayFactor,
                    gradientScale: gradientScale))
        }
        for update in muonUpdates {
            let group = update.group
            let rate = scheduleFactor * section.learningRate(of: group)
            update.apply(
                section.muon, learningRate: rate,
                weightDecay: weightDecayFactor * section.weightDecay(of: group),
                gradientScale: group.isClipped ? gradientScale : 1, on: device)
        }
    }

    private func adamWStep(
        _ group: OptimizerGroup, weightDecayFactor: Double, gradientScale: Double
    ) -> AdamWStep {
        let betas = group.betas ?? section.betas
        func correction(_ beta: Double) -> Float { Float(1 - power(beta, stepCount)) }
        return AdamWStep(
            clip: Float(group.isClipped ? gradientScale : 1),
            learningRate: Float(lastFactor * section.learningRate(of: group)),
            weightDecay: Float(weightDecayFactor * section.weightDecay(of: group)),
            beta1: Float(betas[0]), beta2: Float(betas[1]),
            epsilon: Float(group.epsilon ?? section.epsilon),
            correction1: correction(betas[0]), correction2: correction(betas[1]))
    }

    /// The learning rate and weight decay of each parameter in the last step.
    ///
    /// - Returns: by parameter of the table; zeros before the first step.
    public func lastRates() -> [(learningRate: Double, weightDecay: Double)] {
        groups.map {
            (
                lastFactor * section.learningRate(of: $0),
                lastDecayFactor * section.weightDecay(of: $0)
            )
        }
    }

    /// The root mean square of the last update of each parameter, weight decay left out.
    ///
    /// AdamW's is computed again from its moments; Muon's was kept.
    ///
    /// - Returns: by parameter of the table; 0 before the first step.
    public func updateRMS() -> [Double] {
        var result = [Double](repeating: 0, count: table.parameters.count)
        guard stepCount > 0 else { return result }
        for (index, parameter) in table.parameters.enumerated() {
            guard
                let span = spans.first(where: { $0.range.contains(table.offsets[index]) })
            else { continue }
            let range = table.offsets[index]..<table.offsets[index] + parameter.count
            let start = span.secondStart + range.lowerBound - span.range.lowerBound
            let squares = device.backend.adamWUpdateSquares(
                firstMoment: firstMoment.columns(range),
                secondMoment: secondMoment.columns(start..<start + parameter.count),
                step: adamWStep(span.group, weightDecayFactor: 1, gradientScale: 1))
            result[index] = (squares / Double(parameter.count)).squareRoot()
        }
        for update in muonUpdates { update.addUpdateRMS(to: &result) }
        return result
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
