import FalconTensor

/// The update rule of a recipe with its float32 state, for the masters of a table or of a share of it.
///
/// AdamW; or, for matrices between hidden activations, Muon if the recipe says so (`MuonUpdate`):
///
///     m = β₁m + (1 − β₁)g;  v = β₂v + (1 − β₂)g²
///     w −= η·λ·w + η · (m / (1 − β₁ᵗ)) / (sqrt(v / (1 − β₂ᵗ)) + ε)
///
/// - SeeAlso: Loshchilov & Hutter, arXiv 1711.05101.
public final class Optimizer {
    /// Neighbouring AdamW parameters with the same numbers, updated in one pass.
    struct Span {
        var range: Range<Int>
        /// The place where its second moments begin in their buffer.
        let secondStart: Int
        let group: OptimizerGroup
        /// Whether its masters are copies, in a buffer of their own.
        let isMultiplied: Bool
    }

    /// The elements of the flat buffers whose state is held, and which `step` updates.
    public let share: ParameterShare
    let section: OptimizerSection
    let table: ParameterTable
    let device: Device
    let groups: [OptimizerGroup]
    let spans: [Span]
    let muonUpdates: [MuonUpdate]
    /// First moments, or Muon's momentum, of the share.
    private let firstMoment: Tensor
    /// Second moments of the elements of the share that AdamW updates, next to each other.
    private let secondMoment: Tensor
    /// Steps applied so far.
    public var stepCount = 0
    var lastFactor = 0.0
    var lastDecayFactor = 0.0

    /// An optimizer with zero moments.
    ///
    /// Optimizers of shares that together cover the table give the same bits as one for the whole
    /// table, if each takes every step.
    ///
    /// - Parameters:
    ///   - section: the recipe's part.
    ///   - table: allocated with gradients.
    ///   - device: the device that holds the table.
    ///   - share: elements that the table's share has; nil for all of these. It may begin and end inside a
    ///     parameter that AdamW updates, but not inside a matrix that Muon does: parameters that Muon updates,
    ///     and those that it stacks, are in it as a whole or not at all.
    /// - Throws: `OptimizerError` if the groups do not cover the table or one is empty.
    public init(
        _ section: OptimizerSection, table: ParameterTable, on device: Device,
        share: ParameterShare? = nil
    ) throws(OptimizerError) {
        let share = share ?? table.share
        precondition(
            share.ranges.allSatisfy(table.share.contains),
            "Optimizer: \(share.ranges) are not of the table's share")
        self.share = share
        self.section = section
        self.table = table
        self.device = device
        groups = try Self.groupPlaces(of: table, section).map { section.groups[$0] }
        firstMoment = device.zeros([max(1, share.count)])
        var spans: [Span] = []
        var secondCount = 0
        for (index, group) in groups.enumerated()
        where !section.usesMuon(table.parameters[index], in: group) {
            let isMultiplied = table.isMultiplied(index)
            for part in share.parts(of: table.room(of: index)) {
                if let last = spans.last, last.group == group, last.isMultiplied == isMultiplied,
                    last.range.upperBound == part.lowerBound
                {
                    spans[spans.count - 1].range = last.range.lowerBound..<part.upperBound
                } else {
                    spans.append(
                        Span(
                            range: part, secondStart: secondCount, group: group,
                            isMultiplied: isMultiplied))
                }
                secondCount += part.count
            }
        }
        self.spans = spans
        secondMoment = device.zeros([max(1, secondCount)])
        muonUpdates = Self.muonUpdates(of: table, section, groups).filter { update in
            let isOwn = share.contains(update.elements)
            precondition(
                isOwn || share.parts(of: update.elements).isEmpty,
                "Optimizer: the share cuts a matrix that Muon updates, \(update.elements)")
            return isOwn
        }
    }

    /// The matrices of a table that Muon updates.
    static func muonUpdates(
        of table: ParameterTable, _ section: OptimizerSection, _ groups: [OptimizerGroup]
    ) -> [MuonUpdate] {
        let matrices = table.parameters.enumerated().compactMap { index, parameter in
            section.usesMuon(parameter, in: groups[index])
                ? MuonUpdate.Matrix(
                    place: index, parameter: parameter, group: groups[index],
                    elements: table.elements(of: index))
                : nil
        }
        return MuonUpdate.all(matrices, section.muon.projections)
    }

    /// The first moments of elements of one range of the share.
    func firstMoments(_ elements: Range<Int>) -> Tensor {
        firstMoment.columns(share.places(of: elements))
    }

    /// The second moments of elements of a span.
    func secondMoments(_ elements: Range<Int>, of span: Span) -> Tensor {
        let start = span.secondStart - span.range.lowerBound
        return secondMoment.columns(start + elements.lowerBound..<start + elements.upperBound)
    }

    /// The number of float32 values in the state.
    ///
    /// - Parameters:
    ///   - table: the parameters; they need no memory.
    ///   - section: the rules.
    /// - Returns: two for each weight that AdamW updates, one for each that Muon updates.
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

    /// The group of every parameter.
    ///
    /// - Parameters:
    ///   - table: the parameters; they need no memory.
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

    /// Updates the masters of the share from their gradients and sets the gradients to zero.
    ///
    /// - Parameters:
    ///   - scheduleFactor: multiplies the learning rate of every group.
    ///   - weightDecayFactor: multiplies the weight decay of every group.
    ///   - gradientDivisor: divides all gradients first: the number of summed terms, above 0.
    ///   - clipScale: multiplies the gradients of clipped groups.
    public func step(
        scheduleFactor: Double, weightDecayFactor: Double = 1, gradientDivisor: Double = 1,
        clipScale: Double
    ) {
        stepCount += 1
        (lastFactor, lastDecayFactor) = (scheduleFactor, weightDecayFactor)
        func gradientScale(_ group: OptimizerGroup) -> Double {
            (group.isClipped ? clipScale : 1) / gradientDivisor
        }
        for span in spans {
            device.backend.adamW(
                weights: table.masters(span.range),
                firstMoment: firstMoments(span.range),
                secondMoment: secondMoments(span.range, of: span),
                gradient: table.summedGradients(span.range),
                step: adamWStep(
                    span.group, weightDecayFactor: weightDecayFactor,
                    gradientScale: gradientScale(span.group)))
        }
        for update in muonUpdates {
            let group = update.group
            update.apply(
                section.muon, learningRate: scheduleFactor * section.learningRate(of: group),
                weightDecay: weightDecayFactor * section.weightDecay(of: group),
                gradientScale: gradientScale(group), on: device
            ) { firstMoments($0.elements).reshaped($0.parameter.shape) }
        }
    }

    func adamWStep(
        _ group: OptimizerGroup, weightDecayFactor: Double, gradientScale: Double
    ) -> AdamWStep {
        let betas = group.betas ?? section.betas
        func correction(_ beta: Double) -> Float { Float(1 - power(beta, stepCount)) }
        return AdamWStep(
            clip: Float(gradientScale),
            learningRate: Float(lastFactor * section.learningRate(of: group)),
            weightDecay: Float(weightDecayFactor * section.weightDecay(of: group)),
            beta1: Float(betas[0]), beta2: Float(betas[1]),
            epsilon: Float(group.epsilon ?? section.epsilon),
            correction1: correction(betas[0]), correction2: correction(betas[1]))
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
