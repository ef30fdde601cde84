import FalconTensor

/// The update rule of a recipe with its float32 state, for the masters of a table or a range.
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
    }

    /// The elements of the flat buffers whose state is held, and which `step` updates.
    public let range: Range<Int>
    let section: OptimizerSection
    let table: ParameterTable
    let device: Device
    let groups: [OptimizerGroup]
    let spans: [Span]
    let muonUpdates: [MuonUpdate]
    /// First moments, or Muon's momentum, of the range.
    private let firstMoment: Tensor
    /// Second moments of the elements of the range that AdamW updates, next to each other.
    private let secondMoment: Tensor
    /// Steps applied so far.
    public var stepCount = 0
    var lastFactor = 0.0
    var lastDecayFactor = 0.0

    /// An optimizer with zero moments.
    ///
    /// Optimizers of ranges that together cover the table give the same bits as one for the whole
    /// table, if each takes every step.
    ///
    /// - Parameters:
    ///   - section: the recipe's part.
    ///   - table: allocated with gradients.
    ///   - device: the device that holds the table.
    ///   - range: elements of the flat buffers; nil for all. It may begin and end inside a parameter that
    ///     AdamW updates, but not inside a matrix that Muon does: parameters that Muon updates, and those
    ///     that it stacks, are in the range as a whole or not at all.
    /// - Throws: `OptimizerError` if the groups do not cover the table or one is empty.
    public init(
        _ section: OptimizerSection, table: ParameterTable, on device: Device,
        range: Range<Int>? = nil
    ) throws(OptimizerError) {
        let range = range ?? 0..<table.flatCount
        precondition(
            range.lowerBound >= 0 && range.upperBound <= table.flatCount,
            "Optimizer: range \(range) is outside 0..<\(table.flatCount)")
        self.range = range
        self.section = section
        self.table = table
        self.device = device
        groups = try Self.groupPlaces(of: table, section).map { section.groups[$0] }
        firstMoment = device.zeros([max(1, range.count)])
        var spans: [Span] = []
        var matrices: [MuonUpdate.Matrix] = []
        var secondCount = 0
        for (index, group) in groups.enumerated() {
            let parameter = table.parameters[index]
            if section.usesMuon(parameter, in: group) {
                matrices.append(
                    MuonUpdate.Matrix(
                        place: index, parameter: parameter, group: group,
                        elements: table.elements(of: index)))
                continue
            }
            let part = (table.offsets[index]..<table.offsets[index + 1]).clamped(to: range)
            if part.isEmpty { continue }
            if let last = spans.last, last.group == group, last.range.upperBound == part.lowerBound
            {
                spans[spans.count - 1].range = last.range.lowerBound..<part.upperBound
            } else {
                spans.append(Span(range: part, secondStart: secondCount, group: group))
            }
            secondCount += part.count
        }
        self.spans = spans
        secondMoment = device.zeros([max(1, secondCount)])
        muonUpdates = MuonUpdate.all(matrices, section.muon.projections).filter { update in
            let part = update.elements.clamped(to: range)
            precondition(
                part.isEmpty || part == update.elements,
                "Optimizer: range \(range) cuts a matrix that Muon updates, \(update.elements)")
            return !part.isEmpty
        }
    }

    /// The first moments of elements of the range.
    func firstMoments(_ elements: Range<Int>) -> Tensor {
        firstMoment.columns(
            elements.lowerBound - range.lowerBound..<elements.upperBound - range.lowerBound)
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

    /// Updates the masters of the range from their gradients and sets the gradients to zero.
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
                weights: table.masters.columns(span.range),
                firstMoment: firstMoments(span.range),
                secondMoment: secondMoments(span.range, of: span),
                gradient: table.gradients.columns(span.range),
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
