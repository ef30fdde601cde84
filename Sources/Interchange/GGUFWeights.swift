import FalconGGUF

#if canImport(Glibc)
    import Glibc
#endif

/// The weights of a GGUF file, dequantised where they are read.
struct GGUFWeights: WeightSource {
    let reader: GGUFReader
    /// The tensor of each parameter.
    let tensors: [String: ForeignTensor]

    func readFloats(
        _ name: String, elements: Range<Int>, into destination: inout MutableSpan<Float>
    ) throws {
        guard let tensor = tensors[name] else {
            preconditionFailure("GGUFWeights: \(name) is not a parameter of the model")
        }
        if case .interleaved = tensor.change {
            let length = tensor.rowLength
            var place = elements.lowerBound
            while place < elements.upperBound {
                let row = place / length
                let end = min(elements.upperBound, (row + 1) * length)
                let start = (tensor.foreignRow(row) - row) * length
                let values = try values(of: tensor, start + place..<start + end)
                for index in values.indices {
                    destination[place - elements.lowerBound + index] = values[index]
                }
                place = end
            }
        } else {
            let values = try values(of: tensor, elements)
            for index in values.indices { destination[index] = values[index] }
        }
        if case .negativeExponential = tensor.change {
            for index in destination.indices { destination[index] = log(-destination[index]) }
        }
    }

    func typeName(of name: String) -> String {
        tensors[name].flatMap { reader.tensor(named: $0.name)?.type.name } ?? "none"
    }

    func filePath(of name: String) -> String {
        tensors[name].map { reader.filePath(of: $0.name) } ?? reader.path
    }

    /// A part of a stored tensor; the file is read in whole rows, as its blocks lie along them.
    private func values(of tensor: ForeignTensor, _ elements: Range<Int>) throws -> [Float] {
        let rowLength = tensor.shape.last ?? 1
        let rows =
            elements.lowerBound / rowLength..<(elements.upperBound + rowLength - 1) / rowLength
        var values = [Float](repeating: 0, count: rows.count * rowLength)
        var span = values.mutableSpan
        try reader.readFloats(tensor.name, rows: rows, into: &span)
        let start = elements.lowerBound - rows.lowerBound * rowLength
        return start == 0 && values.count == elements.count
            ? values : Array(values[start..<start + elements.count])
    }
}
