import Foundation

/// Pseudo-random numbers that are the same everywhere: Knuth's linear congruential generator of MMIX.
package struct LinearGenerator {
    private var state: UInt64

    /// The numbers of a seed.
    package init(seed: UInt64) { state = seed }

    /// The next state; its high bits are the better ones.
    package mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }

    /// A number in `0..<bound`.
    package mutating func below(_ bound: Int) -> Int { Int(next() >> 33) % bound }

    /// A number in (0, 1).
    package mutating func uniform() -> Double { (Double(next() >> 11) + 0.5) / 0x1p53 }

    /// A normally distributed number, by Box and Muller.
    package mutating func normal() -> Double {
        (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform())
    }

    /// Approximately normal numbers, like weights: sums of twelve uniform ones.
    package mutating func weights(_ count: Int) -> [Float] {
        (0..<count).map { _ in
            (0..<12).reduce(-6) { sum, _ in sum + Float(next() >> 32) * 0x1p-32 }
        }
    }
}

/// max |a − b|; infinite if there is a NaN, or if the counts differ.
package func largestDifference(
    _ a: some Collection<some BinaryFloatingPoint>, _ b: some Collection<some BinaryFloatingPoint>
) -> Double {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { largest, pair in
        let difference = abs(Double(pair.0) - Double(pair.1))
        return difference.isNaN ? .infinity : max(largest, difference)
    }
}

/// ‖a − b‖ / ‖b‖; NaN if there is one, infinite if the counts differ.
package func relativeNorm(
    _ a: some Collection<some BinaryFloatingPoint>, _ b: some Collection<some BinaryFloatingPoint>
) -> Double {
    guard a.count == b.count else { return .infinity }
    var (difference, size) = (0.0, 0.0)
    for (got, want) in zip(a, b) {
        let (got, want) = (Double(got), Double(want))
        difference += (got - want) * (got - want)
        size += want * want
    }
    return (difference / size).squareRoot()
}
