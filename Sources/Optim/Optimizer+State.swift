import FalconTensor

/// One tensor of an optimizer's state, under the name that it has in files.
public struct OptimizerSlot {
    /// `first_moment.NAME`, `second_moment.NAME` or `momentum.NAME`.
    public let name: String
    /// The elements of the parameter that it covers: all, unless the optimizer's range ends within.
    public let elements: Range<Int>
    /// The values, in the parameter's shape; `[elements.count]` for a part of one.
    public let tensor: Tensor
}

// The contents of the state, and the last step.
extension Optimizer {
    /// The state of the range by parameter, for files.
    public var slots: [OptimizerSlot] {
        let first = table.parameters.indices.compactMap { index in
            let isMuon = section.usesMuon(table.parameters[index], in: groups[index])
            return slot(isMuon ? "momentum." : "first_moment.", index, in: range) {
                firstMoments($0)
            }
        }
        let second = spans.flatMap { span in
            table.parameters.indices.compactMap { index in
                slot("second_moment.", index, in: span.range) { secondMoments($0, of: span) }
            }
        }
        return first + second
    }

    /// The slot of a parameter; nil if none of it is in a range.
    private func slot(
        _ prefix: String, _ index: Int, in range: Range<Int>, _ state: (Range<Int>) -> Tensor
    ) -> OptimizerSlot? {
        let (parameter, whole) = (table.parameters[index], table.elements(of: index))
        let part = whole.clamped(to: range)
        guard !part.isEmpty else { return nil }
        let tensor = state(part)
        return OptimizerSlot(
            name: prefix + parameter.name,
            elements: part.lowerBound - whole.lowerBound..<part.upperBound - whole.lowerBound,
            tensor: part == whole ? tensor.reshaped(parameter.shape) : tensor)
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

    /// The root mean square of the last update of each parameter, without weight decay.
    ///
    /// AdamW's is computed again from its moments; Muon's is kept.
    ///
    /// - Returns: by parameter of the table, over its elements in the range; 0 before the first
    ///   step, and for parameters outside the range.
    public func updateRMS() -> [Double] {
        var result = [Double](repeating: 0, count: table.parameters.count)
        guard stepCount > 0 else { return result }
        for index in table.parameters.indices {
            let whole = table.elements(of: index)
            guard let span = spans.first(where: { $0.range.overlaps(whole) }) else { continue }
            let part = whole.clamped(to: span.range)
            let squares = device.backend.adamWUpdateSquares(
                firstMoment: firstMoments(part), secondMoment: secondMoments(part, of: span),
                step: adamWStep(span.group, weightDecayFactor: 1, gradientScale: 1))
            result[index] = (squares / Double(part.count)).squareRoot()
        }
        for update in muonUpdates { update.addUpdateRMS(to: &result) }
        return result
    }
}
