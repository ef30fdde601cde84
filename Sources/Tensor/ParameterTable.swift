import CKernels

#if canImport(Glibc)
    import Glibc
#endif

/// All parameters of a model in one flat buffer, and their gradients in another.
///
/// Update rules, reductions and norms work on the flat buffers; each parameter starts on a cache line,
/// and the gaps stay zero.
public final class ParameterTable {
    /// The parameters in the order of their declaration.
    public let parameters: [Parameter]
    /// The first element of each parameter in the flat buffers, and the total count last.
    public let offsets: [Int]
    private var flat: (values: Tensor, gradients: Tensor?)?
    private var device: Device?

    /// A table of declared parameters, not yet in memory.
    ///
    /// - Parameter parameters: with different names.
    public init(_ parameters: [Parameter]) {
        precondition(
            Set(parameters.map(\.name)).count == parameters.count,
            "ParameterTable: two parameters share a name")
        self.parameters = parameters
        var offsets = [0]
        for parameter in parameters {
            offsets.append(offsets[offsets.count - 1] + (parameter.count + 15) / 16 * 16)
        }
        self.offsets = offsets
    }

    /// The number of weights.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }
    /// The number of floats in a flat buffer, gaps included.
    public var flatCount: Int { offsets[offsets.count - 1] }

    /// Takes memory for values and, for training, gradients; all zero.
    ///
    /// - Parameters:
    ///   - device: where they live.
    ///   - withGradients: whether backward will run.
    public func allocate(on device: Device, withGradients: Bool) {
        let values = device.zeros([flatCount])
        let gradients = withGradients ? device.zeros([flatCount]) : nil
        flat = (values, gradients)
        self.device = device
        for (index, parameter) in parameters.enumerated() {
            parameter.bind(
                value: slice(of: values, index), gradient: gradients.map { slice(of: $0, index) })
        }
    }

    /// All weights, `[flatCount]`.
    public var values: Tensor {
        guard let flat else { preconditionFailure("ParameterTable: not allocated") }
        return flat.values
    }

    /// What an update rule moves, `[flatCount]`: the weights themselves.
    public var masters: Tensor { values }

    /// All gradients, `[flatCount]`.
    public var gradients: Tensor {
        guard let gradients = flat?.gradients else {
            preconditionFailure("ParameterTable: allocated without gradients")
        }
        return gradients
    }

    /// One parameter's part of a flat buffer, in the parameter's shape.
    ///
    /// - Parameters:
    ///   - buffer: `[flatCount]`, such as an optimizer's moments.
    ///   - index: the parameter's place in `parameters`.
    /// - Returns: a view.
    public func slice(of buffer: Tensor, _ index: Int) -> Tensor {
        let parameter = parameters[index]
        return buffer.columns(offsets[index]..<offsets[index] + parameter.count)
            .reshaped(parameter.shape)
    }

    /// Fills every parameter as declared.
    ///
    /// The numbers are a function of the seed, the parameter's name and the element's place alone.
    ///
    /// - Parameter seed: any number.
    public func initialize(seed: UInt64) {
        guard let device else { preconditionFailure("ParameterTable: not allocated") }
        for parameter in parameters { initialize(parameter, seed: seed, on: device) }
    }

    private func initialize(_ parameter: Parameter, seed: UInt64, on device: Device) {
        let key = RandomStream(seed: seed, name: parameter.name).key
        let pointer = parameter.value.pointer
        let count = parameter.count
        func map(_ transform: (Double) -> Double) {
            for i in 0..<count { pointer[i] = Float(transform(Double(pointer[i]))) }
        }
        switch parameter.initialization {
        case .zeros: fk_fill(pointer, count, 0)
        case .ones: fk_fill(pointer, count, 1)
        case .constant(let value): fk_fill(pointer, count, value)
        case .normal(let deviation, let zeroRow):
            device.backend.fillNormal(parameter.value, key: key, deviation: deviation)
            if let zeroRow {
                fk_fill(parameter.value.rows(zeroRow..<zeroRow + 1).pointer, parameter.shape[1], 0)
            }
        case .uniform(let low, let high):
            fk_random_uniform(pointer, count, key, 0)
            map { Double(low) + $0 * Double(high - low) }
        case .logUniform(let low, let high):
            fk_random_uniform(pointer, count, key, 0)
            map { log(Double(low) + $0 * Double(high - low)) }
        case .logOfIndex:
            for i in 0..<count { pointer[i] = Float(log(Double(i + 1))) }
        case .inverseSoftplusLogUniform(let low, let high, let floor):
            fk_random_uniform(pointer, count, key, 0)
            map { uniform in
                let (first, last) = (log(Double(low)), log(Double(high)))
                let step = max(exp(first + uniform * (last - first)), Double(floor))
                return step + log(-expm1(-step))
            }
        }
    }
}
