import CKernels

/// Cosines and sines of rotary positions: angle = position · θ^(−i/half) / factor, i = 0..<half.
public struct RotaryTable {
    /// `[positions, half]`.
    package let cosine: Tensor
    /// `[positions, half]`.
    let sine: Tensor
    /// Half of the head's channels.
    let half: Int

    /// A table for positions 0..<positionCount.
    ///
    /// - Parameters:
    ///   - positionCount: at least 1.
    ///   - headDimension: even.
    ///   - theta: the base of the wavelengths.
    ///   - factor: divides the positions; 1 for none.
    ///   - device: where the table lives.
    public init(
        positionCount: Int, headDimension: Int, theta: Double, factor: Double = 1,
        on device: Device
    ) {
        precondition(headDimension % 2 == 0, "RotaryTable: head dimension \(headDimension) is odd")
        half = headDimension / 2
        var cosines = [Float](repeating: 0, count: positionCount * half)
        var sines = cosines
        fk_rotary_table(&cosines, &sines, 0, positionCount, half, theta, factor)
        cosine = device.tensor(cosines, shape: [positionCount, half])
        sine = device.tensor(sines, shape: [positionCount, half])
    }

    /// The number of positions in the table.
    public var positionCount: Int { cosine.rowCount }
}

/// Rotary position embedding of each head, half-split: channel i turns with channel i + half.
///
/// - Parameters:
///   - x: `[R, heads · headDimension]`.
///   - positions: `[R]`, each below the table's position count.
///   - table: the angles.
///   - tape: where the op runs and is recorded.
/// - Returns: of the shape of `x`. **Saved**: `positions`, the table.
/// - SeeAlso: Su et al., arXiv 2104.09864.
public func rotary(
    _ x: Tensor, positions: IndexTensor, table: RotaryTable, on tape: inout Tape
) -> Tensor {
    precondition(
        x.columnCount % (2 * table.half) == 0 && positions.count == x.rowCount,
        "rotary: x \(x.shape), \(positions.count) positions, head dimension \(2 * table.half)")
    let y = tape.device.empty(x.shape)
    let backend = tape.backend
    backend.rotary(.written(y), x: x, positions: positions, table: table, direction: 1)
    let place = x.place
    tape.record(y, reading: []) { dy, gradients in
        backend.rotary(
            gradients.target(of: place), x: dy, positions: positions, table: table, direction: -1)
    }
    return y
}
