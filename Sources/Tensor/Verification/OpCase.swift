/// One input of an op under test.
public struct OpInput {
    let shape: [Int]
    let values: [Float]
    let isParameter: Bool

    /// An activation.
    ///
    /// - Parameters:
    ///   - shape: its sizes.
    ///   - values: row by row.
    /// - Returns: an input for ``OpCase``.
    public static func activation(_ shape: [Int], _ values: [Float]) -> OpInput {
        OpInput(shape: shape, values: values, isParameter: false)
    }

    /// A weight, whose gradient the op adds to the parameter.
    ///
    /// - Parameters:
    ///   - shape: its sizes.
    ///   - values: row by row.
    /// - Returns: an input for ``OpCase``.
    public static func parameter(_ shape: [Int], _ values: [Float]) -> OpInput {
        OpInput(shape: shape, values: values, isParameter: true)
    }
}

/// The inputs of an op on the device, by place.
public struct OpArguments {
    let tensors: [Tensor?]
    let parameters: [Parameter?]

    /// The activation at a place.
    public func tensor(_ place: Int) -> Tensor {
        guard let tensor = tensors[place] else {
            preconditionFailure("input \(place) is a parameter")
        }
        return tensor
    }

    /// The parameter at a place.
    public func parameter(_ place: Int) -> Parameter {
        guard let parameter = parameters[place] else {
            preconditionFailure("input \(place) is no parameter")
        }
        return parameter
    }
}

/// An op on one shape: how the engine computes it and how the specification does.
///
/// The same list serves the tests and `falcon verify ops`.
public struct OpCase {
    /// The op's name, such as `rmsNorm`.
    public let op: String
    /// What is special about the case, such as `7x33`.
    public let label: String
    let inputs: [OpInput]
    let run: (OpArguments, inout Tape) -> Tensor
    let reference: ([[Double]]) -> [Double]
    let sampleCount: Int
    let outputWeight: Float?

    /// A case.
    ///
    /// - Parameters:
    ///   - op: the op's name.
    ///   - label: the shape or situation.
    ///   - inputs: what the op is differentiated by.
    ///   - sampleCount: elements of an input to differentiate by at most; fewer for large cases.
    ///   - outputWeight: the weight of every output in the loss, for an op that forms its gradients
    ///     by itself; nil for random weights.
    ///   - run: the op on the device.
    ///   - reference: the same function of the inputs' values in double.
    public init(
        _ op: String, _ label: String, inputs: [OpInput], sampleCount: Int = 96,
        outputWeight: Float? = nil,
        run: @escaping (OpArguments, inout Tape) -> Tensor,
        reference: @escaping ([[Double]]) -> [Double]
    ) {
        self.op = op
        self.label = label
        self.inputs = inputs
        self.sampleCount = sampleCount
        self.outputWeight = outputWeight
        self.run = run
        self.reference = reference
    }

    /// Normally distributed test numbers.
    ///
    /// - Parameters:
    ///   - count: how many.
    ///   - name: picks the stream.
    ///   - deviation: the standard deviation.
    ///   - mean: the mean.
    /// - Returns: `count` numbers, always the same for the same arguments.
    public static func normal(
        _ count: Int, _ name: String, deviation: Float = 1, mean: Float = 0
    ) -> [Float] {
        let stream = RandomStream(seed: 1, name: name)
        // The sum of twelve uniform numbers is normal enough for a test.
        return (0..<count).map { i in
            let sum = (0..<12).reduce(Float(0)) { $0 + stream.uniform(at: UInt64(12 * i + $1)) }
            return mean + deviation * (sum - 6)
        }
    }
}

/// How far an op is from its specification, relative to the largest entry.
public struct OpError: Sendable {
    /// The worst output.
    public let forward: Double
    /// The worst gradient over all inputs, against central differences of the specification.
    public let backward: Double
}

/// What an op computed: its output, and the gradient of each input.
public struct OpResult: Sendable, Equatable {
    /// Row by row.
    public let output: [Float]
    /// Of Σ w·y with the case's weights, by place of the input.
    public let gradients: [[Float]]
}

extension OpCase {
    /// Runs the case forward and backward.
    ///
    /// - Parameter device: where the op runs.
    /// - Returns: what it computed.
    public func result(on device: Device) -> OpResult {
        let table = ParameterTable(
            inputs.enumerated().filter { $0.element.isParameter }.map { place, input in
                Parameter(
                    name: "input\(place)", shape: input.shape, role: .vector, initialization: .zeros
                )
            })
        table.allocate(on: device, withGradients: true)
        var parameters = table.parameters.makeIterator()
        var arguments: (tensors: [Tensor?], parameters: [Parameter?]) = ([], [])
        for input in inputs {
            let tensor = device.tensor(input.values, shape: input.shape)
            if input.isParameter, let parameter = parameters.next() {
                device.backend.copy(from: tensor, to: parameter.value, scale: 1)
                arguments.tensors.append(nil)
                arguments.parameters.append(parameter)
            } else {
                arguments.tensors.append(tensor)
                arguments.parameters.append(nil)
            }
        }
        var tape = Tape(on: device)
        let y = run(
            OpArguments(tensors: arguments.tensors, parameters: arguments.parameters), &tape)
        var gradients = Gradients(on: device)
        gradients.assign(device.tensor(weights(y.count), shape: y.shape), to: y)
        tape.backward(&gradients)
        return OpResult(
            output: y.toArray(),
            gradients: inputs.indices.map { place in
                arguments.tensors[place].map { gradients.take($0)?.toArray() ?? [] }
                    ?? arguments.parameters[place]?.gradient.toArray() ?? []
            })
    }

    /// Runs the case and compares.
    ///
    /// Forward is compared with the specification, backward with central differences of it, for the
    /// loss Σ w·y with fixed random w. Inputs with many elements are sampled. An error is relative to the
    /// largest entry of its output or gradient; with bfloat16 products, of all gradients of the case: one
    /// that vanishes by cancellation keeps the rounding of its terms.
    ///
    /// - Parameter device: where the op runs.
    /// - Returns: the errors.
    public func check(on device: Device) -> OpError {
        let result = result(on: device)
        let points = inputs.map { $0.values.map(Double.init) }
        let forward = Self.relativeError(result.output, reference(points))
        let weights = weights(result.output.count)
        var gradients: [(computed: [Float], expected: [Double])] = []
        for (place, input) in inputs.enumerated() {
            let computed = result.gradients[place]
            precondition(
                computed.count == input.values.count,
                "\(op) \(label): input \(place) got no gradient")
            let sampled = Self.sample(input.values.count, atMost: sampleCount)
            let differences = sampled.map { i in
                derivative(of: points, place: place, element: i, weights: weights)
            }
            gradients.append((sampled.map { computed[$0] }, differences))
        }
        let isRounded = device.precision == .bf16
        let largest = gradients.map { Self.largest($0.expected) }.max() ?? 0
        let errors = gradients.map { computed, expected in
            Self.relativeError(computed, expected, scale: isRounded ? largest : nil)
        }
        return OpError(forward: forward, backward: errors.max() ?? 0)
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
            zip(reference(moved), weights).reduce(0) { $0 + $1.0 * Double($1.1) }
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

    private static func relativeError(
        _ computed: [Float], _ expected: [Double], scale: Double? = nil
    ) -> Double {
        let worst = zip(computed, expected).reduce(0.0) { worst, pair in
            let error = abs(Double(pair.0) - pair.1)
            return error.isNaN ? .infinity : max(worst, error)
        }
        return worst / (scale ?? largest(expected))
    }
}
