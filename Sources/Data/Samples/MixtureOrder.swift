/// The order in which the sources of a mixture give their samples.
///
/// Source j with weight w_j has given n_j(t) of the first t samples, and at every t
///
///     |n_j(t) − t · w_j / W| ≤ 1 − 1/(2n − 2),   W = Σ w_j, n sources
///
/// so no share is ever off by a whole sample. The order repeats after W samples, and all arithmetic is in
/// integers: it is the same everywhere, and a place in it is found without what came before.
///
/// - SeeAlso: Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980), 323–330.
struct MixtureOrder: Sendable, Equatable {
    /// w_j, without a common divisor.
    let weights: [Int]
    /// W: samples after which the order repeats.
    private let period: Int
    /// t · w_j − n_j · W.
    private var deficits: [Int]

    /// The order from its first sample.
    ///
    /// - Parameter weights: of the sources, each at least 1, all together at most 10^9; at most 1000.
    init(weights: [Int]) {
        precondition(
            !weights.isEmpty && weights.count <= 1000 && weights.allSatisfy { $0 >= 1 },
            "MixtureOrder: weights \(weights)")
        let divisor = weights.reduce(0, Self.greatestCommonDivisor)
        self.weights = weights.map { $0 / divisor }
        period = self.weights.reduce(0, +)
        deficits = Array(repeating: 0, count: weights.count)
    }

    /// The source of the next sample.
    mutating func next() -> Int {
        guard weights.count > 1 else { return 0 }
        let bound = Int128(2 * weights.count - 2)
        var chosen = 0
        // (1 − 1/bound − deficit/W) / w: how soon a source that is passed over would be too late.
        var least: (numerator: Int128, weight: Int128)?
        for source in weights.indices {
            deficits[source] += weights[source]
            let deficit = bound * Int128(deficits[source])
            guard deficit >= Int128(period) else { continue }
            let numerator = (bound - 1) * Int128(period) - deficit
            let weight = Int128(weights[source])
            if let best = least, numerator * best.weight >= best.numerator * weight { continue }
            least = (numerator, weight)
            chosen = source
        }
        deficits[chosen] -= period
        return chosen
    }

    /// Passes over samples.
    ///
    /// - Parameter count: 0 or more.
    /// - Returns: those of each source.
    /// - Complexity: O(count modulo W) sources.
    mutating func skip(_ count: Int) -> [Int] {
        let (periods, rest) = count.quotientAndRemainder(dividingBy: period)
        var counts = weights.map { periods * $0 }
        if weights.count == 1 { return [count] }
        for _ in 0..<rest { counts[next()] += 1 }
        return counts
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}
