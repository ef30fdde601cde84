/// All parameters of a model in one flat buffer, and their gradients in another.
///
/// Update rules, reductions and norms work on the flat buffers; each parameter starts on a cache line,
/// and the gaps stay zero. With learnable multipliers there is a third buffer: update rules move the
/// masters, and `materialise` makes from them the weights that the model uses.
public final class ParameterTable {
    /// The parameters in the order of their declaration, multipliers last.
    public let parameters: [Parameter]
    /// The parameters that are not multipliers: those that an evaluated or exported model has.
    public let modelParameters: [Parameter]
    /// The matrices with multipliers.
    public let multipliedMatrices: [MultipliedMatrix]
    /// The first element of each parameter in the flat buffers, and the total count last.
    public let offsets: [Int]
    private var flat: (values: Tensor, masters: Tensor, gradients: Tensor?)?
    private var device: Device?

    /// A table of declared parameters, not yet in memory.
    ///
    /// - Parameters:
    ///   - declared: with different names.
    ///   - multipliers: where learnable multipliers are added; nil for nowhere.
    public init(_ declared: [Parameter], multipliers: MultiplierPlacement? = nil) {
        modelParameters = declared.filter { $0.role != .multiplier }
        multipliedMatrices = modelParameters.compactMap {
            MultipliedMatrix($0, placement: multipliers)
        }
        let parameters =
            modelParameters + declared.filter { $0.role == .multiplier }
            + multipliedMatrices.flatMap(\.multipliers)
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

    /// The number of weights, multipliers not among them.
    public var parameterCount: Int { modelParameters.reduce(0) { $0 + $1.count } }
    /// The learnable multipliers.
    public var multipliers: ArraySlice<Parameter> { parameters[modelParameters.count...] }
    /// The number of floats in a flat buffer, gaps included.
    public var flatCount: Int { offsets[offsets.count - 1] }

    /// Takes memory for values and, for training, gradients; all zero.
    ///
    /// - Parameters:
    ///   - device: where they live.
    ///   - withGradients: whether backward will run.
    public func allocate(on device: Device, withGradients: Bool) {
        let values = device.zeros([flatCount])
        let masters = multipliedMatrices.isEmpty ? values : device.zeros([flatCount])
        let gradients = withGradients ? device.zeros([flatCount]) : nil
        flat = (values, masters, gradients)
        self.device = device
        for (index, parameter) in parameters.enumerated() {
            parameter.bind(
                value: slice(of: values, index), master: slice(of: masters, index),
                gradient: gradients.map { slice(of: $0, index) })
        }
    }

    /// All weights, `[flatCount]`.
    public var values: Tensor {
        guard let flat else { preconditionFailure("ParameterTable: not allocated") }
        return flat.values
    }

    /// The values that an update rule moves, `[flatCount]`: `values` itself if no matrix has
    /// multipliers.
    public var masters: Tensor {
        guard let flat else { preconditionFailure("ParameterTable: not allocated") }
        return flat.masters
    }

    /// The gradients of everything but the multipliers, after `splitGradients`.
    public var modelGradients: Tensor { gradients.columns(0..<offsets[modelParameters.count]) }

    /// The gradients of the multipliers, after `splitGradients`; nil if there are none.
    public var multiplierGradients: Tensor? {
        multipliers.isEmpty
            ? nil : gradients.columns(offsets[modelParameters.count]..<flatCount)
    }

    /// Makes the weights that the model uses from the masters and multipliers.
    public func materialise() {
        guard let device, !multipliedMatrices.isEmpty else { return }
        let multiplied = Set(multipliedMatrices.map(\.matrix.name))
        // Neighbours that are copied as they are go together; multipliers come first, matrices read them.
        var start = 0
        func copy(to end: Int) {
            guard end > start else { return }
            device.backend.copy(
                from: masters.columns(start..<end), to: values.columns(start..<end), scale: 1)
        }
        for (index, parameter) in parameters.enumerated() where multiplied.contains(parameter.name)
        {
            copy(to: offsets[index])
            start = offsets[index + 1]
        }
        copy(to: flatCount)
        for matrix in multipliedMatrices { matrix.materialise(device.backend) }
        values.storage.noteChange()
    }

    /// Turns gradients of the weights that the model uses into those of masters and multipliers.
    public func splitGradients() {
        guard let device else { return }
        for matrix in multipliedMatrices { matrix.splitGradient(device.backend) }
    }

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
        buffer.columns(elements(of: index)).reshaped(parameters[index].shape)
    }

    /// One parameter's place in the flat buffers, the gap after it left out.
    ///
    /// - Parameter index: the parameter's place in `parameters`.
    /// - Returns: within `0..<flatCount`.
    public func elements(of index: Int) -> Range<Int> {
        offsets[index]..<offsets[index] + parameters[index].count
    }

    /// Fills every parameter as declared.
    ///
    /// The numbers are a function of the seed, the parameter's name and the element's place alone.
    ///
    /// - Parameter seed: any number.
    public func initialize(seed: UInt64) {
        guard let device else { preconditionFailure("ParameterTable: not allocated") }
        for parameter in parameters {
            device.backend.initialize(
                parameter.master, parameter.initialization,
                key: RandomStream(seed: seed, name: parameter.name).key)
        }
        values.storage.noteChange()
        materialise()
    }
}
