/// The Mamba-1 selective state-space scan, with its time steps and skip.
///
/// Δ_t = softplus(delta_t + deltaBias), A = −exp(aLog),
/// h_t[c,n] = e^{Δ_t[c] A[c,n]} h_{t−1}[c,n] + Δ_t[c] B_t[n] x_t[c],
/// y_t[c] = Σ_n C_t[n] h_t[c,n] + D[c] x_t[c], from h = 0 at every segment start.
///
/// - Parameters:
///   - x: `[R, C]`, after the convolution; rows of all four inputs may be strided.
///   - delta: `[R, C]`, before bias and softplus.
///   - b: `[R, N]`.
///   - c: `[R, N]`.
///   - deltaBias: `[C]`.
///   - aLog: `[C, N]`.
///   - d: `[C]`, the skip.
///   - segments: documents among the rows.
///   - states: the states before and after each segment; empty for zeros before all of them.
///   - tape: where the op runs and is recorded; not recordable with a state before a segment.
/// - Returns: `[R, C]`. **Saved**: the inputs and the tensors that the backend asks for; on the
///   CPU, for every 64 rows within a segment, one state `[N, C]`; states in between are computed
///   again.
/// - SeeAlso: Gu & Dao, arXiv 2312.00752, algorithm 2; Zuo et al., arXiv 2410.05355.
public func selectiveScan(
    x: Tensor, delta: Tensor, b: Tensor, c: Tensor, deltaBias: Parameter, aLog: Parameter,
    d: Parameter, segments: Segments, states: [SegmentState] = [], on tape: inout Tape
) -> Tensor {
    let (channels, stateSize) = (x.columnCount, b.columnCount)
    precondition(
        delta.columnCount == channels && c.columnCount == stateSize && stateSize > 0
            && [x, delta, b, c].allSatisfy { $0.rowCount == segments.rowCount },
        "selectiveScan: x \(x.shape), delta \(delta.shape), b \(b.shape), c \(c.shape), \(segments.rowCount) rows"
    )
    precondition(
        aLog.shape == [channels, stateSize]
            && [deltaBias, d].allSatisfy { $0.shape == [channels] },
        "selectiveScan: aLog \(aLog.shape), want [\(channels), \(stateSize)]; deltaBias \(deltaBias.shape), d \(d.shape), want [\(channels)]"
    )
    SegmentState.check(
        states, count: stateSize * channels, segments, "selectiveScan",
        isRecording: tape.isRecording)
    let (device, backend) = (tape.device, tape.backend)
    let inputs = SelectiveScanInputs(
        x: x, delta: delta, b: b, c: c, deltaBias: deltaBias.value, aLog: aLog.value, d: d.value,
        segments: segments, states: states)
    let y = device.empty([segments.rowCount, channels])
    let room = backend.selectiveScanRoom(inputs, forBackward: tape.isRecording).map {
        device.empty($0)
    }
    tape.run(writing: [y] + room, reading: [x, delta, b, c]) {
        backend.selectiveScanForward(y, room: room, inputs)
    }
    tape.record(y, reading: [x, delta, b, c] + room) { dy, gradients in
        let g = gradients.targets(of: [x.place, delta.place, b.place, c.place])
        backend.selectiveScanBackward(
            SelectiveScanGradients(
                x: g[0], delta: g[1], b: g[2], c: g[3], deltaBias: deltaBias.gradient,
                aLog: aLog.gradient, d: d.gradient), dy: dy, room: room, inputs)
    }
    return y
}
