import FalconModel
import FalconSystem
import Testing

@Suite struct TokenSamplerTests {
    private func next(
        _ logits: [Float], temperature: Double = 0.8, topP: Double = 1, allowed: [Bool]? = nil,
        seed: UInt64 = 0
    ) throws -> Int32 {
        var sampler = TokenSampler(
            temperature: temperature, topP: topP, seed: seed, allowed: allowed)
        return try sampler.next(logits)
    }

    @Test(arguments: [0, 0.8], [0.5, 1])
    func logitsWithoutProbabilitiesAreAnError(temperature: Double, topP: Double) throws {
        for (logits, token) in [
            ([1, .nan, 2], 1), ([.nan, .nan, .nan], 0), ([1, 2, .infinity], 2),
            ([-.infinity, -.infinity], 0),
        ] as [([Float], Int)] {
            let error = #expect(throws: GenerationError.self) {
                try next(logits, temperature: temperature, topP: topP)
            }
            guard case .notFinite(token, _)? = error else {
                Issue.record("\(logits): \(String(describing: error))")
                continue
            }
            #expect(error?.exitStatus == .badData)
        }
    }

    @Test func impossibleTokensAreNeverChosen() throws {
        for seed in 0..<50 {
            #expect(try next([-.infinity, 1, -.infinity], topP: 0.9, seed: UInt64(seed)) == 1)
            let token = try next(
                [3e38, 1, 2, 3e38], temperature: 5, allowed: [false, true, true, false],
                seed: UInt64(seed))
            #expect(token == 1 || token == 2)
        }
        #expect(try next([5, 1, 2], temperature: 0, allowed: [false, true, true]) == 2)
        #expect(throws: GenerationError.nothingAllowed) { try next([5], allowed: [false]) }
    }

    @Test(arguments: [1e-300, 1e-200, 1, 1e308]) func anyTemperatureChooses(_ temperature: Double)
        throws
    {
        let token = try next([-3e38, 3e38, 0], temperature: temperature, topP: 0.99)
        #expect((0..<3).contains(token))
        if temperature < 1 { #expect(token == 1) }
    }
}
