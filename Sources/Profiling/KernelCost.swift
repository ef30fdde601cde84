import FalconTensor

/// The least work of one call of a kernel, whatever its implementation.
///
/// FLOPs are those of the mathematical products (a fused multiply-add is two), counted as
/// `falcon plan` counts them: matrix products, the causal half of attention, whole chunks of the scan,
/// taps of the convolution. Element-wise arithmetic counts as 0: memory bounds it. What a backward
/// kernel computes a second time does not count either.
///
/// Bytes are compulsory: every tensor is read or written once, at the size of its stored elements; one
/// that is added into is read and written. Scratch memory of a kernel does not count.
public struct KernelCost: Hashable, Sendable {
    /// Floating-point operations of products.
    public var flops: Double
    /// Bytes between memory and cores.
    public var bytes: Int

    /// A cost.
    ///
    /// - Parameters:
    ///   - flops: at least 0.
    ///   - bytes: at least 0.
    public init(flops: Double = 0, bytes: Int) {
        self.flops = flops
        self.bytes = bytes
    }

    /// The cost of moving tensors; those that are nil do not exist in this call.
    init(
        flops: Double = 0, reads: [Tensor?] = [], writes: [Tensor?] = [], updates: [Tensor?] = [],
        targets: [GradientTarget] = [], otherBytes: Int = 0
    ) {
        func byteCount(_ tensors: [Tensor?]) -> Int {
            tensors.reduce(0) { $0 + ($1?.byteCount ?? 0) }
        }
        self.init(
            flops: flops,
            bytes: byteCount(reads) + byteCount(writes) + 2 * byteCount(updates) + otherBytes
                + targets.reduce(0) { $0 + ($1.accumulates ? 2 : 1) * $1.tensor.byteCount })
    }
}

extension IndexTensor {
    /// Bytes of the elements.
    var byteCount: Int { count * MemoryLayout<Int32>.stride }
}

extension AttentionInputs {
    /// The inputs, each read once.
    var tensors: [Tensor?] { [query] + keyValues.flatMap { [$0.key, $0.value] } }

    /// 4 · headDimension for each pair of a query and a key it sees, in all heads: q·k and p·v.
    var forwardFLOPs: Double {
        let pairs = (0..<segments.count).reduce(0) { sum, index in
            let rows = segments[index].count
            return sum + rows * keys(of: index).rowsBefore + rows * (rows + 1) / 2
        }
        return 4 * Double(pairs) * Double(query.columnCount)
    }
}

extension ConvolutionInputs {
    /// A multiplication and an addition for each tap of each element.
    var forwardFLOPs: Double { 2 * Double(x.count) * Double(tapCount) }
}

extension SSDInputs {
    /// For each row of a chunk of q rows: 2·q·(N·G + H·P) within the chunk, 4·N·H·P for the states.
    var forwardFLOPs: Double {
        let width = Double(shape.heads * shape.headDimension)
        let (state, groups) = (Double(shape.stateSize), Double(shape.groups))
        func chunk(_ count: Int) -> Double {
            let rows = Double(count)
            return rows * (2 * rows * (state * groups + width) + 4 * state * width)
        }
        return segments.ranges.reduce(0) { sum, rows in
            let (whole, rest) = rows.count.quotientAndRemainder(dividingBy: shape.chunkLength)
            return sum + Double(whole) * chunk(shape.chunkLength) + chunk(rest)
        }
    }

    /// The inputs, each read once.
    var tensors: [Tensor?] { [x, b, c, dt, dtBias, aLog, d] }
}

extension SelectiveScanInputs {
    /// The state takes in x Bᵀ and is read with C: 4·N per row and channel.
    ///
    /// The exponential of each step and rate, which costs more, is element-wise arithmetic.
    var forwardFLOPs: Double { 4 * Double(x.count) * Double(stateSize) }

    /// The inputs, each read once.
    var tensors: [Tensor?] { [x, delta, b, c, deltaBias, aLog, d] }
}
