import FalconOptim
import FalconTensor
import FalconTestSupport
import Foundation
import Testing

/// Optimizers that each own a range of the state, and together all of it.
@Suite struct OptimizerRangeTests {
    private static func section(
        _ kind: String, projections: String = "split"
    ) throws -> OptimizerSection {
        try JSONDecoder().decode(
            OptimizerSection.self,
            from: Data(
                """
                {"kind": "\(kind)", "learning_rate": 0.01, "weight_decay": 0.1,
                 "betas": [0.9, 0.95], "epsilon": 1e-8,
                 "muon": {"momentum": 0.95, "nesterov": true, "newton_schulz_steps": 5,
                          "scale": "match_rms_adamw", "projections": "\(projections)"},
                 "groups": [{"names": ["out"], "learning_rate_scale": 0.5, "betas": [0.8, 0.9]}, {}]}
                """.utf8))
    }

    /// In the flat buffers: embedding 0..<187 (gap to 192), q 192..<297 (304), k 304..<409 (416),
    /// gain 416..<437 (448), in 448..<742 (752), out 752..<815 (816).
    private static func table(_ device: Device) -> ParameterTable {
        let builder = ParameterBuilder()
        func add(
            _ name: String, _ shape: [Int], _ role: ParameterRole, parts: [RowPart] = [],
            stack: String? = nil
        ) {
            _ = builder.parameter(
                name, shape, role: role, initialization: .normal(deviation: 1), rowParts: parts,
                stack: stack)
        }
        add("embedding", [17, 11], .embedding)
        add("q", [5, 21], .hiddenMatrix, stack: "qk")
        add("k", [5, 21], .hiddenMatrix, stack: "qk")
        add("gain", [21], .vector)
        add(
            "in", [14, 21], .hiddenMatrix,
            parts: [RowPart("z", rowCount: 9), RowPart("dt", rowCount: 5)])
        add("out", [3, 21], .outputMatrix)
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: true)
        table.initialize(seed: 3)
        return table
    }

    /// Weights, state by name and updates after some steps of optimizers next to each other.
    private struct Outcome: Equatable {
        var masters: [Float]
        var state: [String: [Float]] = [:]
        var stateCount = 0
        var updates: [Double]
    }

    private func train(_ section: OptimizerSection, borders: [Int]) throws -> Outcome {
        let device = Device(threadCount: 2)
        let table = Self.table(device)
        let ends = [0] + borders + [table.flatCount]
        let optimizers = try zip(ends, ends.dropFirst()).map {
            try Optimizer(section, table: table, on: device, share: ParameterShare([$0..<$1]))
        }
        for step in 1...4 {
            for (index, parameter) in table.parameters.enumerated() {
                parameter.gradient.upload(
                    (0..<parameter.count).map {
                        Float(36 * sin(Double($0 * 7 + index * 3 + step)))
                    })
            }
            for optimizer in optimizers {
                optimizer.step(
                    scheduleFactor: 1 / Double(step), gradientDivisor: 36, clipScale: 0.7)
            }
            #expect(table.gradients.toArray().allSatisfy { $0 == 0 })
        }
        var outcome = Outcome(masters: table.values.toArray(), updates: [])
        for optimizer in optimizers {
            for slot in optimizer.slots {
                // Parts of a parameter follow each other.
                for part in optimizer.share.parts(of: table.elements(of: slot.parameter)) {
                    outcome.state[slot.name, default: []] += optimizer.values(of: slot, part)
                        .toArray()
                }
            }
            outcome.stateCount += optimizer.stateByteCount / 4
        }
        if borders.isEmpty { outcome.updates = optimizers[0].updateRMS(table) }
        return outcome
    }

    /// Borders inside parameters, between them, in a gap; ranges without elements.
    @Test(arguments: [
        [416], [93], [207, 211], [189], [430, 600], [1, 815], [300, 300], [0], [816], [750],
    ]) func rangesOfAdamWDoTheBitsOfTheWhole(borders: [Int]) throws {
        let section = try Self.section("adamw")
        let (whole, parts) = (
            try train(section, borders: []), try train(section, borders: borders)
        )
        #expect(whole.masters == parts.masters && whole.state == parts.state)
        #expect(whole.state.count == 12)
        // An empty range keeps one float for each moment.
        #expect(parts.stateCount - whole.stateCount <= 2)
    }

    @Test(arguments: [
        ("split", [304]), ("split", [100, 304, 430, 752]), ("split", [448]), ("fused", [192, 416]),
        ("fused", [425]), ("fused", [790]),
    ]) func rangesOfMuonDoTheBitsOfTheWhole(projections: String, borders: [Int]) throws {
        let section = try Self.section("muon", projections: projections)
        let (whole, parts) = (
            try train(section, borders: []), try train(section, borders: borders)
        )
        #expect(whole.masters == parts.masters && whole.state == parts.state)
        #expect(whole.state.count == 9 && whole.state["momentum.q"]?.count == 105)
    }

    /// Of its own part of a parameter.
    @Test func anOptimizerTellsTheUpdatesOfItsRange() throws {
        let device = Device(threadCount: 1)
        let table = Self.table(device)
        let optimizer = try Optimizer(
            Self.section("adamw"), table: table, on: device, share: ParameterShare([200..<430]))
        for parameter in table.parameters {
            parameter.gradient.upload(
                (0..<parameter.count).map { $0.isMultiple(of: 3) ? 2 : -1 })
        }
        let before = table.values.toArray()
        optimizer.step(scheduleFactor: 1, weightDecayFactor: 0, clipScale: 1)
        let after = table.values.toArray()
        let moved = before.indices.filter { before[$0] != after[$0] }
        #expect(moved.first == 200 && moved.last == 429)
        let updates = optimizer.updateRMS(table)
        #expect(updates[0] == 0 && updates[4] == 0 && updates[5] == 0)
        for place in 1...3 { #expect(abs(updates[place] / 0.01 - 1) < 1e-4) }
        #expect(
            optimizer.slots.map(\.name) == [
                "first_moment.embedding", "first_moment.q", "first_moment.k",
                "first_moment.gain", "first_moment.in", "first_moment.out",
                "second_moment.embedding", "second_moment.q", "second_moment.k",
                "second_moment.gain", "second_moment.in", "second_moment.out",
            ])
        #expect(optimizer.stateByteCount == 4 * 2 * 230)
    }

    @Test func aRangeThatCutsAMatrixOfMuonTraps() async {
        await #expect(processExitsWith: .failure) {
            let device = Device(threadCount: 1)
            _ = try Optimizer(
                Self.section("muon"), table: Self.table(device), on: device,
                share: ParameterShare([0..<207]))
        }
        // q and k are one matrix.
        await #expect(processExitsWith: .failure) {
            let device = Device(threadCount: 1)
            _ = try Optimizer(
                Self.section("muon", projections: "fused"), table: Self.table(device), on: device,
                share: ParameterShare([0..<304]))
        }
    }
}
