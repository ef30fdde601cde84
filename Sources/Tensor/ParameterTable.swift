/// All parameters of a model in one flat buffer, and their gradients in another.
///
/// Update rules, reductions and norms work on the flat buffers; each parameter starts on a cache line,
/// and the gaps stay zero. Update rules move masters: the weights themselves, and for matrices with learnable
/// multipliers a copy, from which `materialise` makes the weights that the model uses.
public final class ParameterTable {
    /// The parameters in the order of their declaration, multipliers last.
    public let parameters: [Parameter]
    /// The parameters that are not multipliers: those that an evaluated or exported model has.
    public let modelParameters: [Parameter]
    /// The matrices with multipliers.
    public let multipliedMatrices: [MultipliedMatrix]
    /// Their names.
    private let multiplied: Set<String>
    /// The first element of each parameter in the flat buffers, and the total count last.
    public let offsets: [Int]
    /// The elements that are updated here.
    public private(set) var share = ParameterShare([])
    /// The elements of the share that belong to matrices with multipliers.
    private var multipliedShare = ParameterShare([])
    private var buffers: Buffers?
    private var device: Device?

    private struct Buffers {
        let values: Tensor
        /// `[multipliedShare.count]`; nil without such matrices.
        let multipliedMasters: Tensor?
        let gradients: Tensor?
        /// `[share.count]`; nil if updates read `gradients`.
        let sums: Tensor?
    }

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
        multiplied = Set(multipliedMatrices.map(\.matrix.name))
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
    ///   - share: the elements that are updated here; nil for all. A matrix with multipliers is in it as a
    ///     whole, with these, or not at all.
    ///   - summing: whether gradients are added up in a buffer of their own before an update.
    public func allocate(
        on device: Device, withGradients: Bool, share: ParameterShare? = nil,
        summing: Bool = false
    ) {
        let share = share ?? ParameterShare([0..<flatCount])
        precondition(
            summing || share == ParameterShare([0..<flatCount]),
            "ParameterTable: gradients of a share must be summed")
        let multiplied = parameters.indices.filter(isMultiplied)
        multipliedShare = ParameterShare(multiplied.flatMap { share.parts(of: room(of: $0)) })
        let buffers = Buffers(
            values: device.zeros([flatCount]),
            multipliedMasters: multipliedShare.count > 0
                ? device.zeros([multipliedShare.count]) : nil,
            gradients: withGradients ? device.zeros([flatCount]) : nil,
            sums: withGradients && summing ? device.zeros([max(1, share.count)]) : nil)
        (self.share, self.buffers, self.device) = (share, buffers, device)
        for (index, parameter) in parameters.enumerated() {
            let isOwn = share.contains(elements(of: index))
            precondition(
                isOwn || !isMultiplied(index) || share.parts(of: elements(of: index)).isEmpty,
                "ParameterTable: the share cuts \(parameter.name), which has multipliers")
            parameter.bind(
                Parameter.Slices(
                    value: slice(of: buffers.values, index),
                    master: isOwn || !isMultiplied(index)
                        ? masters(elements(of: index)).reshaped(parameter.shape) : nil,
                    gradient: buffers.gradients.map { slice(of: $0, index) },
                    summedGradient: withGradients && isOwn
                        ? summedGradients(elements(of: index)).reshaped(parameter.shape) : nil))
        }
    }

    /// Bytes of weights, and of masters that are not the weights themselves.
    public var parameterByteCount: Int {
        (flatCount + multipliedShare.count) * MemoryLayout<Float>.stride
    }

    /// Bytes of gradients and their sums; 0 without gradients.
    public var gradientByteCount: Int {
        [buffers?.gradients, buffers?.sums].reduce(0) { $0 + ($1?.count ?? 0) }
            * MemoryLayout<Float>.stride
    }

    /// Whether a parameter is a matrix with multipliers, whose master is not its value.
    ///
    /// - Parameter index: the parameter's place in `parameters`.
    /// - Returns: false for multipliers themselves.
    public func isMultiplied(_ index: Int) -> Bool {
        multiplied.contains(parameters[index].name)
    }

    /// All weights, `[flatCount]`.
    public var values: Tensor {
        guard let buffers else { preconditionFailure("ParameterTable: not allocated") }
        return buffers.values
    }

    /// The masters of some elements.
    ///
    /// - Parameter elements: of one matrix with multipliers and of the share, or of none such.
    /// - Returns: a view, `[elements.count]`.
    public func masters(_ elements: Range<Int>) -> Tensor {
        guard let masters = buffers?.multipliedMasters,
            !multipliedShare.parts(of: elements).isEmpty
        else { return values.columns(elements) }
        return masters.columns(multipliedShare.places(of: elements))
    }

    /// The gradients of some elements that an update reads.
    ///
    /// - Parameter elements: of one range of the share.
    /// - Returns: a view, `[elements.count]`.
    public func summedGradients(_ elements: Range<Int>) -> Tensor {
        guard let sums = buffers?.sums else { return gradients.columns(elements) }
        return sums.columns(share.places(of: elements))
    }

    /// The sums of all gradients of the share, `[share.count]`; nil if updates read `gradients`.
    public var sums: Tensor? { buffers?.sums }

    /// Makes the weights of the share's matrices with multipliers from masters and multipliers.
    public func materialise() {
        guard let device, multipliedShare.count > 0 else { return }
        for matrix in ownMultipliedMatrices { matrix.materialise(device.backend) }
        values.storage.noteChange()
    }

    /// Turns summed gradients of the weights that the model uses into those of masters and multipliers, in the
    /// share.
    public func splitGradients() {
        guard let device, multipliedShare.count > 0 else { return }
        for matrix in ownMultipliedMatrices { matrix.splitGradient(device.backend) }
    }

    private var ownMultipliedMatrices: [MultipliedMatrix] {
        multipliedMatrices.filter(\.matrix.hasMaster)
    }

    /// All gradients, `[flatCount]`.
    public var gradients: Tensor {
        guard let gradients = buffers?.gradients else {
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

    /// The place of a parameter in the flat buffers, the gap after it included.
    ///
    /// - Parameter index: the parameter's place in `parameters`.
    /// - Returns: within `0..<flatCount`.
    public func room(of index: Int) -> Range<Int> { offsets[index]..<offsets[index + 1] }

    /// Fills every parameter as declared; of matrices with multipliers, those of the share.
    ///
    /// The numbers are a function of the seed, the parameter's name and the element's place alone.
    ///
    /// - Parameter seed: any number.
    public func initialize(seed: UInt64) {
        guard let device else { preconditionFailure("ParameterTable: not allocated") }
        for parameter in parameters where parameter.hasMaster {
            device.backend.initialize(
                parameter.master, parameter.initialization,
                key: RandomStream(seed: seed, name: parameter.name).key)
        }
        values.storage.noteChange()
        materialise()
    }
}
