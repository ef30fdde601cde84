import FalconSystem

/// Elements on their way between host and device: the only way to see or set them from outside a backend.
extension Tensor {
    /// Elements that a transfer holds on the host at a time: 1 MiB of float32.
    private static let pieceCount = 1 << 18

    /// The elements, row by row.
    ///
    /// - Returns: `count` numbers.
    public func toArray() -> [Float] {
        var values = [Float](repeating: 0, count: count)
        if isContiguous {
            read(from: 0, into: &values, 0..<count)
        } else {
            for row in 0..<rowCount {
                rows(row..<row + 1).read(
                    from: 0, into: &values, row * columnCount..<(row + 1) * columnCount)
            }
        }
        return values
    }

    /// Brings the elements of a contiguous tensor to the host, in pieces of bounded size.
    ///
    /// - Parameter take: gets all elements in order, in one call or more.
    /// - Throws: what `take` throws.
    public func download<Failure: Error>(
        _ take: (Span<Float>) throws(Failure) -> Void
    ) throws(Failure) {
        var piece = [Float](repeating: 0, count: min(count, Self.pieceCount))
        for start in stride(from: 0, to: count, by: Self.pieceCount) {
            let length = min(Self.pieceCount, count - start)
            read(from: start, into: &piece, 0..<length)
            try take(piece.span.extracting(0..<length))
        }
    }

    /// Sets the elements of a contiguous tensor from the host, in pieces of bounded size; bfloat16 takes the
    /// nearest.
    ///
    /// - Parameter write: sets all of a piece, given its places in the tensor.
    /// - Throws: what `write` throws; the pieces before then have their new elements.
    public func upload<Failure: Error>(
        _ write: (_ elements: Range<Int>, _ values: inout MutableSpan<Float>) throws(Failure) ->
            Void
    ) throws(Failure) {
        precondition(isContiguous, "upload: \(shape) with row stride \(rowStride) has gaps")
        storage.noteChange()
        var piece = [Float](repeating: 0, count: min(count, Self.pieceCount))
        for start in stride(from: 0, to: count, by: Self.pieceCount) {
            let length = min(Self.pieceCount, count - start)
            if piece.count > length { piece.removeLast(piece.count - length) }
            var values = piece.mutableSpan
            try write(start..<start + length, &values)
            let place = (offset + start) * elements.byteCount
            switch elements {
            case .float32: piece.withUnsafeBytes { storage.write($0, at: place) }
            case .bfloat16:
                piece.map(bfloat16Bits).withUnsafeBytes { storage.write($0, at: place) }
            }
        }
    }

    /// Sets the elements of a contiguous tensor.
    ///
    /// - Parameter values: `count` numbers, row by row.
    public func upload(_ values: [Float]) {
        precondition(values.count == count, "upload: \(values.count) values for \(shape)")
        upload { elements, piece in
            for (place, element) in elements.enumerated() { piece[place] = values[element] }
        }
    }

    /// Sets the elements of a contiguous tensor of float32 in one go.
    ///
    /// - Parameter values: `count` numbers, row by row.
    public func upload(_ values: Span<Float>) {
        precondition(
            values.count == count && isContiguous && elements == .float32,
            "upload: \(values.count) values for \(shape) with row stride \(rowStride)")
        storage.noteChange()
        values.withUnsafeBytes { storage.write($0, at: offset * elements.byteCount) }
    }

    /// Sets one element of a contiguous tensor, for tests that plant one.
    ///
    /// - Parameters:
    ///   - element: its place, row by row.
    ///   - value: any number, finite or not.
    package func set(_ element: Int, to value: Float) {
        reshaped([count]).columns(element..<element + 1).upload([value])
    }

    /// Copies elements of a contiguous tensor to places of an array.
    private func read(from first: Int, into values: inout [Float], _ places: Range<Int>) {
        precondition(isContiguous, "read: \(shape) with row stride \(rowStride) has gaps")
        let start = (offset + first) * elements.byteCount
        func fill<Element>(_ array: inout [Element], _ places: Range<Int>) {
            array.withUnsafeMutableBytes {
                let size = MemoryLayout<Element>.stride
                storage.read(
                    from: start,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: $0[places.lowerBound * size..<places.upperBound * size]))
            }
        }
        switch elements {
        case .float32: fill(&values, places)
        case .bfloat16:
            var bits = [UInt16](repeating: 0, count: places.count)
            fill(&bits, bits.indices)
            for (place, bits) in zip(places, bits) { values[place] = floatFromBFloat16(bits) }
        }
    }
}

extension IndexTensor {
    /// The elements.
    ///
    /// - Returns: `count` numbers.
    public func toArray() -> [Int32] {
        var values = [Int32](repeating: 0, count: count)
        values.withUnsafeMutableBytes { storage.read(from: 0, into: $0) }
        return values
    }
}
