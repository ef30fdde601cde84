/// The sizes of a Mamba-2 scan.
public struct SSDShape: Equatable, Sendable {
    /// H.
    public let heads: Int
    /// P, values per head.
    public let headDimension: Int
    /// G, divides H; head h uses B and C of group h div (H / G).
    public let groups: Int
    /// N.
    public let stateSize: Int
    /// Q, rows of a chunk; changes rounding only.
    public let chunkLength: Int

    /// The sizes of a scan.
    ///
    /// - Parameters:
    ///   - heads: H.
    ///   - headDimension: P.
    ///   - groups: G, divides H.
    ///   - stateSize: N.
    ///   - chunkLength: Q.
    public init(heads: Int, headDimension: Int, groups: Int, stateSize: Int, chunkLength: Int) {
        precondition(heads % groups == 0, "SSDShape: \(groups) groups do not divide \(heads) heads")
        self.heads = heads
        self.headDimension = headDimension
        self.groups = groups
        self.stateSize = stateSize
        self.chunkLength = chunkLength
    }
}

/// The Mamba-2 state-space scan, chunked, with its time steps and skip.
///
/// Δ_t = softplus(stepScale · dt_t + dtBias), A = −exp(aLog),
/// S_t = e^{Δ_t A} S_{t−1} + Δ_t x_t B_tᵀ, y_t = S_t C_t + D x_t, each head on its own, from S = 0 at
/// every segment start.
///
/// - Parameters:
///   - x: `[R, H·P]`; rows of all five inputs may be strided.
///   - b: `[R, G·N]`.
///   - c: `[R, G·N]`.
///   - dt: `[R, H]`, before bias and softplus.
///   - dtBias: `[H]`.
///   - aLog: `[H]`.
///   - d: `[H]`, the skip.
///   - stepScale: the fixed multiplier of dt.
///   - shape: H, P, G, N and the chunk length.
///   - segments: documents among the rows.
///   - states: the states before and after each segment; empty for zeros before all of them.
///   - tape: where the op runs and is recorded; not recordable with a state before a segment.
/// - Returns: `[R, H·P]`. **Saved**: the inputs and the tensors that the backend asks for; on the
///   CPU the time steps and summed decays `[R, 3·H]`, and the states `[N, H·P]` at the chunk
///   borders inside segments.
/// - SeeAlso: Dao & Gu, arXiv 2405.21060.
public func ssdScan(
    x: Tensor, b: Tensor, c: Tensor, dt: Tensor, dtBias: Parameter, aLog: Parameter, d: Parameter,
    stepScale: Float, shape: SSDShape, segments: Segments, states: [SegmentState] = [],
    on tape: inout Tape
) -> Tensor {
    let (width, stateWidth) = (shape.heads * shape.headDimension, shape.groups * shape.stateSize)
    precondition(
        x.columnCount == width && b.columnCount == stateWidth && c.columnCount == stateWidth
            && dt.columnCount == shape.heads
            && [x, b, c, dt].allSatisfy { $0.rowCount == segments.rowCount },
        "ssdScan: x \(x.shape), b \(b.shape), c \(c.shape), dt \(dt.shape), \(segments.rowCount) rows, \(shape)"
    )
    precondition(
        [dtBias, aLog, d].allSatisfy { $0.shape == [shape.heads] },
        "ssdScan: dtBias \(dtBias.shape), aLog \(aLog.shape), d \(d.shape), want [\(shape.heads)]")
    SegmentState.check(
        states, count: shape.stateSize * width, segments, "ssdScan", isRecording: tape.isRecording)
    let (device, backend) = (tape.device, tape.backend)
    let inputs = SSDInputs(
        x: x, b: b, c: c, dt: dt, dtBias: dtBias.value, aLog: aLog.value, d: d.value,
        stepScale: stepScale, shape: shape, segments: segments, states: states)
    let y = device.empty([segments.rowCount, width])
    let room = backend.ssdRoom(inputs, forBackward: tape.isRecording).map { device.empty($0) }
    tape.run(writing: [y] + room, reading: [x, b, c, dt]) {
        backend.ssdForward(y, room: room, inputs)
    }
    tape.record(y, reading: [x, b, c, dt] + room) { dy, gradients in
        let g = gradients.targets(of: [x.place, b.place, c.place, dt.place])
        backend.ssdBackward(
            SSDGradients(
                x: g[0], b: g[1], c: g[2], dt: g[3], dtBias: dtBias.gradient, aLog: aLog.gradient,
                d: d.gradient), dy: dy, room: room, inputs)
    }
    return y
}
