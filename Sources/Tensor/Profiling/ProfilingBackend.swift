/// A backend that lets another one do the work and files time and cost of every call.
package final class ProfilingBackend: Backend {
    private let base: any Backend
    private let profile: Profile
    private let precision: String

    init(_ base: any Backend, profile: Profile, precision: String) {
        self.base = base
        self.profile = profile
        self.precision = precision
    }

    package var parallelWork: ParallelWork { base.parallelWork }

    func timed<Result>(
        _ name: String, _ cost: KernelCost, precision: String = "f32",
        _ body: (any Backend) -> Result
    ) -> Result {
        let before = base.parallelWork
        let start = profileClock()
        let result = body(base)
        let seconds = profileClock() - start
        profile.add(
            name, precision: precision, seconds: seconds, cost: cost,
            work: base.parallelWork - before)
        return result
    }

    package var slabByteCount: Int { base.slabByteCount }

    package func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        timed("allocate", KernelCost(bytes: 0)) { $0.allocate(byteCount: byteCount) }
    }

    package func discard(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        base.discard(pointer, byteCount: byteCount)
    }

    package func useScratch(of arena: Arena) { base.useScratch(of: arena) }

    package func write(_ source: UnsafeRawBufferPointer, to destination: UnsafeMutableRawPointer) {
        base.write(source, to: destination)
    }

    package func read(
        _ source: UnsafeRawPointer, into destination: UnsafeMutableRawBufferPointer
    ) {
        base.read(source, into: destination)
    }

    package func fillNormal(_ y: Tensor, key: UInt64, deviation: Float) {
        timed("fill with random numbers", KernelCost(writes: [y])) {
            $0.fillNormal(y, key: key, deviation: deviation)
        }
    }

    package func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        base.deallocate(pointer, byteCount: byteCount)
    }

    package func fill(_ y: Tensor, with value: Float) {
        timed("fill", KernelCost(writes: [y])) { $0.fill(y, with: value) }
    }

    package func copy(from x: Tensor, to y: Tensor, scale: Float) {
        timed("copy", KernelCost(reads: [x], writes: [y])) { $0.copy(from: x, to: y, scale: scale) }
    }

    package func add(_ x: Tensor, to y: Tensor, scale: Float) {
        timed("add", KernelCost(reads: [x], updates: [y])) { $0.add(x, to: y, scale: scale) }
    }

    package func matmul(
        _ c: Tensor, _ a: Tensor, _ b: Tensor, transposeA: Bool, transposeB: Bool, alpha: Float,
        beta: Float
    ) {
        let name =
            switch (transposeA, transposeB) {
            case (false, true): "product forward NT"
            case (false, false): "product input gradient NN"
            case (true, false): "product weight gradient TN"
            case (true, true): "product TT"
            }
        let depth = transposeA ? a.rowCount : a.columnCount
        let cost = KernelCost(
            flops: 2 * Double(c.count) * Double(depth), reads: [a, b],
            writes: [beta == 0 ? c : nil], updates: [beta == 0 ? nil : c])
        timed(name, cost, precision: precision) {
            $0.matmul(
                c, a, b, transposeA: transposeA, transposeB: transposeB, alpha: alpha, beta: beta)
        }
    }

    package func linearForward(
        _ outputs: [Tensor], input: Tensor, weights: [WeightMatrix], scales: [Float]
    ) {
        let cost = KernelCost(
            flops: Self.productFLOPs(outputs, input),
            reads: [input] + weights.map { $0.packed ?? $0.value }, writes: outputs)
        timed("product forward NT", cost, precision: precision) {
            $0.linearForward(outputs, input: input, weights: weights, scales: scales)
        }
    }

    package func packedFloatCount(rows: Int, columns: Int) -> Int? {
        base.packedFloatCount(rows: rows, columns: columns)
    }

    package func packWeights(_ packed: Tensor, _ weight: Tensor) {
        timed("pack weights", KernelCost(reads: [weight], writes: [packed])) {
            $0.packWeights(packed, weight)
        }
    }

    package func linearBackward(
        dInput: Tensor, accumulates: Bool, dWeights: [Tensor], dOutputs: [Tensor], input: Tensor,
        weights: [Tensor], scales: [Float]
    ) {
        let cost = KernelCost(
            flops: 2 * Self.productFLOPs(dOutputs, input), reads: dOutputs + [input] + weights,
            writes: [accumulates ? nil : dInput],
            updates: dWeights + [accumulates ? dInput : nil])
        timed("product gradients NN, TN", cost, precision: precision) {
            $0.linearBackward(
                dInput: dInput, accumulates: accumulates, dWeights: dWeights, dOutputs: dOutputs,
                input: input, weights: weights, scales: scales)
        }
    }

    /// Of one input with matrices that give these outputs.
    private static func productFLOPs(_ outputs: [Tensor], _ input: Tensor) -> Double {
        2 * Double(outputs.reduce(0) { $0 + $1.count }) * Double(input.columnCount)
    }

    package func sum(_ y: Tensor, _ a: Tensor, _ b: Tensor, _ c: Tensor?) {
        timed("residual sum", KernelCost(reads: [a, b, c], writes: [y])) { $0.sum(y, a, b, c) }
    }

    package func sumOfSquares(_ x: Tensor) -> Double {
        timed("gradient norm", KernelCost(reads: [x])) { $0.sumOfSquares(x) }
    }
}
