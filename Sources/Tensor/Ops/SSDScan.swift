/// The sizes of a Mamba-2 scan.
public struct SSDShape: Equatable, Sendable {
    /// H.
    public let heads: Int
    /// P, values a head.
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
///   - initialState: `[H, P, N]`, with one segment only; nil for zeros.
///   - finalState: `[H, P, N]`, written with the state after the last row (one segment only); may be the
///     same tensor as `initialState`.
///   - tape: where the op runs and is recorded; not recordable with an initial state.
/// - Returns: `[R, H·P]`. **Saved**: the inputs and the states at chunk borders.
/// - SeeAlso: Dao & Gu, arXiv 2405.21060.
public func ssdScan(
    x: Tensor, b: Tensor, c: Tensor, dt: Tensor, dtBias: Parameter, aLog: Parameter, d: Parameter,
    stepScale: Float, shape: SSDShape, segments: Segments, initialState: Tensor? = nil,
    finalState: Tensor? = nil, on tape: inout Tape
) -> Tensor {
    preconditionFailure("ssdScan")
}
