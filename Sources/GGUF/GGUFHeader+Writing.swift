extension GGUFHeader {
    /// The bytes before the tensors' data, with the padding.
    ///
    /// - Parameters:
    ///   - metadata: without a key for the alignment.
    ///   - tensors: in the order of their data.
    /// - Returns: a multiple of the alignment.
    static func bytes(metadata: GGUFMetadata, tensors: [GGUFTensor]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: magic)
        bytes.append(number: version)
        bytes.append(number: UInt64(tensors.count))
        bytes.append(number: UInt64(metadata.entries.count))
        for entry in metadata.entries {
            bytes.append(text: entry.key)
            bytes.append(number: entry.value.typeNumber)
            bytes.append(value: entry.value)
        }
        var offset = 0
        for tensor in tensors {
            bytes.append(text: tensor.name)
            bytes.append(number: UInt32(tensor.shape.count))
            for length in tensor.shape.reversed() { bytes.append(number: UInt64(length)) }
            bytes.append(number: tensor.type.rawValue)
            bytes.append(number: UInt64(offset))
            offset += tensor.byteCount + paddingByteCount(after: tensor.byteCount)
        }
        bytes += [UInt8](repeating: 0, count: paddingByteCount(after: bytes.count))
        return bytes
    }

    /// The number of zeros that follow a number of bytes.
    static func paddingByteCount(after byteCount: Int) -> Int {
        (defaultAlignment - byteCount % defaultAlignment) % defaultAlignment
    }
}

extension [UInt8] {
    fileprivate mutating func append(number: some FixedWidthInteger) {
        for index in 0..<number.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: number >> (8 * index)))
        }
    }

    fileprivate mutating func append(text: String) {
        append(number: UInt64(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    fileprivate mutating func append(value: GGUFValue) {
        switch value {
        case .uint8(let number): append(number: number)
        case .int8(let number): append(number: number)
        case .uint16(let number): append(number: number)
        case .int16(let number): append(number: number)
        case .uint32(let number): append(number: number)
        case .int32(let number): append(number: number)
        case .uint64(let number): append(number: number)
        case .int64(let number): append(number: number)
        case .float32(let number): append(number: number.bitPattern)
        case .float64(let number): append(number: number.bitPattern)
        case .boolean(let flag): append(flag ? 1 : 0)
        case .string(let text): append(text: text)
        case .array(let array): append(array: array)
        }
    }

    private mutating func append(array: GGUFArray) {
        append(number: array.elementTypeNumber)
        append(number: UInt64(array.count))
        switch array {
        case .uint8(let values): append(contentsOf: values)
        case .int8(let values): for value in values { append(number: value) }
        case .uint16(let values): for value in values { append(number: value) }
        case .int16(let values): for value in values { append(number: value) }
        case .uint32(let values): for value in values { append(number: value) }
        case .int32(let values): for value in values { append(number: value) }
        case .uint64(let values): for value in values { append(number: value) }
        case .int64(let values): for value in values { append(number: value) }
        case .float32(let values): for value in values { append(number: value.bitPattern) }
        case .float64(let values): for value in values { append(number: value.bitPattern) }
        case .boolean(let values): for value in values { append(value ? 1 : 0) }
        case .string(let values): for value in values { append(text: value) }
        }
    }
}
