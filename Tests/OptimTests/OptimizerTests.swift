import FalconOptim
import FalconTensor
import FalconTestSupport
import Foundation
import Testing

@Suite struct OptimizerTests {
    private func section(_ groups: String, rate: Double = 0.01, decay: Double = 0.1) throws
        -> OptimizerSection
    {
        try JSONDecoder().decode(
            OptimizerSection.self,
            from: Data(
                """
                {"kind": "adamw", "learning_rate": \(rate), "weight_decay": \(decay),
                 "betas": [0.9, 0.95], "epsilon": 1e-8, "muon": {"momentum": 0.95, "nesterov": true,
                 "newton_schulz_steps": 5, "scale": "match_rms_adamw", "projections": "split"}, "groups": \(groups)}
                """.utf8))
    }

    private func table(_ device: Device) -> ParameterTable {
        let builder = ParameterBuilder()
        _ = builder.parameter(
            "a.weight", [5, 7], role: .hiddenMatrix, initialization: .normal(deviation: 1))
        _ = builder.parameter("a.gain", [7], role: .vector, initialization: .ones)
        _ = builder.parameter(
            "b.weight", [3, 2], role: .hiddenMatrix, initialization: .normal(deviation: 1))
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: true)
        table.initialize(seed: 3)
        return table
    }

    private func setGradients(_ table: ParameterTable, _ step: Int) -> [[Double]] {
        table.parameters.enumerated().map { index, parameter in
            let values = (0..<parameter.count).map { place in
                Float(sin(Double(place * 7 + index * 3 + step)))
            }
            parameter.gradient.upload(values)
            return values.map(Double.init)
        }
    }

    /// Against the update written out in double, groups with their own numbers.
    @Test func stepsFollowTheFormulaPerGroup() throws {
        let device = Device(threadCount: 2)
        let table = table(device)
        let section = try section(
            """
            [{"names": ["b.*"], "learning_rate_scale": 0.5, "weight_decay": 0.3, "betas": [0.8, 0.9],
              "epsilon": 1e-4},
             {"roles": ["hidden_matrix"]}, {"roles": ["vector"], "weight_decay": 0}]
            """)
        #expect(try Optimizer.groupPlaces(of: table, section) == [1, 2, 0])
        let optimizer = try Optimizer(section, table: table, on: device)
        // Rate scale, decay, betas, epsilon of the three parameters.
        let numbers = [
            (1.0, 0.1, 0.9, 0.95, 1e-8), (1, 0, 0.9, 0.95, 1e-8), (0.5, 0.3, 0.8, 0.9, 1e-4),
        ]
        var weights = table.parameters.map { $0.value.toArray().map(Double.init) }
        var first = weights.map { $0.map { _ in 0.0 } }
        var second = first
        for step in 1...5 {
            let gradients = setGradients(table, step)
            let factor = 1 / Double(step)
            optimizer.step(
                scheduleFactor: 0.01 / section.learningRate, weightDecayFactor: factor,
                clipScale: 0.5)
            #expect(table.gradients.toArray().allSatisfy { $0 == 0 })
            for (index, (scale, decay, beta1, beta2, epsilon)) in numbers.enumerated() {
                for place in weights[index].indices {
                    let g = 0.5 * gradients[index][place]
                    first[index][place] = beta1 * first[index][place] + (1 - beta1) * g
                    second[index][place] = beta2 * second[index][place] + (1 - beta2) * g * g
                    let m = first[index][place] / (1 - pow(beta1, Double(step)))
                    let v = second[index][place] / (1 - pow(beta2, Double(step)))
                    weights[index][place] -=
                        0.01 * scale
                        * (factor * decay * weights[index][place] + m / (v.squareRoot() + epsilon))
                }
            }
        }
        for (index, parameter) in table.parameters.enumerated() {
            #expect(largestDifference(parameter.value.toArray(), weights[index]) < 1e-6)
        }
    }

    @Test func everyParameterNeedsAGroupAndEveryGroupAParameter() throws {
        let device = Device(threadCount: 1)
        let table = table(device)
        #expect(throws: OptimizerError.unmatchedParameters(["a.gain"])) {
            try Optimizer(try section(#"[{"roles": ["hidden_matrix"]}]"#), table: table, on: device)
        }
        let error = #expect(throws: OptimizerError.self) {
            try Optimizer(try section(#"[{}, {"roles": ["embedding"]}]"#), table: table, on: device)
        }
        #expect(error?.description.contains("groups[1]") == true)
    }

    /// Gradients that are pure noise: the root mean square of the weights settles at sqrt(η / 2λ)
    /// (Kosson et al., arXiv 2305.17212).
    @Test(arguments: [(0.01, 0.1), (0.04, 0.1), (0.01, 0.4), (0.002, 0.5)])
    func noiseSettlesAtItsEquilibrium(
        rate: Double, decay: Double
    ) throws {
        let device = Device(threadCount: 2)
        let builder = ParameterBuilder()
        let weight = builder.parameter(
            "w", [64, 64], role: .hiddenMatrix, initialization: .zeros)
        let noise = ParameterBuilder()
        let source = noise.parameter(
            "n", [64, 64], role: .hiddenMatrix, initialization: .normal(deviation: 1))
        let (table, numbers) = (
            ParameterTable(builder.parameters), ParameterTable(noise.parameters)
        )
        table.allocate(on: device, withGradients: true)
        numbers.allocate(on: device, withGradients: false)
        let optimizer = try Optimizer(
            try section("[{}]", rate: rate, decay: decay), table: table, on: device)
        for step in 0..<Int(5 / (rate * decay)) {
            numbers.initialize(seed: UInt64(step))
            device.backend.copy(from: source.value, to: weight.gradient, scale: 1)
            optimizer.step(scheduleFactor: 1, clipScale: 1)
        }
        let values = weight.value.toArray().map { Double($0) * Double($0) }
        let rms = (values.reduce(0, +) / Double(values.count)).squareRoot()
        let ratio = rms / (rate / (2 * decay)).squareRoot()
        print("AdamW on noise, rate \(rate), decay \(decay): \(ratio)")
        #expect(abs(ratio - 1) < 0.05)
    }
}
