/// The gated unit of the MLP: y = up ⊙ silu(gate).
///
/// - Parameters:
///   - gate: `[R, C]`, multipliers included.
///   - up: `[R, C]`.
///   - tape: where the op runs and is recorded.
/// - Returns: `[R, C]`. **Saved**: `gate`, `up`.
/// - SeeAlso: Shazeer, arXiv 2002.05202.
public func swiGLU(gate: Tensor, up: Tensor, on tape: inout Tape) -> Tensor {
    precondition(gate.shape == up.shape, "swiGLU: gate \(gate.shape), up \(up.shape)")
    let y = tape.device.empty(gate.shape)
    let backend = tape.backend
    tape.run(writing: [y], reading: [gate, up]) {
        backend.swiGLUForward(y, gate: gate, up: up)
    }
    tape.record(y, reading: [gate, up]) { dy, gradients in
        let d = gradients.targets(of: [gate.place, up.place])
        backend.swiGLUBackward(dGate: d[0], dUp: d[1], dy: dy, gate: gate, up: up)
    }
    return y
}
