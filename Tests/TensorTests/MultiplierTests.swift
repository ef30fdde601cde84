import FalconTensor
import Testing

/// V = diag(r) W diag(c) and its gradients, against sums in double written from the equations.
@Suite struct MultiplierTests {
    /// A matrix of three row parts, the second without free rows, with multipliers that are not 1.
    private func table(
        _ placement: MultiplierPlacement, rows: [Int], columns: Int, on device: Device
    ) -> ParameterTable {
        let names = ["z", "x", "dt"]
        let builder = ParameterBuilder()
        _ = builder.parameter("gain", [columns], role: .vector, initialization: .constant(3))
        _ = builder.parameter(
            "w", [rows.reduce(0, +), columns], role: .hiddenMatrix,
            initialization: .normal(deviation: 1),
            rowParts: rows.count == 1
                ? []
                : zip(names, rows).map { RowPart($0, rowCount: $1, hasFreeRows: $0 != "x") },
            multiplierRoom: .matrix(symmetryFree: .rows))
        let table = ParameterTable(builder.parameters, multipliers: placement)
        table.allocate(on: device, withGradients: true)
        table.initialize(seed: 3)
        for (number, parameter) in table.multipliers.enumerated() {
            let values = (0..<parameter.count).map { place -> Float in
                0.5 + 0.37 * Float((place + number) % 5)
            }
            set(parameter.master, values)
        }
        table.materialise()
        return table
    }

    private func set(_ tensor: Tensor, _ values: [Float]) {
        tensor.upload(values)
    }

    /// r of every row and c of every column, in double.
    private func scales(_ table: ParameterTable) throws -> (rows: [Double], columns: [Double]) {
        let matrix = try #require(table.multipliedMatrices.first)
        var rows = [Double](repeating: 1, count: matrix.matrix.shape[0])
        for part in matrix.rows {
            let values = part.multiplier.master.toArray()
            for row in part.range {
                rows[row] = Double(
                    values.count == 1 ? values[0] : values[row - part.range.lowerBound])
            }
        }
        let columns = matrix.columns?.master.toArray().map(Double.init)
        return (rows, columns ?? Array(repeating: 1, count: matrix.matrix.shape[1]))
    }

    @Test(
        arguments: [MultiplierPlacement.scalar, .redundant, .symmetryFree],
        [([1], 1), ([3], 7), ([5, 3, 1], 33), ([300, 17, 2], 131), ([64], 2049)])
    func weightsAndGradientsFollowTheEquations(
        _ placement: MultiplierPlacement, shape: ([Int], Int)
    ) throws {
        let device = Device(threadCount: 2)
        let (rowCount, columnCount) = (shape.0.reduce(0, +), shape.1)
        let table = table(placement, rows: shape.0, columns: columnCount, on: device)
        let matrix = try #require(table.multipliedMatrices.first)
        let (r, c) = try scales(table)
        let w = matrix.matrix.master.toArray().map(Double.init)
        for (place, value) in matrix.matrix.value.toArray().enumerated() {
            let want = r[place / columnCount] * w[place] * c[place % columnCount]
            #expect(abs(Double(value) - want) <= 2e-7 * abs(want))
        }
        #expect(table.parameters[0].value.toArray() == Array(repeating: 3, count: columnCount))

        let g = (0..<rowCount * columnCount).map { place -> Double in
            Double(Float((place * 29 + place / 7) % 41) / 20 - 1)
        }
        set(matrix.matrix.gradient, g.map(Float.init))
        table.splitGradients()
        var dR = [Double](repeating: 0, count: rowCount)
        var dC = [Double](repeating: 0, count: columnCount)
        var (sizeR, sizeC) = (dR, dC)
        for place in g.indices {
            let (i, j) = (place / columnCount, place % columnCount)
            dR[i] += w[place] * c[j] * g[place]
            dC[j] += r[i] * w[place] * g[place]
            sizeR[i] += abs(w[place] * c[j] * g[place])
            sizeC[j] += abs(r[i] * w[place] * g[place])
        }
        for (place, value) in matrix.matrix.gradient.toArray().enumerated() {
            let want = r[place / columnCount] * c[place % columnCount] * g[place]
            #expect(abs(Double(value) - want) <= 3e-7 * abs(want))
        }
        for part in matrix.rows {
            let got = part.multiplier.gradient.toArray().map(Double.init)
            try #require(got.count == part.range.count || got.count == 1)
            if got.count == part.range.count {
                for (row, value) in zip(part.range, got) {
                    #expect(abs(value - dR[row]) <= 1e-6 * sizeR[row])
                }
            } else {
                let want = part.range.reduce(0) { $0 + dR[$1] }
                let size = part.range.reduce(0) { $0 + sizeR[$1] }
                #expect(abs(got[0] - want) <= 1e-6 * size)
            }
        }
        if let columns = matrix.columns {
            for (column, value) in columns.gradient.toArray().enumerated() {
                #expect(abs(Double(value) - dC[column]) <= 1e-6 * sizeC[column])
            }
        }
    }

    @Test func placementsCoverWhatTheySay() {
        let device = Device(threadCount: 1)
        func names(_ placement: MultiplierPlacement) -> [String] {
            table(placement, rows: [4, 3, 2], columns: 5, on: device).multipliers.map(\.name)
        }
        #expect(names(.scalar) == ["w.multiplier.z", "w.multiplier.x", "w.multiplier.dt"])
        #expect(
            names(.redundant) == [
                "w.row_multiplier.z", "w.row_multiplier.x", "w.row_multiplier.dt",
                "w.column_multiplier",
            ])
        #expect(names(.symmetryFree) == ["w.row_multiplier.z", "w.row_multiplier.dt"])
        let plain = table(.redundant, rows: [4], columns: 5, on: device)
        #expect(plain.parameterCount == 25 && plain.multipliers.map(\.count) == [4, 5])
    }

    @Test func threadsChangeNoBitOfAGradient() throws {
        let results = try (1...3).map { threads in
            let device = Device(threadCount: threads)
            let table = table(.redundant, rows: [300, 17, 2], columns: 513, on: device)
            let matrix = try #require(table.multipliedMatrices.first).matrix
            set(matrix.gradient, matrix.master.toArray().map { $0 * $0 - 0.3 })
            table.splitGradients()
            return table.gradients.toArray()
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }
}
