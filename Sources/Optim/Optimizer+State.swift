import FalconTensor

/// One tensor of an optimizer's state, under the name that it has in files, in the shape of its parameter.
public struct OptimizerSlot: Equatable, Sendable {
    /// `first_moment.NAME`, `second_moment.NAME` or `momentum.NAME`.
    public let name: String
    /// The parameter's place in the table.
    public let parameter: Int
    /// Whether it holds second moments.
    let isSecond: Bool
}

// The contents of the state, and the last step.
extension Optimizer {
    /// The tensors of the state of the whole table, whoever holds them: first moments and momenta, then second
    /// moments.
    public var slots: [OptimizerSlot] {
        let muon = table.parameters.indices.map {
            section.usesMuon(table.parameters[$0], in: groups[$0])
        }
        let first = table.parameters.enumerated().map { index, parameter in
            OptimizerSlot(
                name: (muon[index] ? "momentum." : "first_moment.") + parameter.name,
                parameter: index, isSecond: false)
        }
        let second = table.parameters.enumerated().filter { !muon[$0.offset] }.map {
            OptimizerSlot(
                name: "second_moment." + $0.element.name, parameter: $0.offset, isSecond: true)
        }
        return first + second
    }

    /// Some values of a slot.
    ///
    /// - Parameters:
    ///   - slot: one of `slots`.
    ///   - elements: of the flat buffers: of the slot's parameter, and of one range of the share.
    /// - Returns: a view, `[elements.count]`.
    public func values(of slot: OptimizerSlot, _ elements: Range<Int>) -> Tensor {
        guard slot.isSecond else { return firstMoments(elements) }
        guard
            let span = spans.first(where: {
                $0.range.lowerBound <= elements.lowerBound
                    && elements.upperBound <= $0.range.upperBound
            })
        else { preconditionFailure("Optimizer: \(elements) of \(slot.name) are not of the share") }
        return secondMoments(elements, of: span)
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

    /// The sum of squares of the last update of a stretch of a parameter, without weight decay.
    ///
    /// AdamW's is computed again from its moments; Muon's is kept, and spread evenly over the rows of a stack.
    ///
    /// - Parameters:
    ///   - parameter: the parameter's place in the table.
    ///   - elements: of it, in one range of the share; for Muon all of it.
    /// - Returns: 0 before the first step.
    public func updateSquares(ofParameter parameter: Int, _ elements: Range<Int>) -> Double {
        guard stepCount > 0 else { return 0 }
        let span = spans.first { $0.range.overlaps(elements) }
        guard let span else {
            return muonUpdates.reduce(0) { $0 + $1.updateSquares(ofParameter: parameter) }
        }
        return device.backend.adamWUpdateSquares(
            firstMoment: firstMoments(elements),
            secondMoment: secondMoments(elements, of: span),
            step: adamWStep(span.group, weightDecayFactor: 1, gradientScale: 1))
    }
}
