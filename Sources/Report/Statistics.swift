#if canImport(Glibc)
    import Glibc
#endif

/// A mean over seeds with its confidence interval.
public struct Interval: Encodable, Equatable, Sendable {
    /// The mean.
    public let mean: Double
    /// Half the width of the 95 % interval; nil if there are too few numbers for one.
    public let half: Double?
    /// The number of values.
    public let count: Int

    /// The mean of some numbers, with an interval by Student's t.
    ///
    /// - Parameter values: at least one.
    public init(_ values: [Double]) {
        mean = Statistics.mean(values)
        count = values.count
        half = Statistics.halfWidth(
            variance: Statistics.variance(values) / Double(values.count),
            freedom: Double(values.count - 1))
    }

    init(mean: Double, half: Double?, count: Int) {
        self.mean = mean
        self.half = half
        self.count = count
    }

    /// The difference between two means, with an interval by Welch's t: variances may differ.
    ///
    /// - Parameters:
    ///   - a: the numbers of one side.
    ///   - b: the numbers of the other side.
    /// - Returns: mean(a) − mean(b); without an interval if a side has only one number.
    public static func difference(_ a: [Double], _ b: [Double]) -> Interval {
        let difference = Statistics.mean(a) - Statistics.mean(b)
        let count = min(a.count, b.count)
        guard a.count > 1, b.count > 1 else {
            return Interval(mean: difference, half: nil, count: count)
        }
        let (u, v) = (
            Statistics.variance(a) / Double(a.count), Statistics.variance(b) / Double(b.count)
        )
        guard u + v > 0 else { return Interval(mean: difference, half: 0, count: count) }
        let freedom =
            (u + v) * (u + v) / (u * u / Double(a.count - 1) + v * v / Double(b.count - 1))
        return Interval(
            mean: difference,
            half: Statistics.halfWidth(variance: u + v, freedom: freedom), count: count)
    }
}

/// A straight line through points.
public struct Fit: Encodable, Equatable, Sendable {
    /// The slope of y against x.
    public let slope: Double
    /// The value of y at x = 0.
    public let intercept: Double
    /// The share of the variance of y that the line explains.
    public let rSquared: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case slope, intercept
        case rSquared = "r_squared"
    }

    /// The line of least squares; nil for fewer than two different x.
    ///
    /// - Parameter points: any number of points.
    public init?(_ points: [(x: Double, y: Double)]) {
        let (x, y) = (Statistics.mean(points.map(\.x)), Statistics.mean(points.map(\.y)))
        let xx = points.reduce(0) { $0 + ($1.x - x) * ($1.x - x) }
        guard xx > 0, xx.isFinite, y.isFinite else { return nil }
        let xy = points.reduce(0) { $0 + ($1.x - x) * ($1.y - y) }
        let yy = points.reduce(0) { $0 + ($1.y - y) * ($1.y - y) }
        slope = xy / xx
        intercept = y - xy / xx * x
        rSquared = yy > 0 ? xy * xy / (xx * yy) : 1
    }
}

/// The formulas that intervals need.
public enum Statistics {
    static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    /// The variance of a sample, divided by n − 1.
    static func variance(_ values: [Double]) -> Double {
        let center = mean(values)
        return values.reduce(0) { $0 + ($1 - center) * ($1 - center) } / Double(values.count - 1)
    }

    /// Half the 95 % interval around a mean; nil if there is none.
    static func halfWidth(variance: Double, freedom: Double) -> Double? {
        guard variance.isFinite, freedom.isFinite, freedom > 0 else { return nil }
        return studentQuantile(0.975, freedom) * variance.squareRoot()
    }

    /// The number below which Student's t lies with a given probability.
    ///
    /// Bisection of P(T ≤ t) = 1 − I(ν/(ν + t²); ν/2, 1/2) / 2.
    ///
    /// - Parameters:
    ///   - probability: 0.5 to below 1.
    ///   - freedom: ν, degrees of freedom, more than 0.
    /// - Returns: t, within about 1e-10 of its value.
    public static func studentQuantile(_ probability: Double, _ freedom: Double) -> Double {
        func cumulative(_ t: Double) -> Double {
            1 - 0.5 * incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5)
        }
        var (low, high) = (0.0, 1.0)
        while cumulative(high) < probability { high *= 2 }
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if cumulative(middle) < probability { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// The regularised incomplete beta function I(x; a, b), by Lentz's continued fraction (DLMF 8.17.22).
    static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        if x <= 0 { return 0 }
        if x >= 1 { return 1 }
        // The fraction converges fast only on this side.
        if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
        let tiny = 1e-300
        var (c, d, result) = (1.0, 1 - (a + b) * x / (a + 1), 1.0)
        d = 1 / (abs(d) < tiny ? tiny : d)
        result = d
        for step in 1..<500 {
            let m = Double(step)
            for term in [
                m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
            ] {
                d = 1 + term * d
                c = 1 + term / c
                d = 1 / (abs(d) < tiny ? tiny : d)
                c = abs(c) < tiny ? tiny : c
                result *= c * d
            }
            if abs(c * d - 1) < 1e-15 { break }
        }
        let front = exp(a * log(x) + b * log1p(-x) - lgamma(a) - lgamma(b) + lgamma(a + b)) / a
        return front * result
    }
}
