/// What is done around every call of a backend.
protocol Interposer: AnyObject {
    /// Has work done on the device, or a transfer.
    ///
    /// - Parameter body: the call itself.
    /// - Returns: what the call returns.
    func around<Result>(_ body: () -> Result) -> Result
    /// Has work done on the device.
    ///
    /// - Parameters:
    ///   - call: what it is and costs.
    ///   - backend: does the work.
    ///   - body: the call itself.
    /// - Returns: what the call returns.
    func perform<Result>(
        _ call: BackendCall, on backend: any Backend, _ body: () -> Result
    ) -> Result
    /// Told of memory that the backend has just taken, perhaps in the middle of a call.
    func didAllocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int)
    /// Told of memory that the backend is about to give back.
    func willDeallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int)
}

extension Interposer {
    func around<Result>(_ body: () -> Result) -> Result { body() }

    func perform<Result>(
        _ call: BackendCall, on backend: any Backend, _ body: () -> Result
    ) -> Result {
        around(body)
    }

    func didAllocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {}
    func willDeallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {}
}

/// A call of a backend.
struct BackendCall {
    /// The op and its direction; for products the purpose.
    let name: String
    /// The number format that its products run in.
    let precision: String
    /// The least it must do.
    let cost: KernelCost
}

/// A backend that lets another one do the work, with the same bits, and has something done around every
/// call.
final class InterposedBackend: Backend {
    let base: any Backend
    private let interposer: any Interposer
    private let precision: String

    init(_ base: any Backend, interposer: any Interposer, precision: String) {
        self.base = base
        self.interposer = interposer
        self.precision = precision
    }

    package var parallelWork: ParallelWork { base.parallelWork }

    func call<Result>(
        _ name: String, _ cost: KernelCost, precision: String = "f32",
        _ body: (any Backend) -> Result
    ) -> Result {
        let call = BackendCall(name: name, precision: precision, cost: cost)
        return interposer.perform(call, on: base) { body(base) }
    }

    package var slabByteCount: Int { base.slabByteCount }

    package func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        let pointer = call("allocate", KernelCost(bytes: 0)) { $0.allocate(byteCount: byteCount) }
        if let pointer { interposer.didAllocate(pointer, byteCount: byteCount) }
        return pointer
    }

    package func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        interposer.willDeallocate(pointer, byteCount: byteCount)
        base.deallocate(pointer, byteCount: byteCount)
    }

    package func discard(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        base.discard(pointer, byteCount: byteCount)
    }

    package func useScratch(of arena: Arena) { base.useScratch(of: arena) }

    package func write(_ source: UnsafeRawBufferPointer, to destination: UnsafeMutableRawPointer) {
        interposer.around { base.write(source, to: destination) }
    }

    package func read(
        _ source: UnsafeRawPointer, into destination: UnsafeMutableRawBufferPointer
    ) {
        interposer.around { base.read(source, into: destination) }
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
