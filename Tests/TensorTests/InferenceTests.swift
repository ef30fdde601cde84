import FalconTestSupport
import FalconVerification
import Testing

@testable import FalconTensor

/// Products with weights that are not trained, few rows, and the kernels of one row.
@Suite struct InferenceTests {
    /// A matrix in a table, without gradients.
    private static func weights(
        _ rows: Int, _ columns: Int, on device: Device, withGradients: Bool = false
    ) -> (table: ParameterTable, matrix: Parameter) {
        let builder = ParameterBuilder()
        let matrix = builder.parameter(
            "weight", [rows, columns], role: .hiddenMatrix,
            initialization: .normal(deviation: 0.1))
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: withGradients)
        table.initialize(seed: 3)
        return (table, matrix)
    }

    private static func product(
        _ x: [Float], rows: Int, _ matrix: Parameter, on device: Device
    ) -> [Float] {
        var tape = Tape(on: device, isRecording: false)
        let x = device.tensor(x, shape: [rows, x.count / rows])
        return linear(x, matrix, scale: 0.5, on: &tape).toArray()
    }

    static let shapes = [(1, 1), (3, 7), (33, 65), (97, 521), (130, 1030), (64, 512), (5, 8200)]

    @Test(.enabled(if: Precision.bf16.isAvailable), arguments: shapes)
    func packedWeightsGiveTheSameBits(_ shape: (Int, Int)) {
        let device = Device(threadCount: 2, precision: .bf16)
        let trained = Self.weights(shape.0, shape.1, on: device, withGradients: true)
        let fixed = Self.weights(shape.0, shape.1, on: device)
        for rows in [1, 2, 4, 5, 12, 13, 61] {
            let x = OpCase.normal(rows * shape.1, "x")
            #expect(
                Self.product(x, rows: rows, fixed.matrix, on: device)
                    == Self.product(x, rows: rows, trained.matrix, on: device), "\(rows) rows")
        }
    }

    @Test(arguments: Precision.allCases.filter(\.isAvailable))
    func rowsAloneAreLikeRowsTogether(_ precision: Precision) {
        let device = Device(threadCount: 2, precision: precision)
        for (rows, columns) in Self.shapes {
            let (table, matrix) = Self.weights(rows, columns, on: device)
            let x = OpCase.normal(29 * columns, "x")
            let whole = Self.product(x, rows: 29, matrix, on: device)
            for row in [0, 7, 28] {
                let alone = Self.product(
                    Array(x[row * columns..<(row + 1) * columns]), rows: 1, matrix, on: device)
                #expect(
                    largestDifference(alone, whole[row * rows..<(row + 1) * rows])
                        <= 1e-5 * Double(columns).squareRoot())
            }
            _ = table
        }
    }

    @Test(arguments: Precision.allCases.filter(\.isAvailable), [1, 3, 8])
    func theBitsDoNotDependOnThreads(_ precision: Precision, rows: Int) {
        for (outputs, columns) in Self.shapes {
            let results = (1...3).map { threadCount in
                let device = Device(threadCount: threadCount, precision: precision)
                let (table, matrix) = Self.weights(outputs, columns, on: device)
                defer { _ = table }
                return Self.product(
                    OpCase.normal(rows * columns, "x"), rows: rows, matrix, on: device)
            }
            #expect(results[1] == results[0])
            #expect(results[2] == results[0])
        }
    }

    @Test(arguments: Precision.allCases.filter(\.isAvailable))
    func changedWeightsAreSeen(_ precision: Precision) {
        let device = Device(threadCount: 2, precision: precision)
        let (table, matrix) = Self.weights(40, 24, on: device)
        let x = OpCase.normal(24, "x")
        let before = Self.product(x, rows: 1, matrix, on: device)
        matrix.value.upload(matrix.value.toArray().map { 2 * $0 })
        #expect(Self.product(x, rows: 1, matrix, on: device) == before.map { 2 * $0 })
        table.initialize(seed: 4)
        let other = Self.product(x, rows: 1, matrix, on: device)
        #expect(other != before)
        table.initialize(seed: 3)
        #expect(Self.product(x, rows: 1, matrix, on: device) == before)
    }

    /// One query against keys before it, on both sides of a tile of keys, with heads of any size.
    @Test(arguments: [(1, 2), (5, 10), (191, 64), (192, 66), (193, 130), (400, 7)])
    func oneQueryIsLikeTheLastOfMany(_ keys: Int, _ width: Int) {
        let device = Device(threadCount: 2)
        var tape = Tape(on: device, isRecording: false)
        let (heads, keyHeads) = (6, 3)
        let q = device.tensor(
            OpCase.normal(keys * heads * width, "q"), shape: [keys, heads * width])
        let k = device.tensor(
            OpCase.normal(keys * keyHeads * width, "k"), shape: [keys, keyHeads * width])
        let v = device.tensor(
            OpCase.normal(keys * keyHeads * width, "v"), shape: [keys, keyHeads * width])
        func attended(_ q: Tensor) -> [Float] {
            causalAttention(
                query: q, key: k, value: v, heads: heads, keyValueHeads: keyHeads,
                segments: Segments(rowCount: q.rowCount), scale: 0.3, on: &tape
            ).toArray()
        }
        let alone = attended(q.rows(keys - 1..<keys))
        let last = attended(q).suffix(heads * width)
        #expect(largestDifference(alone, last) < 1e-5)
    }

    /// The scan row by row against all rows at once, with widths below, at and above a block.
    @Test(arguments: [(1, 1, 1), (3, 5, 7), (2, 32, 16), (7, 13, 3), (9, 64, 11)])
    func oneRowOfTheScanIsLikeTheNextOfMany(_ heads: Int, _ width: Int, _ stateSize: Int) {
        let device = Device(threadCount: 3)
        var tape = Tape(on: device, isRecording: false)
        let builder = ParameterBuilder()
        let parts = ["dt_bias", "A_log", "D"].map {
            builder.parameter(
                $0, [heads], role: .stateSpace, initialization: .uniform(low: -1, high: 1))
        }
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: false)
        table.initialize(seed: 1)
        let rows = 6
        func input(_ columns: Int, _ name: String) -> Tensor {
            device.tensor(OpCase.normal(rows * columns, name), shape: [rows, columns])
        }
        let (x, b) = (input(heads * width, "x"), input(stateSize, "b"))
        let (c, dt) = (input(stateSize, "c"), input(heads, "dt"))
        func scanned(_ range: Range<Int>, _ state: Tensor) -> [Float] {
            ssdScan(
                x: x.rows(range), b: b.rows(range), c: c.rows(range), dt: dt.rows(range),
                dtBias: parts[0], aLog: parts[1], d: parts[2], stepScale: 0.7,
                shape: SSDShape(
                    heads: heads, headDimension: width, groups: 1, stateSize: stateSize,
                    chunkLength: 4), segments: Segments(rowCount: range.count),
                states: [SegmentState(before: state, after: state)], on: &tape
            ).toArray()
        }
        let (state, other) = (
            device.zeros([stateSize, heads * width]), device.zeros([stateSize, heads * width])
        )
        let whole = scanned(0..<rows, state)
        let single = (0..<rows).flatMap { scanned($0..<$0 + 1, other) }
        #expect(largestDifference(single, whole) < 2e-5)
        #expect(largestDifference(other.toArray(), state.toArray()) < 2e-5)
    }
}
