import FalconOptim
import FalconRecipeSection
import FalconTensor
import Foundation
import Testing

/// What ranks divide among themselves.
@Suite struct UpdateUnitTests {
    private static func section(_ kind: String, projections: String) throws -> OptimizerSection {
        try JSONDecoder().decode(
            OptimizerSection.self,
            from: Data(
                """
                {"kind": "\(kind)", "learning_rate": 0.01, "weight_decay": 0.1,
                 "betas": [0.9, 0.95], "epsilon": 1e-8,
                 "muon": {"momentum": 0.95, "nesterov": true, "newton_schulz_steps": 5,
                          "scale": "match_rms_adamw", "projections": "\(projections)"},
                 "groups": [{}]}
                """.utf8))
    }

    /// Two blocks with a stack of three matrices, a large embedding and a norm.
    private static func table(multipliers: MultiplierPlacement?) -> ParameterTable {
        let builder = ParameterBuilder()
        func add(
            _ name: String, _ place: ParameterPlace, _ shape: [Int], _ role: ParameterRole,
            stack: String? = nil
        ) {
            _ = builder.parameter(
                name, at: place, shape, role: role, initialization: .zeros, stack: stack,
                multiplierRoom: role == .hiddenMatrix
                    ? .matrix(symmetryFree: []) : .none)
        }
        add("embedding", ParameterPlace(.embedding, .matrix), [900, 1000], .embedding)
        for block in 0..<2 {
            for (name, kind) in [
                ("q", ParameterPlace.Kind.query), ("k", .key), ("v", .value),
            ] {
                add(
                    "\(name)\(block)", ParameterPlace(block: block, .attention, kind), [30, 50],
                    .hiddenMatrix, stack: "qkv\(block)")
            }
            add(
                "norm\(block)", ParameterPlace(block: block, .inputNorm, .gain), [50], .vector)
            add(
                "up\(block)", ParameterPlace(block: block, .feedForward, .up), [700, 50],
                .hiddenMatrix)
        }
        add("final", ParameterPlace(.finalNorm, .gain), [50], .vector)
        return ParameterTable(builder.parameters, multipliers: multipliers)
    }

    @Test(
        arguments: [("adamw", "split"), ("muon", "split"), ("muon", "fused")],
        [MultiplierPlacement?.none, .redundant])
    func unitsCoverTheTableOnce(
        rule: (kind: String, projections: String), multipliers: MultiplierPlacement?
    ) throws {
        let table = Self.table(multipliers: multipliers)
        let section = try Self.section(rule.kind, projections: rule.projections)
        let units = try UpdateUnit.all(of: table, section)
        // Ranges that overlapped would trap.
        #expect(
            ParameterShare(units.flatMap(\.elements)).ranges == [0..<table.flatCount])
        #expect(units.allSatisfy { $0.stage == .end || $0.count < 900_000 })
        let pieces = UpdateUnit.pieces(of: units, table)
        #expect(
            pieces.reduce(0) { $0 + $1.elements.count }
                == table.parameters.reduce(0) { $0 + $1.count })
        for (a, b) in zip(pieces, pieces.dropFirst()) {
            #expect(a.elements.upperBound <= b.elements.lowerBound)
        }
        for piece in pieces {
            #expect(table.elements(of: piece.parameter).contains(piece.elements.lowerBound))
            let unit = ParameterShare(units[piece.unit].elements)
            #expect(unit.contains(piece.elements))
        }
        // q, k and v of a block: three matrices, one stack, or three with their multipliers.
        let isWhole = rule.kind == "muon" || multipliers != nil
        let first = table.elements(of: 1)
        let attention = units.filter { $0.ranges.contains { $0.overlaps(first) } }
        #expect(attention.count == 1)
        let isStack = rule.projections == "fused"
        #expect(
            attention[0].ranges[0].upperBound
                == (isStack ? table.room(of: 3) : isWhole ? table.room(of: 1) : table.room(of: 5))
                .upperBound)
        #expect(attention[0].multipliers.isEmpty == (multipliers == nil))
    }

    @Test(arguments: [1, 2, 3, 7]) func sharesAreEven(rankCount: Int) throws {
        for (kind, slack) in [("adamw", 1.35), ("muon", 1.6)] {
            let table = Self.table(multipliers: nil)
            let units = try UpdateUnit.all(of: table, Self.section(kind, projections: "split"))
            let owners = UpdateUnit.owners(of: units, rankCount: rankCount)
            var counts = [Int](repeating: 0, count: rankCount)
            for (unit, owner) in zip(units, owners) { counts[owner] += unit.count }
            let largest = try #require(counts.max())
            // The embedding is cut into four pieces: no rank can have less than one.
            let fair = max(Double(table.flatCount) / Double(rankCount), 262_144)
            #expect(Double(largest) <= slack * fair, "\(counts)")
        }
    }
}
