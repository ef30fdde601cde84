import FalconTensor

/// Collects the parameters that layers declare, in order; their names follow from their places.
struct ModelBuilder {
    private let names: ParameterNames
    private let builder = ParameterBuilder()

    /// An empty list of declarations.
    ///
    /// - Parameter names: of the model's architecture.
    init(_ names: ParameterNames) { self.names = names }

    /// A builder for a part of the model.
    ///
    /// - Parameters:
    ///   - part: the part.
    ///   - block: the number of its block; nil outside of blocks.
    /// - Returns: a builder that appends to the same list.
    func part(_ part: ModelPart, block: Int? = nil) -> PartBuilder {
        PartBuilder(names: names, builder: builder, part: part, block: block)
    }

    /// Everything declared so far.
    var parameters: [Parameter] { builder.parameters }
}

/// Declares the parameters of one part of a model.
struct PartBuilder {
    fileprivate let names: ParameterNames
    fileprivate let builder: ParameterBuilder
    fileprivate let part: ModelPart
    fileprivate let block: Int?

    /// Declares a parameter.
    ///
    /// - Parameters:
    ///   - kind: its kind within its part.
    ///   - shape: positive sizes, outermost first.
    ///   - role: its role, which decides its optimizer group.
    ///   - initialization: its initial values.
    ///   - rowParts: blocks of rows with a meaning of their own; empty if there is only one.
    ///   - stack: the name of the matrix that it and its neighbours make together; nil for none.
    ///   - multiplierRoom: the learnable multipliers that a matrix may have.
    /// - Returns: the parameter, not yet in memory.
    func parameter(
        _ kind: ParameterPlace.Kind, _ shape: [Int], role: ParameterRole,
        initialization: Initialization, rowParts: [RowPart] = [], stack: String? = nil,
        multiplierRoom: MultiplierRoom = .none
    ) -> Parameter {
        let place = ParameterPlace(block: block, part, kind)
        return builder.parameter(
            names.name(of: place), at: place, shape, role: role, initialization: initialization,
            rowParts: rowParts, stack: stack, multiplierRoom: multiplierRoom)
    }

    /// A norm's gain, all ones.
    func gain(_ count: Int) -> Parameter {
        parameter(.gain, [count], role: .vector, initialization: .ones)
    }

    /// A matrix between hidden activations.
    func hiddenMatrix(
        _ kind: ParameterPlace.Kind, _ shape: [Int], initialization: Initialization,
        symmetryFree: MultiplierSides = [], rowParts: [RowPart] = [], stack: String? = nil
    ) -> Parameter {
        parameter(
            kind, shape, role: .hiddenMatrix, initialization: initialization, rowParts: rowParts,
            stack: stack, multiplierRoom: .matrix(symmetryFree: symmetryFree))
    }
}
