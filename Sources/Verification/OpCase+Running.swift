import FalconTensor

/// The distance of an op from its specification, relative to the largest entry.
public struct OpError: Sendable {
    /// The worst output.
    public let forward: Double
    /// The worst gradient over all inputs, against central differences of the specification.
    public let backward: Double
    /// Memory that the op must not change and did; both errors are infinite then.
    public let damage: [String]

    init(forward: Double, backward: Double, damage: [String] = []) {
        self.forward = forward
        self.backward = backward
        self.damage = damage
    }
}

/// The results of an op: its output, and the gradient of each input.
public struct OpResult: Sendable, Equatable {
    /// Row by row.
    public let output: [Float]
    /// Of Σ w·y with the case's weights, by place of the input.
    public let gradients: [[Float]]
    /// Memory that the op must not change and did: inputs, or sentinels between and behind tensors.
    public let damage: [String]
}

extension OpCase {
    /// Runs the case forward and backward, sentinels behind all memory.
    ///
    /// - Parameter device: where the op runs.
    /// - Returns: its results.
    public func result(on device: Device) -> OpResult { result(on: device, layout: .whole) }

    func result(on device: Device, layout: OpLayout) -> OpResult {
        let sentinels = Sentinels()
        device.arena.watch = sentinels
        defer { device.arena.watch = nil }
        let parameters = OpParameters(inputs, on: device)
        let activations = inputs.map {
            $0.isParameter ? nil : OpActivation($0, layout: layout, on: device)
        }
        var tape = Tape(on: device)
        let y = run(
            OpArguments(tensors: activations.map { $0?.tensor }, parameters: parameters.byPlace),
            &tape)
        var gradients = Gradients(on: device)
        for activation in activations { activation?.beginGradient(in: &gradients, on: device) }
        gradients.assign(device.tensor(weights(y.count), shape: y.shape), to: y)
        tape.backward(&gradients)
        var damage = parameters.damage
        var computed: [[Float]] = []
        for place in inputs.indices {
            if let activation = activations[place] {
                let (values, found) = activation.takeGradient(from: &gradients)
                computed.append(values)
                damage += found.map { "\($0) \(place)" }
            } else {
                computed.append(parameters.byPlace[place]?.gradient.toArray() ?? [])
            }
        }
        let output = y.toArray()
        sentinels.removeAll(of: device.backend)
        return OpResult(
            output: output, gradients: computed, damage: damage + sentinels.damage)
    }

    /// Runs the case and compares.
    ///
    /// Forward is compared with the specification, backward with central differences of it, for the
    /// loss Σ w·y with fixed random w. Inputs with many elements are sampled. An error is relative to the
    /// largest entry of its output or gradient; with bfloat16 products, of all gradients of the case: one
    /// that vanishes by cancellation keeps the rounding of its terms. The op runs with inputs that are
    /// whole and with inputs whose rows lie between sentinels.
    ///
    /// - Parameter device: where the op runs.
    /// - Returns: the errors.
    public func check(on device: Device) -> OpError {
        let hasGaps = inputs.contains { !$0.isContiguous }
        let layouts: [OpLayout] = hasGaps ? [.whole, .betweenSentinels] : [.whole]
        let results = layouts.map { result(on: device, layout: $0) }
        let points = inputs.map { $0.values.map(Double.init) }
        let output = reference(points)
        let damage = results.flatMap(\.damage)
        guard damage.isEmpty, results.allSatisfy({ $0.output.count == output.count }) else {
            return OpError(forward: .infinity, backward: .infinity, damage: damage)
        }
        let samples = inputs.map { Self.sample($0.values.count, atMost: sampleCount) }
        let weights = weights(output.count)
        let expected = samples.enumerated().map { place, sampled in
            sampled.map { derivative(of: points, place: place, element: $0, weights: weights) }
        }
        let isRounded = device.precision == .bf16
        let largest = expected.map(Self.largest).max() ?? 0
        var (forward, backward) = (0.0, 0.0)
        for result in results {
            forward = max(forward, Self.relativeError(result.output, output))
            for place in inputs.indices {
                let gradient = result.gradients[place]
                precondition(
                    gradient.count == inputs[place].values.count,
                    "\(op) \(label): input \(place) got \(gradient.count) numbers of a gradient")
                let error = Self.relativeError(
                    samples[place].map { gradient[$0] }, expected[place],
                    scale: isRounded ? largest : nil)
                backward = max(backward, error)
            }
        }
        return OpError(forward: forward, backward: backward)
    }

    /// The weights of the outputs in the loss.
    private func weights(_ count: Int) -> [Float] {
        outputWeight.map { [Float](repeating: $0, count: count) }
            ?? OpCase.normal(count, "weights of \(op) \(label)")
    }

    private func derivative(
        of points: [[Double]], place: Int, element: Int, weights: [Float]
    ) -> Double {
        var moved = points
        let step = 1e-5 * max(1, abs(points[place][element]))
        func loss() -> Double {
            let values = reference(moved)
            precondition(
                values.count == weights.count, "\(op) \(label): the reference changes size")
            return zip(values, weights).reduce(0) { $0 + $1.0 * Double($1.1) }
        }
        moved[place][element] = points[place][element] + step
        let above = loss()
        moved[place][element] = points[place][element] - step
        return (above - loss()) / (2 * step)
    }

    /// All elements, or some spread evenly.
    private static func sample(_ count: Int, atMost limit: Int) -> [Int] {
        count <= limit ? Array(0..<count) : (0..<limit).map { $0 * (count - 1) / (limit - 1) }
    }

    private static func largest(_ values: [Double]) -> Double {
        values.reduce(1e-30) { max($0, abs($1)) }
    }

    /// The worst difference; infinite if there is a NaN, or not a number for each other.
    private static func relativeError(
        _ computed: [Float], _ expected: [Double], scale: Double? = nil
    ) -> Double {
        guard computed.count == expected.count else { return .infinity }
        let scale = scale ?? largest(expected)
        return zip(computed, expected).reduce(0) { worst, pair in
            let error = abs(Double(pair.0) - pair.1) / scale
            return error.isNaN ? .infinity : max(worst, error)
        }
    }
}
