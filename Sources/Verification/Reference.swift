#if canImport(Glibc)
    import Glibc
#endif

/// The ops as plain loops in double, written from the papers: every kernel is tested against them.
///
/// Arrays are row-major; a shape is stated in front of every function. A segment is a range of rows
/// that sees nothing outside of itself. Written to be read, not to be fast.
public enum Reference {
    /// e^−x in a fraction: 1 / (1 + e^−x).
    static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    /// x · σ(x).
    static func silu(_ x: Double) -> Double { x * sigmoid(x) }

    /// log(1 + e^x), without overflow.
    static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }

    /// Rows of a table: y[r] = scale · table[tokens[r]].
    ///
    /// - Parameters:
    ///   - tokens: R of them, below V.
    ///   - table: `[V, width]`.
    ///   - width: channels.
    ///   - scale: multiplies the output.
    /// - Returns: `[R, width]`.
    public static func embedding(
        _ tokens: [Int], table: [Double], width: Int, scale: Double
    ) -> [Double] {
        tokens.flatMap { token in (0..<width).map { scale * table[token * width + $0] } }
    }

    /// y = scale · x Wᵀ.
    ///
    /// - Parameters:
    ///   - x: `[rows, inputs]`.
    ///   - weight: `[outputs, inputs]`.
    ///   - rows: R.
    ///   - scale: multiplies the output.
    /// - Returns: `[rows, outputs]`.
    public static func linear(
        _ x: [Double], weight: [Double], rows: Int, scale: Double
    ) -> [Double] {
        let inputs = x.count / rows
        let outputs = weight.count / inputs
        var y = [Double](repeating: 0, count: rows * outputs)
        for r in 0..<rows {
            for o in 0..<outputs {
                var sum = 0.0
                for i in 0..<inputs { sum += x[r * inputs + i] * weight[o * inputs + i] }
                y[r * outputs + o] = scale * sum
            }
        }
        return y
    }

    /// The sum of arrays of equal size, element by element.
    ///
    /// - Parameter terms: at least one array.
    /// - Returns: their sum.
    public static func sum(_ terms: [[Double]]) -> [Double] {
        terms.dropFirst().reduce(terms[0]) { zip($0, $1).map { $0 + $1 } }
    }

    /// y = gain ⊙ x / sqrt(mean(x²) + ε) for each row.
    ///
    /// - Parameters:
    ///   - x: `[R, D]`.
    ///   - gain: `[D]`.
    ///   - epsilon: added to the mean square.
    /// - Returns: `[R, D]`.
    public static func rmsNorm(_ x: [Double], gain: [Double], epsilon: Double) -> [Double] {
        groupNorm(x, gain: gain, groups: 1, epsilon: epsilon)
    }

    /// y = x / sqrt(mean(x²) + ε) for each range of columns of each row.
    ///
    /// - Parameters:
    ///   - x: `[R, Σ widths]`.
    ///   - widths: columns of each range, one after the other.
    ///   - epsilon: added to the mean square.
    /// - Returns: of the size of `x`.
    public static func rmsNorm(_ x: [Double], widths: [Int], epsilon: Double) -> [Double] {
        var (y, start) = (x, 0)
        while start < x.count {
            for width in widths {
                let range = start..<start + width
                let meanSquare = x[range].reduce(0) { $0 + $1 * $1 } / Double(width)
                for i in range { y[i] = x[i] / (meanSquare + epsilon).squareRoot() }
                start += width
            }
        }
        return y
    }

    /// The root-mean-square norm over each group of channels.
    private static func groupNorm(
        _ x: [Double], gain: [Double], groups: Int, epsilon: Double
    ) -> [Double] {
        let width = gain.count
        let groupWidth = width / groups
        var y = x
        for start in stride(from: 0, to: x.count, by: groupWidth) {
            let channels = start..<start + groupWidth
            let meanSquare = channels.reduce(0) { $0 + x[$1] * x[$1] } / Double(groupWidth)
            for i in channels {
                y[i] = gain[i % width] * x[i] / (meanSquare + epsilon).squareRoot()
            }
        }
        return y
    }

    /// A gate, then a norm within groups: v = x ⊙ silu(gateScale · z), and the norm of v if there is a
    /// gain.
    ///
    /// - Parameters:
    ///   - x: `[R, C]`.
    ///   - z: `[R, C]`.
    ///   - gain: `[C]`, or nil for v itself.
    ///   - groups: divides C.
    ///   - gateScale: multiplies z.
    ///   - epsilon: added to the mean square.
    /// - Returns: `[R, C]`.
    public static func gatedRMSNorm(
        _ x: [Double], gate z: [Double], gain: [Double]?, groups: Int, gateScale: Double,
        epsilon: Double
    ) -> [Double] {
        let gated = zip(x, z).map { $0 * silu(gateScale * $1) }
        guard let gain else { return gated }
        return groupNorm(gated, gain: gain, groups: groups, epsilon: epsilon)
    }

    /// Rotary positions, half-split: channels i and i + d/2 of a head turn by
    /// position · theta^(−2i/d) / factor.
    ///
    /// - Parameters:
    ///   - x: `[rows, heads · d]`.
    ///   - positions: one per row, counted within its segment.
    ///   - headDimension: d, even.
    ///   - theta: the base of the wavelengths.
    ///   - factor: divides the positions.
    /// - Returns: of the size of `x`.
    public static func rotary(
        _ x: [Double], positions: [Int], headDimension: Int, theta: Double, factor: Double = 1
    ) -> [Double] {
        let (width, half) = (x.count / positions.count, headDimension / 2)
        var y = x
        for (row, position) in positions.enumerated() {
            for head in 0..<width / headDimension {
                for i in 0..<half {
                    let first = row * width + head * headDimension + i
                    let angle = Double(position) * pow(theta, -Double(i) / Double(half)) / factor
                    y[first] = x[first] * cos(angle) - x[first + half] * sin(angle)
                    y[first + half] = x[first + half] * cos(angle) + x[first] * sin(angle)
                }
            }
        }
        return y
    }

    /// The gated unit: y = up ⊙ silu(gateScale · gate).
    ///
    /// - Parameters:
    ///   - gate: any size.
    ///   - up: of the size of `gate`.
    ///   - gateScale: multiplies the gate.
    /// - Returns: of the size of `gate`.
    public static func swiGLU(gate: [Double], up: [Double], gateScale: Double = 1) -> [Double] {
        zip(gate, up).map { silu(gateScale * $0) * $1 }
    }

    /// −log softmax(logits)[target] + zLoss · lse² of each row; 0 where the target is −1.
    ///
    /// - Parameters:
    ///   - logits: `[R, V]`.
    ///   - targets: R of them, below V or −1.
    ///   - zLoss: weight of the squared log of the softmax's sum.
    /// - Returns: `[R]`.
    public static func crossEntropy(
        _ logits: [Double], targets: [Int], zLoss: Double
    ) -> [Double] {
        let width = logits.count / targets.count
        return targets.enumerated().map { row, target in
            guard target >= 0 else { return 0 }
            let values = logits[row * width..<(row + 1) * width]
            let largest = values.reduce(-Double.infinity, max)
            let lse = largest + log(values.reduce(0) { $0 + exp($1 - largest) })
            return lse - logits[row * width + target] + zLoss * lse * lse
        }
    }
}
