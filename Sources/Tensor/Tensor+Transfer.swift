/// Elements on their way between host and device: the only way to see or set them from outside a backend.
extension Tensor {
    /// Elements a transfer holds on the host at a time: 1 MiB.
    private static let pieceCount = 1 << 18

    /// The elements, row by row.
    ///
    /// - Returns: `count` numbers.
    public func toArray() -> [Float] {
        var values = [Float](repeating: 0, count: count)
        values.withUnsafeMutableBytes { destination in
            guard !isContiguous else { return read(from: 0, into: destination) }
            let rowBytes = columnCount * MemoryLayout<Float>.stride
            for row in 0..<rowCount {
                rows(row..<row + 1).read(
                    from: 0,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: destination[row * rowBytes..<(row + 1) * rowBytes]))
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
            piece.withUnsafeMutableBytes { read(from: start, into: prefix(of: $0, length)) }
            try take(piece.span.extracting(0..<length))
        }
    }

    /// Sets the elements of a contiguous tensor from the host, in pieces of bounded size.
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
            piece.withUnsafeBytes {
                storage.write($0, at: (offset + start) * MemoryLayout<Float>.stride)
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

    /// Sets one element of a contiguous tensor, for tests that plant one.
    ///
    /// - Parameters:
    ///   - element: its place, row by row.
    ///   - value: any number, finite or not.
    package func set(_ element: Int, to value: Float) {
        reshaped([count]).columns(element..<element + 1).upload([value])
    }

    /// Copies elements of a contiguous tensor to the host.
    private func read(from first: Int, into destination: UnsafeMutableRawBufferPointer) {
        precondition(isContiguous, "read: \(shape) with row stride \(rowStride) has gaps")
        storage.read(from: (offset + first) * MemoryLayout<Float>.stride, into: destination)
    }

    private func prefix(
        of bytes: UnsafeMutableRawBufferPointer, _ floatCount: Int
    ) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            rebasing: bytes[..<(floatCount * MemoryLayout<Float>.stride)])
    }
}
