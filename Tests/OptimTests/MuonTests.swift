import FalconOptim
import FalconTensor
import FalconTestSupport
import Foundation
import Testing

/// Muon against PyTorch's (`scripts/fixtures/muon.py`, torch 2.13.0) and against its own laws.
@Suite struct MuonTests {
    private struct Fixture: Decodable {
        struct Case: Decodable {
            let rows: Int
            let columns: Int
            let scale: String
            let weights: [Double]
        }
        let steps: Int
        let learning_rate: Double
        let weight_decay: Double
        let cases: [Case]
    }

    private func fixture() throws -> Fixture {
        try JSONDecoder().decode(
            Fixture.self, from: Data(load(testsFolder + "/OptimTests/Fixtures/muon.json")))
    }

    private func section(
        rate: Double, decay: Double, scale: String = "match_rms_adamw", nesterov: Bool = true,
        projections: String = "split", groups: String = "[{}]"
    ) throws -> OptimizerSection {
        try JSONDecoder().decode(
            OptimizerSection.self,
            from: Data(
                """
                {"kind": "muon", "learning_rate": \(rate), "weight_decay": \(decay),
                 "betas": [0.9, 0.95], "epsilon": 1e-8, "groups": \(groups),
                 "muon": {"momentum": 0.95, "nesterov": \(nesterov), "newton_schulz_steps": 5,
                          "scale": "\(scale)", "projections": "\(projections)"}}
                """.utf8))
    }

    /// Uniform in [-1, 1), as in the script.
    private func number(_ counter: Int) -> Float {
        var x = UInt32(truncatingIfNeeded: counter)
        for multiplier: UInt32 in [0x85EB_CA6B, 0xC2B2_AE35] {
            x ^= x >> 15
            x = x &* multiplier
        }
        x ^= x >> 16
        return Float(Double(x) / 2_147_483_648 - 1)
    }

    private func numbers(_ count: Int, _ stream: Int) -> [Float] {
        (0..<count).map { number(stream * 1_000_003 + $0 + 1) }
    }

    private func set(_ tensor: Tensor, _ values: [Float]) {
        tensor.upload(values)
    }

    /// The weights after some steps with the script's weights and gradients.
    private func train(
        _ rows: Int, _ columns: Int, steps: Int, section: OptimizerSection, threads: Int = 2,
        transposed: Bool = false, precision: Precision = .f32
    ) throws -> [Float] {
        let device = Device(threadCount: threads, precision: precision)
        let builder = ParameterBuilder()
        let weight = builder.parameter(
            "w", [rows, columns], role: .hiddenMatrix, initialization: .zeros)
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: true)
        func laid(_ values: [Float]) -> [Float] {
            transposed
                ? (0..<rows * columns).map { values[$0 % columns * rows + $0 / columns] } : values
        }
        set(weight.master, laid(numbers(rows * columns, 0).map { Float(0.02) * $0 }))
        let optimizer = try Optimizer(section, table: table, on: device)
        for step in 0..<steps {
            set(weight.gradient, laid(numbers(rows * columns, step + 1)))
            optimizer.step(scheduleFactor: 1, clipScale: 1)
            #expect(table.gradients.toArray().allSatisfy { $0 == 0 })
        }
        return weight.master.toArray()
    }

    @Test func twentyStepsAreThoseOfPyTorch() throws {
        let fixture = try fixture()
        var worst = 0.0
        for example in fixture.cases {
            let got = try train(
                example.rows, example.columns, steps: fixture.steps,
                section: section(
                    rate: fixture.learning_rate, decay: fixture.weight_decay, scale: example.scale))
            let relative = relativeNorm(got, example.weights)
            #expect(relative <= 1e-4, "\(example.rows)x\(example.columns) \(example.scale)")
            worst = max(worst, relative)
        }
        print("Muon, 20 steps against torch: worst relative difference of weights \(worst)")
    }

    /// Singular values of the first update, by Jacobi rotations of X Xᵀ.
    @Test(arguments: [(16, 16), (33, 12), (12, 33), (64, 64)])
    func theFirstUpdateIsNearlyOrthogonal(rows: Int, columns: Int) throws {
        let after = try train(
            rows, columns, steps: 1, section: section(rate: 1, decay: 0, scale: "original"))
        let before = numbers(rows * columns, 0).map { Float(0.02) * $0 }
        let factor = max(1, Double(rows) / Double(columns)).squareRoot()
        try #require(before.count == after.count)
        let update = zip(before, after).map { Double($0 - $1) / factor }
        let side = min(rows, columns)
        var gram = [[Double]](repeating: Array(repeating: 0, count: side), count: side)
        for i in 0..<side {
            for j in 0..<side {
                for k in 0..<max(rows, columns) {
                    gram[i][j] +=
                        rows > columns
                        ? update[k * columns + i] * update[k * columns + j]
                        : update[i * columns + k] * update[j * columns + k]
                }
            }
        }
        let values = eigenvalues(gram).map { $0.squareRoot() }
        let (low, high) = (values.min() ?? 0, values.max() ?? 0)
        print("Muon, first update \(rows)x\(columns): singular values \(low) to \(high)")
        #expect(low > 0.3 && high < 1.5)
    }

    private func eigenvalues(_ matrix: [[Double]]) -> [Double] {
        var a = matrix
        let n = a.count
        for _ in 0..<30 {
            for p in 0..<n {
                for q in p + 1..<max(n, p + 1) where abs(a[p][q]) > 1e-14 {
                    let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                    let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
                    let c = 1 / (t * t + 1).squareRoot()
                    let s = t * c
                    for k in 0..<n {
                        (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q])
                    }
                    for k in 0..<n {
                        (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k])
                    }
                }
            }
        }
        return (0..<n).map { max(0, a[$0][$0]) }
    }

    @Test func tallAndWideAreTransposesOfEachOther() throws {
        let section = try section(rate: 0.01, decay: 0.1)
        let wide = try train(12, 33, steps: 3, section: section)
        let tall = try train(33, 12, steps: 3, section: section, transposed: true)
        for place in wide.indices {
            #expect(abs(wide[place] - tall[place % 33 * 12 + place / 33]) < 2e-6)
        }
    }

    @Test(arguments: [Precision.f32, .bf16]) func threadsChangeNoBit(precision: Precision) throws {
        let section = try section(rate: 0.01, decay: 0.1)
        let results = try (1...3).map {
            try train(130, 200, steps: 2, section: section, threads: $0, precision: precision)
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    private func projections(_ device: Device) -> ParameterTable {
        let builder = ParameterBuilder()
        for (name, rows) in [("q", 8), ("k", 4), ("v", 4)] {
            _ = builder.parameter(
                name, [rows, 12], role: .hiddenMatrix, initialization: .normal(deviation: 0.02),
                stack: "qkv")
        }
        _ = builder.parameter(
            "in", [14, 12], role: .hiddenMatrix, initialization: .normal(deviation: 0.02),
            rowParts: [RowPart("z", rowCount: 9), RowPart("dt", rowCount: 5)])
        _ = builder.parameter("gain", [12], role: .vector, initialization: .ones)
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: true)
        table.initialize(seed: 1)
        return table
    }

    /// Parts and stacks are orthogonalised as matrices of their own: each has rows x columns singular
    /// values of about 1, so the squares of its update add up to the smaller of the two.
    @Test(arguments: [("split", [8.0, 4, 4, 14.0]), ("fused", [12.0, 12.0])])
    func projectionsAreTakenApartOrTogether(_ projections: String, ranks: [Double]) throws {
        let device = Device(threadCount: 2)
        let table = self.projections(device)
        let before = table.parameters.map { $0.master.toArray() }
        let optimizer = try Optimizer(
            try section(rate: 1, decay: 0, scale: "original", projections: projections),
            table: table, on: device)
        for (index, parameter) in table.parameters.enumerated() {
            set(parameter.gradient, numbers(parameter.count, 40 + index))
        }
        optimizer.step(scheduleFactor: 1, clipScale: 1)
        let squares = try table.parameters.indices.map { index in
            let after = table.parameters[index].master.toArray()
            try #require(before[index].count == after.count)
            return zip(before[index], after).reduce(0.0) {
                $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
            }
        }
        let groups =
            projections == "split"
            ? Array(squares.prefix(4)) : [squares[0] + squares[1] + squares[2], squares[3]]
        // sqrt(max(1, rows / columns)) is 1 but for the stacks of more rows than columns.
        let factors = projections == "split" ? [1.0, 1, 1, 1] : [16.0 / 12, 14.0 / 12]
        for (index, rank) in ranks.enumerated() {
            let ratio = groups[index] / (rank * factors[index])
            #expect(ratio > 0.6 && ratio < 1.4, "\(projections) \(index): \(ratio)")
        }
        #expect(squares[4] > 0)
    }

    @Test func stateIsOneBufferForMuonAndTwoForAdamW() throws {
        let device = Device(threadCount: 1)
        let table = projections(device)
        let section = try section(
            rate: 0.01, decay: 0.1, groups: #"[{"names": ["in"], "kind": "adamw"}, {}]"#)
        let optimizer = try Optimizer(section, table: table, on: device)
        #expect(
            optimizer.slots.map(\.name) == [
                "momentum.q", "momentum.k", "momentum.v", "first_moment.in", "first_moment.gain",
                "second_moment.in", "second_moment.gain",
            ])
        let muon = (8 + 4 + 4) * 12
        #expect(try Optimizer.stateCount(of: table, section) == muon + 2 * (14 * 12 + 12))
        for (index, parameter) in table.parameters.enumerated() {
            set(parameter.gradient, numbers(parameter.count, 40 + index))
        }
        let before = table.parameters.map { $0.master.toArray() }
        optimizer.step(scheduleFactor: 0.5, weightDecayFactor: 0, clipScale: 1)
        // What updateRMS tells is what happened: no decay here.
        let reports = optimizer.updateRMS(table)
        #expect(reports.count == table.parameters.count)
        for (index, reported) in reports.enumerated() {
            let after = table.parameters[index].master.toArray()
            try #require(before[index].count == after.count)
            let squares = zip(before[index], after).reduce(0.0) {
                $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
            }
            let measured = (squares / Double(after.count)).squareRoot()
            #expect(abs(reported / measured - 1) < 1e-3)
        }
    }

    /// Gradients that are pure noise: the norm over sqrt(η / 2λ), and the root mean square of the updates
    /// over η, as `scripts/fixtures/muon_noise.py` simulates them with NumPy.
    @Test(arguments: [
        (64, 64, 0.01, 0.1, 0.852), (64, 128, 0.01, 0.1, 0.921), (64, 128, 0.02, 0.1, 0.915),
        (64, 128, 0.01, 0.2, 0.915), (64, 256, 0.01, 0.1, 0.932),
    ])
    func noiseSettlesAtThePublishedConstant(
        rows: Int, columns: Int, rate: Double, decay: Double, want: Double
    ) throws {
        let device = Device(threadCount: 2)
        let builder = ParameterBuilder()
        let weight = builder.parameter(
            "w", [rows, columns], role: .hiddenMatrix, initialization: .zeros)
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: true)
        let optimizer = try Optimizer(
            section(rate: rate, decay: decay), table: table, on: device)
        for step in 0..<Int(4 / (rate * decay)) {
            device.backend.initialize(
                weight.gradient, .normal(deviation: 1),
                key: RandomStream(seed: UInt64(step), name: "noise").key)
            optimizer.step(scheduleFactor: 1, clipScale: 1)
        }
        let values = weight.master.toArray().map { Double($0) * Double($0) }
        let rms = (values.reduce(0, +) / Double(values.count)).squareRoot()
        let ratio = rms / (rate / (2 * decay)).squareRoot()
        let update = optimizer.updateRMS(table)[0] / rate
        print("Muon on noise \(rows)x\(columns), rate \(rate), decay \(decay): \(ratio), \(update)")
        #expect(abs(ratio / want - 1) < 0.05)
        #expect(abs(update / 0.174 - 1) < 0.03)
    }
}
