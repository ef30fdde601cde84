import FalconSystem
import FalconTensor

/// A backend that lets another one do the work, with the same bits, and files every call in a profile.
final class ProfiledBackend: Backend {
    let base: any Backend
    private let profile: Profile
    private let precision: String

    init(_ base: any Backend, in profile: Profile, precision: String) {
        self.base = base
        self.profile = profile
        self.precision = precision
    }

    package var parallelWork: ParallelWork { base.parallelWork }

    /// Runs a call and files it.
    ///
    /// - Parameters:
    ///   - name: the op and its direction; for products the purpose.
    ///   - cost: the least work of the call.
    ///   - precision: the number format that its products run in.
    ///   - body: the call itself.
    /// - Returns: what the call returns.
    func call<Result>(
        _ name: String, _ cost: KernelCost, precision: String = "f32",
        _ body: (any Backend) -> Result
    ) -> Result {
        let before = base.parallelWork
        let start = monotonicSeconds()
        let result = body(base)
        profile.add(
            name, precision: precision, cost, seconds: monotonicSeconds() - start,
            work: base.parallelWork - before)
        return result
    }

    package var slabByteCount: Int { base.slabByteCount }

    package func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        call("allocate", KernelCost(bytes: 0)) { $0.allocate(byteCount: byteCount) }
    }

    package func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        base.deallocate(pointer, byteCount: byteCount)
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

    package func initialize(_ y: Tensor, _ initialization: Initialization, key: UInt64) {
        call("fresh weights", KernelCost(writes: [y])) {
            $0.initialize(y, initialization, key: key)
        }
    }

    package func fill(_ y: Tensor, with value: Float) {
        call("fill", KernelCost(writes: [y])) { $0.fill(y, with: value) }
    }

    package func copy(from x: Tensor, to y: Tensor, scale: Float) {
        call("copy", KernelCost(reads: [x], writes: [y])) { $0.copy(from: x, to: y, scale: scale) }
    }

    package func add(_ x: Tensor, to y: Tensor, scale: Float) {
        call("add", KernelCost(reads: [x], updates: [y])) { $0.add(x, to: y, scale: scale) }
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
        call(name, cost, precision: precision) {
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
        call("product forward NT", cost, precision: precision) {
            $0.linearForward(outputs, input: input, weights: weights, scales: scales)
        }
    }

    package func packedElements(rows: Int, columns: Int) -> (kind: ElementKind, count: Int)? {
        base.packedElements(rows: rows, columns: columns)
    }

    package func packWeights(_ packed: Tensor, _ weight: Tensor) {
        call("pack weights", KernelCost(reads: [weight], writes: [packed])) {
            $0.packWeights(packed, weight)
        }
    }

    package func linearBackward(
        dInput: GradientTarget, dWeights: [Tensor], dOutputs: [Tensor], input: Tensor,
        weights: [Tensor], scales: [Float]
    ) {
        let cost = KernelCost(
            flops: 2 * Self.productFLOPs(dOutputs, input), reads: dOutputs + [input] + weights,
            updates: dWeights, targets: [dInput])
        call("product gradients NN, TN", cost, precision: precision) {
            $0.linearBackward(
                dInput: dInput, dWeights: dWeights, dOutputs: dOutputs,
                input: input, weights: weights, scales: scales)
        }
    }

    /// Of one input with matrices that give these outputs.
    private static func productFLOPs(_ outputs: [Tensor], _ input: Tensor) -> Double {
        2 * Double(outputs.reduce(0) { $0 + $1.count }) * Double(input.columnCount)
    }

    package func sum(_ y: Tensor, _ a: Tensor, _ b: Tensor, _ c: Tensor?) {
        call("residual sum", KernelCost(reads: [a, b, c], writes: [y])) { $0.sum(y, a, b, c) }
    }

    package func total(_ x: Tensor) -> DeviceNumber {
        call("loss sum", KernelCost(reads: [x])) { $0.total(x) }
    }

    package func sumOfSquares(_ x: Tensor) -> DeviceNumber {
        call("gradient norm", KernelCost(reads: [x])) { $0.sumOfSquares(x) }
    }

    package func normalize(_ x: Tensor, to y: Tensor, floor: Double) {
        call("muon", KernelCost(reads: [x, x], writes: [y])) {
            $0.normalize(x, to: y, floor: floor)
        }
    }
}

extension Device {
    /// A device that lets another one do the work, with the same bits, and files every kernel call.
    ///
    /// - Parameters:
    ///   - device: does the work; tensors of both may be mixed.
    ///   - profile: the profile in which calls are filed.
    public convenience init(profiling device: Device, in profile: Profile) {
        let backend = ProfiledBackend(
            device.backend, in: profile, precision: device.precision.rawValue)
        self.init(backend, precision: device.precision, threadCount: device.threadCount)
    }
}
