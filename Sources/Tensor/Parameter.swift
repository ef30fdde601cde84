/// The role of a parameter; optimizer groups go by it, never by name or number of dimensions.
public enum ParameterRole: String, CaseIterable, Sendable, Codable {
    case embedding
    /// A matrix between hidden activations.
    case hiddenMatrix = "hidden_matrix"
    /// The matrix that makes logits.
    case outputMatrix = "output_matrix"
    /// Norm gains, convolution filters and biases.
    case vector
    /// `A_log`, `D` and `dt_bias` of the state-space mixer.
    case stateSpace = "state_space"
    /// A learnable scale of a matrix.
    case multiplier
}

/// The values of a parameter before training.
public enum Initialization: Equatable, Sendable {
    case zeros
    case ones
    case constant(Float)
    /// N(0, deviation²), with one row of the matrix left zero if asked for (transformers' pad row).
    case normal(deviation: Float, zeroRow: Int? = nil)
    /// Uniform between the bounds.
    case uniform(low: Float, high: Float)
    /// log of a uniform number: `A_log` of Mamba-2, A in [low, high].
    case logUniform(low: Float, high: Float)
    /// log 1, log 2, … along the last dimension: `A_log` of Mamba-1, and transformers' of Mamba-2.
    case logOfIndex
    /// softplus⁻¹(dt), log dt uniform between the logs of the bounds, dt at least `floor`: Mamba-2's
    /// `dt_bias`.
    case inverseSoftplusLogUniform(low: Float, high: Float, floor: Float)
}

/// One named array of weights: its declaration, and, once a `ParameterTable` has allocated it, its
/// value and gradient.
public final class Parameter {
    /// Its parts of the table's buffers; nil where it has none.
    struct Slices {
        var value: Tensor
        var master: Tensor?
        var gradient: Tensor?
        var summedGradient: Tensor?
    }

    /// The Hugging Face name, such as `model.layers.0.mamba.in_proj.weight`.
    public let name: String
    /// The sizes, outermost first.
    public let shape: [Int]
    /// Its place in a model; nil for multipliers and for arrays outside of models.
    public let place: ParameterPlace?
    /// Its role.
    public let role: ParameterRole
    /// Its values before training.
    public let initialization: Initialization
    /// Blocks of rows with a meaning of their own; empty if there is only one.
    public let rowParts: [RowPart]
    /// The name of the stack that it and its neighbours make, such as q, k and v; nil for none.
    public let stack: String?
    /// The learnable multipliers that the matrix may have.
    public let multiplierRoom: MultiplierRoom
    private var slices: Slices?
    /// The value as products read it, and the state of the value's memory that it was made from.
    private var packed: (tensor: Tensor, version: UInt64)?

    init(
        name: String, place: ParameterPlace? = nil, shape: [Int], role: ParameterRole,
        initialization: Initialization,
        rowParts: [RowPart] = [], stack: String? = nil, multiplierRoom: MultiplierRoom = .none
    ) {
        precondition(
            rowParts.isEmpty || rowParts.reduce(0) { $0 + $1.rowCount } == shape[0],
            "\(name): its parts \(rowParts) are not its \(shape[0]) rows")
        self.name = name
        self.place = place
        self.shape = shape
        self.role = role
        self.initialization = initialization
        self.rowParts = rowParts
        self.stack = stack
        self.multiplierRoom = multiplierRoom
    }

    /// The number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// The weights that the model uses.
    public var value: Tensor {
        guard let slices else {
            preconditionFailure("\(name): used before ParameterTable.allocate")
        }
        return slices.value
    }

    /// The values that the update rule moves: the weights, or what multipliers scale to make them, which is
    /// there only if the whole matrix is in the table's share.
    public var master: Tensor {
        guard let master = slices?.master else {
            preconditionFailure("\(name): not allocated, or not of this share")
        }
        return master
    }

    /// Whether its masters are in memory.
    public var hasMaster: Bool { slices?.master != nil }

    /// The gradient that the update rule reads: `gradient` itself, or, where leaves are summed, their sum.
    ///
    /// It is there only if the whole parameter is in the table's share.
    public var summedGradient: Tensor {
        guard let sum = slices?.summedGradient else {
            preconditionFailure("\(name): no gradients, or not of this share")
        }
        return sum
    }

    /// The sum of the gradients since it was last zeroed.
    public var gradient: Tensor {
        guard let gradient = slices?.gradient else {
            preconditionFailure("\(name): no gradient; allocate the table for training")
        }
        return gradient
    }

    func bind(_ slices: Slices) {
        self.slices = slices
        packed = nil
    }

    /// The weights for a product, `[O, I]`.
    ///
    /// Weights without a gradient change only where `Storage.version` counts it, so that a packed copy
    /// is kept and made again after a change.
    ///
    /// - Parameter device: where the product runs.
    /// - Returns: the value, with a packed copy if it has no gradient and the device wants one.
    func matrix(on device: Device) -> WeightMatrix {
        let value = value
        guard slices?.gradient == nil,
            let elements = device.backend.packedElements(rows: shape[0], columns: shape[1])
        else { return WeightMatrix(value) }
        let version = value.storage.version
        if let packed, packed.version == version {
            return WeightMatrix(value, packed: packed.tensor)
        }
        let tensor = packed?.tensor ?? device.empty([elements.count], of: elements.kind)
        device.backend.packWeights(tensor, value)
        packed = (tensor, version)
        return WeightMatrix(value, packed: tensor)
    }
}

/// Collects the parameters that layers declare, in order.
public struct ParameterBuilder {
    /// Collects the declarations of all copies of a builder.
    private final class List { var parameters: [Parameter] = [] }
    private let list = List()

    /// An empty list of declarations.
    public init() {}

    /// Declares a parameter.
    ///
    /// - Parameters:
    ///   - name: unlike all others.
    ///   - place: its place in a model; nil for an array outside of models.
    ///   - shape: positive sizes, outermost first.
    ///   - role: decides its optimizer group.
    ///   - initialization: its values before training.
    ///   - rowParts: blocks of rows with a meaning of their own; empty if there is only one.
    ///   - stack: the name of the stack that it and its neighbours make; nil for none.
    ///   - multiplierRoom: the learnable multipliers that a matrix may have.
    /// - Returns: the parameter, not yet in memory.
    public func parameter(
        _ name: String, at place: ParameterPlace? = nil, _ shape: [Int], role: ParameterRole,
        initialization: Initialization, rowParts: [RowPart] = [], stack: String? = nil,
        multiplierRoom: MultiplierRoom = .none
    ) -> Parameter {
        let parameter = Parameter(
            name: name, place: place, shape: shape, role: role, initialization: initialization,
            rowParts: rowParts, stack: stack, multiplierRoom: multiplierRoom)
        list.parameters.append(parameter)
        return parameter
    }

    /// Everything declared so far.
    public var parameters: [Parameter] { list.parameters }
}
