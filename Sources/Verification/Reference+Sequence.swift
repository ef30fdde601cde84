import FalconTensor

#if canImport(Glibc)
    import Glibc
#endif

/// Ops along the rows of a segment.
extension Reference {
    /// softmax(scale · q kᵀ) v for each head; query i of n sees keys j ≤ i + (m − n) of m.
    ///
    /// - Parameters:
    ///   - query: `[R, heads · d]`.
    ///   - key: `[R, keyValueHeads · d]`, or with one segment more rows.
    ///   - value: of the size of `key`.
    ///   - heads: query heads.
    ///   - keyValueHeads: divides `heads`; head h reads key head h div (heads / keyValueHeads).
    ///   - segments: ranges of query rows.
    ///   - scale: multiplies the scores.
    /// - Returns: `[R, heads · d]`.
    public static func attention(
        query: [Double], key: [Double], value: [Double], heads: Int, keyValueHeads: Int,
        segments: [Range<Int>], scale: Double
    ) -> [Double] {
        let rows = segments.reduce(0) { $0 + $1.count }
        let d = query.count / rows / heads
        let (width, keyWidth) = (heads * d, keyValueHeads * d)
        let keysBefore = key.count / keyWidth - rows
        var y = [Double](repeating: 0, count: query.count)
        for segment in segments {
            for i in segment {
                for h in 0..<heads {
                    let (q, column) = (i * width + h * d, h / (heads / keyValueHeads) * d)
                    let keys = segment.lowerBound...i + keysBefore
                    var weights: [Double] = []
                    var largest = -Double.infinity
                    for j in keys {
                        var score = 0.0
                        for p in 0..<d { score += query[q + p] * key[j * keyWidth + column + p] }
                        weights.append(scale * score)
                        largest = max(largest, scale * score)
                    }
                    var total = 0.0
                    for j in 0..<weights.count {
                        weights[j] = exp(weights[j] - largest)
                        total += weights[j]
                    }
                    for j in keys {
                        let weight = weights[j - segment.lowerBound] / total
                        for p in 0..<d { y[q + p] += weight * value[j * keyWidth + column + p] }
                    }
                }
            }
        }
        return y
    }

    /// y[t,c] = silu(b[c] + Σ_k w[c,k] · scale[c] · x[t−(K−1)+k, c]).
    ///
    /// - Parameters:
    ///   - x: `[R, C]`.
    ///   - weight: `[C, K]`.
    ///   - bias: `[C]`.
    ///   - scale: `[C]`.
    ///   - segments: ranges of rows.
    ///   - history: the K−1 rows before x `[K−1, C]`, with one segment; zeros otherwise.
    /// - Returns: `[R, C]`.
    public static func convolution(
        _ x: [Double], weight: [Double], bias: [Double], scale: [Double], segments: [Range<Int>],
        history: [Double]? = nil
    ) -> [Double] {
        let channels = bias.count
        let taps = weight.count / channels
        var y = x
        for segment in segments {
            for t in segment {
                for c in 0..<channels {
                    var u = bias[c]
                    for k in 0..<taps {
                        let row = t - (taps - 1) + k
                        var input = 0.0
                        if row >= segment.lowerBound {
                            input = x[row * channels + c]
                        } else if let history {
                            input = history[(row + taps - 1) * channels + c]
                        }
                        u += weight[c * taps + k] * scale[c] * input
                    }
                    y[t * channels + c] = silu(u)
                }
            }
        }
        return y
    }

    /// The Mamba-2 recurrence, token by token: S = e^{Δ A} S + Δ x Bᵀ, y = S C + D x, with
    /// Δ = softplus(stepScale · dt + dtBias) and A = −e^{aLog}, each head from its own initial state.
    ///
    /// - Parameters:
    ///   - x: `[R, H·P]`.
    ///   - b: `[R, G·N]`; head h reads group h div (H / G).
    ///   - c: `[R, G·N]`.
    ///   - dt: `[R, H]`.
    ///   - dtBias: `[H]`.
    ///   - aLog: `[H]`.
    ///   - d: `[H]`.
    ///   - stepScale: multiplies dt.
    ///   - shape: H, P, G, N.
    ///   - segments: ranges of rows.
    ///   - initialState: `[N, H·P]` for every segment, or nil for zeros.
    /// - Returns: y `[R, H·P]`, and the state after the last row `[N, H·P]`.
    public static func ssd(
        x: [Double], b: [Double], c: [Double], dt: [Double], dtBias: [Double], aLog: [Double],
        d: [Double], stepScale: Double, shape: SSDShape, segments: [Range<Int>],
        initialState: [Double]? = nil
    ) -> (y: [Double], state: [Double]) {
        let (heads, headDimension, states) = (shape.heads, shape.headDimension, shape.stateSize)
        let width = heads * headDimension
        let stateWidth = shape.groups * states
        let zeros = [Double](repeating: 0, count: states * width)
        var y = x
        var state = zeros
        for segment in segments {
            state = initialState ?? zeros
            for t in segment {
                for h in 0..<heads {
                    let group = t * stateWidth + h / (heads / shape.groups) * states
                    let step = softplus(stepScale * dt[t * heads + h] + dtBias[h])
                    let decay = exp(-step * exp(aLog[h]))
                    for p in h * headDimension..<(h + 1) * headDimension {
                        let input = x[t * width + p]
                        var output = d[h] * input
                        for n in 0..<states {
                            state[n * width + p] =
                                decay * state[n * width + p] + step * input * b[group + n]
                            output += state[n * width + p] * c[group + n]
                        }
                        y[t * width + p] = output
                    }
                }
            }
        }
        return (y, state)
    }

    /// The Mamba-1 recurrence, token by token: h = e^{Δ A} h + Δ x B, y = Σ_n C h + D x, with
    /// Δ = softplus(delta + deltaBias) and A = −e^{aLog}, each segment from its own initial state.
    ///
    /// - Parameters:
    ///   - x: `[R, C]`.
    ///   - delta: `[R, C]`.
    ///   - b: `[R, N]`.
    ///   - c: `[R, N]`.
    ///   - deltaBias: `[C]`.
    ///   - aLog: `[C, N]`.
    ///   - d: `[C]`.
    ///   - segments: ranges of rows.
    ///   - initialState: `[N, C]` for every segment, or nil for zeros.
    /// - Returns: y `[R, C]`, and the state after the last row `[N, C]`.
    public static func selectiveScan(
        x: [Double], delta: [Double], b: [Double], c: [Double], deltaBias: [Double],
        aLog: [Double], d: [Double], segments: [Range<Int>], initialState: [Double]? = nil
    ) -> (y: [Double], state: [Double]) {
        let (channels, states) = (d.count, aLog.count / d.count)
        var y = x
        var state: [Double] = []
        for segment in segments {
            state = initialState ?? [Double](repeating: 0, count: states * channels)
            for t in segment {
                for channel in 0..<channels {
                    let input = x[t * channels + channel]
                    let step = softplus(delta[t * channels + channel] + deltaBias[channel])
                    var output = d[channel] * input
                    for n in 0..<states {
                        let decay = exp(-step * exp(aLog[channel * states + n]))
                        let place = n * channels + channel
                        state[place] = decay * state[place] + step * input * b[t * states + n]
                        output += state[place] * c[t * states + n]
                    }
                    y[t * channels + channel] = output
                }
            }
        }
        return (y, state)
    }
}
