import FalconTensor

/// The arrangement in memory of the inputs of an op under test.
enum OpLayout {
    /// Each alone; gradients are undefined before the first contribution.
    case whole
    /// Rows between sentinels, gradients likewise and added to zeros; inputs that must be contiguous
    /// are whole.
    case betweenSentinels
}

/// An activation on the device, and its values before the op ran.
struct OpActivation {
    /// Columns before and behind the input's.
    private static let margins = (before: 1, behind: 2)

    /// The tensor that the op is given.
    let tensor: Tensor
    private let storage: Tensor
    private let values: [Float]
    /// The columns of `storage` that the op is given.
    private let columns: Range<Int>

    init(_ input: OpInput, layout: OpLayout, on device: Device) {
        let width = input.shape.last ?? 1
        guard layout == .betweenSentinels, !input.isContiguous else {
            values = input.values
            storage = device.tensor(values, shape: input.shape)
            (tensor, columns) = (storage, 0..<width)
            return
        }
        columns = Self.margins.before..<Self.margins.before + width
        values = Self.spread(input.values, width: width)
        storage = device.tensor(
            values, shape: input.shape.dropLast() + [columns.upperBound + Self.margins.behind])
        tensor = storage.columns(columns)
    }

    /// Rows between sentinels.
    private static func spread(_ values: [Float], width: Int) -> [Float] {
        stride(from: 0, to: values.count, by: width).flatMap { start in
            [Float](repeating: Sentinels.value, count: margins.before)
                + values[start..<start + width]
                + [Float](repeating: Sentinels.value, count: margins.behind)
        }
    }

    private var isSpread: Bool { storage.columnCount > columns.count }

    /// Lays out the gradient if it lies between sentinels: zeros.
    func beginGradient(in gradients: inout Gradients, on device: Device) {
        guard isSpread else { return }
        let zeros = [Float](repeating: 0, count: tensor.count)
        let start = Self.spread(zeros, width: columns.count)
        gradients.assign(device.tensor(start, shape: storage.shape), to: storage)
    }

    /// Takes the gradient, row by row, and names memory that must not change and did.
    func takeGradient(
        from gradients: inout Gradients
    ) -> (values: [Float], damage: [String]) {
        var damage: [String] = []
        if storage.toArray().map(\.bitPattern) != values.map(\.bitPattern) {
            damage.append("input")
        }
        guard let gradient = gradients.take(storage) else { return ([], damage) }
        let margins = [
            gradient.columns(0..<columns.lowerBound),
            gradient.columns(columns.upperBound..<storage.columnCount),
        ]
        if !margins.allSatisfy({ Sentinels.areIntact($0.toArray()) }) {
            damage.append("what lies around the gradient of input")
        }
        return (gradient.columns(columns).toArray(), damage)
    }
}

/// The parameters of an op under test, sentinels between them and between their gradients.
struct OpParameters {
    /// By place of the input; nil for an activation.
    let byPlace: [Parameter?]
    private let table: ParameterTable
    /// The contents of the flat buffer of values.
    private let values: [Float]

    init(_ inputs: [OpInput], on device: Device) {
        let builder = ParameterBuilder()
        func parameter(_ name: String, _ shape: [Int]) -> Parameter {
            builder.parameter(name, shape, role: .vector, initialization: .zeros)
        }
        let byPlace = inputs.enumerated().map { place, input in
            input.isParameter ? parameter("input\(place)", input.shape) : nil
        }
        let table = ParameterTable(
            byPlace.compactMap { $0 }.flatMap { [$0, parameter("behind \($0.name)", [1])] })
        table.allocate(on: device, withGradients: true)
        var values = [Float](repeating: Sentinels.value, count: table.flatCount)
        var gradients = values
        for (number, input) in inputs.filter(\.isParameter).enumerated() {
            let elements = table.elements(of: 2 * number)
            values.replaceSubrange(elements, with: input.values)
            gradients.replaceSubrange(elements, with: elements.map { _ in 0 })
        }
        if !values.isEmpty {
            for (start, flat) in [(values, table.values), (gradients, table.gradients)] {
                device.backend.copy(
                    from: device.tensor(start, shape: [start.count]), to: flat, scale: 1)
            }
        }
        self.byPlace = byPlace
        self.table = table
        self.values = values
    }

    /// Memory that must not change and did.
    var damage: [String] {
        guard !values.isEmpty else { return [] }
        var damage: [String] = []
        if table.values.toArray().map(\.bitPattern) != values.map(\.bitPattern) {
            damage.append("parameters")
        }
        var gaps = table.gradients.toArray()
        for index in table.parameters.indices.reversed() where index.isMultiple(of: 2) {
            gaps.removeSubrange(table.elements(of: index))
        }
        if !Sentinels.areIntact(gaps) { damage.append("what lies between gradients") }
        return damage
    }
}
