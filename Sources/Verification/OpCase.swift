import FalconTensor

/// One input of an op under test.
public struct OpInput {
    let shape: [Int]
    let values: [Float]
    let isParameter: Bool
    /// Whether the op wants the rows without gaps.
    let isContiguous: Bool

    /// An activation.
    ///
    /// - Parameters:
    ///   - shape: its sizes.
    ///   - values: row by row.
    ///   - isContiguous: whether the op wants the rows without gaps.
    /// - Returns: an input for ``OpCase``.
    public static func activation(
        _ shape: [Int], _ values: [Float], isContiguous: Bool = false
    ) -> OpInput {
        OpInput(shape: shape, values: values, isParameter: false, isContiguous: isContiguous)
    }

    /// A weight, whose gradient the op adds to the parameter.
    ///
    /// - Parameters:
    ///   - shape: its sizes.
    ///   - values: row by row.
    /// - Returns: an input for ``OpCase``.
    public static func parameter(_ shape: [Int], _ values: [Float]) -> OpInput {
        OpInput(shape: shape, values: values, isParameter: true, isContiguous: true)
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

/// An op on one shape: computed by the engine, and by the specification.
///
/// The same list serves the tests and `falcon verify ops`.
public struct OpCase {
    /// The op's name, such as `rmsNorm`.
    public let op: String
    /// The mark of the case among those of its op, such as `7x33`.
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
    ///   - inputs: the inputs that the op is differentiated by.
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
    ///   - count: the number of numbers.
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
