import FalconModel
import FalconTestSupport
import Foundation
import Testing

/// What a sampler draws, against the probabilities written out.
@Suite struct SamplingTests {
    private static let drawCount = 20_000

    /// softmax(logits / temperature), cut to the fewest most probable tokens whose probabilities reach
    /// `topP` and divided by their sum; of equal tokens the first come first.
    private func probabilities(
        _ logits: [Float], temperature: Double, topP: Double, allowed: [Bool]? = nil
    ) -> [Double] {
        var weights = logits.map { exp(Double($0) / temperature) }
        for token in weights.indices where allowed?[token] == false { weights[token] = 0 }
        let total = weights.reduce(0, +)
        let order = weights.indices.sorted { (-weights[$0], $0) < (-weights[$1], $1) }
        var kept: [Int] = []
        var reached = 0.0
        for token in order where reached < topP {
            kept.append(token)
            reached += weights[token] / total
        }
        let sum = kept.reduce(0.0) { $0 + weights[$1] }
        return weights.indices.map { kept.contains($0) ? weights[$0] / sum : 0 }
    }

    private func counts(
        _ logits: [Float], temperature: Double, topP: Double, allowed: [Bool]? = nil,
        seed: UInt64 = 3, draws: Int = drawCount
    ) throws -> [Int] {
        var sampler = TokenSampler(
            temperature: temperature, topP: topP, seed: seed, allowed: allowed)
        var counts = [Int](repeating: 0, count: logits.count)
        for _ in 0..<draws { counts[Int(try sampler.next(logits))] += 1 }
        return counts
    }

    /// Whether counts may be draws of a distribution: nothing that is impossible, and a chi-squared that
    /// is exceeded once in 10,000 times (Wilson and Hilferty's approximation of the quantile).
    private func fits(_ counts: [Int], _ probabilities: [Double]) -> Bool {
        let draws = counts.reduce(0, +)
        var (chiSquared, possible) = (0.0, 0)
        for (count, probability) in zip(counts, probabilities) {
            if probability == 0 {
                if count > 0 { return false }
                continue
            }
            let expected = probability * Double(draws)
            chiSquared += (Double(count) - expected) * (Double(count) - expected) / expected
            possible += 1
        }
        let freedom = Double(possible - 1)
        guard freedom > 0 else { return true }
        let part = 2 / (9 * freedom)
        return chiSquared <= freedom * pow(1 - part + 3.719 * part.squareRoot(), 3)
    }

    private static let logits: [Float] = [0.3, 2.1, -1.4, 1.7, 0, 2.1, -0.6, 1.2]

    @Test(arguments: [0.5, 1, 1.7], [0.05, 0.3, 0.5, 0.75, 0.9, 0.99, 1])
    func tokensAreDrawnByTheirProbabilities(temperature: Double, topP: Double) throws {
        for (seed, allowed) in [
            (UInt64(3), nil), (4, [true, false, true, true, true, true, true, true]),
        ] as [(UInt64, [Bool]?)] {
            let wanted = probabilities(
                Self.logits, temperature: temperature, topP: topP, allowed: allowed)
            let got = try counts(
                Self.logits, temperature: temperature, topP: topP, allowed: allowed, seed: seed)
            #expect(fits(got, wanted), "\(got) of \(wanted)")
        }
    }

    /// The comparison tells apart what is not the same.
    @Test func otherSettingsAreToldApart() throws {
        let got = try counts(Self.logits, temperature: 1, topP: 0.9)
        for (temperature, topP) in [(1, 0.9), (1.1, 0.9), (0.9, 0.9), (1, 0.75), (1, 1)] {
            let other = probabilities(Self.logits, temperature: temperature, topP: topP)
            #expect(fits(got, other) == (temperature == 1 && topP == 0.9))
        }
    }

    /// Four equal tokens: the first that reach the sum stay, exactly.
    @Test(arguments: [(0.25, 1), (0.26, 2), (0.5, 2), (0.51, 3), (0.75, 3), (0.76, 4), (1, 4)])
    func ofEqualTokensTheFirstStay(topP: Double, kept: Int) throws {
        let logits: [Float] = [-.infinity, 1.5, 1.5, -.infinity, 1.5, 1.5]
        let places = [1, 2, 4, 5].prefix(kept)
        let wanted = logits.indices.map { places.contains($0) ? 1 / Double(kept) : 0 }
        #expect(fits(try counts(logits, temperature: 0.7, topP: topP), wanted))
    }

    /// The best token always stays, however small the sum; none is left out of all.
    @Test func theSmallestAndTheLargestSum() throws {
        for topP in [Double.leastNonzeroMagnitude, 1e-300, 1e-9] {
            let counts = try counts(Self.logits, temperature: 1, topP: topP, draws: 200)
            #expect(counts[1] == 200, "the first of the two best: \(counts)")
        }
        for topP in [1, 1.0.nextDown] {
            #expect(try !counts(Self.logits, temperature: 2, topP: topP).contains(0))
        }
    }

    @Test func aSumOutsideOfItsRangeIsAMistake() async {
        await #expect(processExitsWith: .failure) {
            _ = TokenSampler(temperature: 1, topP: 0, seed: 0)
        }
        await #expect(processExitsWith: .failure) {
            _ = TokenSampler(temperature: 1, topP: 1.0.nextUp, seed: 0)
        }
        await #expect(processExitsWith: .failure) {
            _ = TokenSampler(temperature: 1, topP: .nan, seed: 0)
        }
    }

    @Test func aSeedDrawsTheSameTokensAgain() throws {
        func tokens(_ seed: UInt64) throws -> [Int32] {
            var sampler = TokenSampler(temperature: 1, topP: 0.9, seed: seed)
            return try (0..<50).map { _ in try sampler.next(Self.logits) }
        }
        #expect(try tokens(1) == tokens(1))
        #expect(try tokens(1) != tokens(2))
    }
}
