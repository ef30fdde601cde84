import FalconTensor

/// Cases of the ops along the rows of a segment.
extension OpCase {
    static var sequenceCases: [OpCase] {
        attentionCases + convolutionCases + scanCases + selectiveScanCases
    }

    /// Segment offsets that catch most bugs: lengths 1, 1, 2, and around a chunk of 8.
    private static let ragged = [0, 1, 2, 4, 11, 19, 28, 45]

    private static var attentionCases: [OpCase] {
        [
            attention(heads: 1, keyValueHeads: 1, d: 8, [0, 1]),
            attention(heads: 3, keyValueHeads: 1, d: 5, [0, 1, 2, 4, 11]),
            attention(heads: 4, keyValueHeads: 1, d: 8, [0, 7]),
            attention(heads: 2, keyValueHeads: 2, d: 33, [0, 5, 6, 13]),
            attention(heads: 6, keyValueHeads: 2, d: 16, [0, 23], samples: 32),
            attention(heads: 2, keyValueHeads: 1, d: 4, keysBefore: 5, [0, 3]),
            attention(heads: 1, keyValueHeads: 1, d: 7, keysBefore: 129, [0, 1]),
            attention(heads: 2, keyValueHeads: 2, d: 3, [0, 95, 191, 288], samples: 8),
            attention(heads: 3, keyValueHeads: 1, d: 2, [0, 3, 200], samples: 8),
            attention(heads: 1, keyValueHeads: 1, d: 2, [0, 389], samples: 12),
        ]
    }

    private static func attention(
        heads: Int, keyValueHeads: Int, d: Int, keysBefore: Int = 0, _ offsets: [Int],
        samples: Int = 96
    ) -> OpCase {
        let label = "\(heads)/\(keyValueHeads)x\(d) segments \(offsets) after \(keysBefore)"
        let segments = Segments(offsets: offsets)
        let (rows, scale) = (segments.rowCount, 1 / Float(d).squareRoot())
        func input(_ name: String, rows: Int, heads: Int) -> OpInput {
            .activation([rows, heads * d], normal(rows * heads * d, "attention \(name) \(label)"))
        }
        return OpCase(
            "causalAttention", label,
            inputs: [
                input("query", rows: rows, heads: heads),
                input("key", rows: rows + keysBefore, heads: keyValueHeads),
                input("value", rows: rows + keysBefore, heads: keyValueHeads),
            ], sampleCount: samples,
            run: { arguments, tape in
                causalAttention(
                    query: arguments.tensor(0), key: arguments.tensor(1),
                    value: arguments.tensor(2), heads: heads, keyValueHeads: keyValueHeads,
                    segments: segments, scale: scale, on: &tape)
            },
            reference: { values in
                Reference.attention(
                    query: values[0], key: values[1], value: values[2], heads: heads,
                    keyValueHeads: keyValueHeads, segments: segments.ranges, scale: Double(scale))
            })
    }

    private static var convolutionCases: [OpCase] {
        [
            convolution(channels: 1, taps: 4, [0, 1]),
            convolution(channels: 3, taps: 4, ragged),
            convolution(channels: 17, taps: 1, [0, 3, 5]),
            convolution(channels: 5, taps: 2, ragged),
            convolution(channels: 7, taps: 7, ragged),
            convolution(channels: 261, taps: 4, [0, 3, 9]),
            convolution(channels: 257, taps: 3, [0, 6]),
            convolution(channels: 2, taps: 4, [0, 127, 255, 385], samples: 24),
            convolution(channels: 2, taps: 5, [0, 129, 259], samples: 24),
        ]
    }

    private static func convolution(
        channels: Int, taps: Int, _ offsets: [Int], samples: Int = 96
    ) -> OpCase {
        let label = "\(channels) channels, \(taps) taps, segments \(offsets)"
        let segments = Segments(offsets: offsets)
        let rows = segments.rowCount
        func numbers(_ count: Int, _ name: String) -> [Float] {
            normal(count, "convolution \(name) \(label)")
        }
        let scale = numbers(channels, "scale")
        // x lies between other columns, as in the model.
        let (before, width) = (2, channels + 5)
        return OpCase(
            "causalConv1d", label,
            inputs: [
                .activation([rows, width], numbers(rows * width, "x")),
                .parameter([channels, 1, taps], numbers(channels * taps, "weight")),
                .parameter([channels], numbers(channels, "bias")),
            ], sampleCount: samples,
            run: { arguments, tape in
                causalConv1d(
                    arguments.tensor(0).columns(before..<before + channels),
                    weight: arguments.parameter(1), bias: arguments.parameter(2),
                    scale: tape.device.tensor(scale, shape: [channels]), segments: segments,
                    on: &tape)
            },
            reference: { values in
                Reference.convolution(
                    columns(before..<before + channels, of: values[0], width: width),
                    weight: values[1], bias: values[2], scale: scale.map(Double.init),
                    segments: segments.ranges)
            })
    }

    private static var scanCases: [OpCase] {
        func shape(_ h: Int, _ p: Int, _ g: Int, _ n: Int, _ q: Int) -> SSDShape {
            SSDShape(heads: h, headDimension: p, groups: g, stateSize: n, chunkLength: q)
        }
        return [
            scan(shape(1, 1, 1, 1, 8), [0, 1]),
            scan(shape(2, 3, 1, 5, 8), ragged),
            scan(shape(4, 5, 2, 7, 8), [0, 17]),
            scan(shape(6, 2, 3, 3, 4), [0, 3, 7, 12, 13]),
            scan(shape(5, 32, 1, 3, 16), [0, 21], samples: 24),
            scan(shape(2, 131, 1, 2, 8), [0, 9], samples: 24),
            scan(shape(2, 2, 2, 33, 16), [0, 15, 31, 48], samples: 24),
            scan(shape(1, 3, 1, 4, 128), [0, 150], samples: 24),
            scan(shape(3, 4, 1, 2, 1), [0, 5, 6]),
            scan(shape(2, 3, 1, 5, 8), [0, 7], keepsState: true),
            scan(shape(2, 3, 2, 2, 8), [0, 25], keepsState: true),
        ]
    }

    private static func scan(
        _ shape: SSDShape, _ offsets: [Int], samples: Int = 96, keepsState: Bool = false
    ) -> OpCase {
        let label =
            "\(shape.heads)x\(shape.headDimension), \(shape.groups)x\(shape.stateSize), chunks of \(shape.chunkLength), segments \(offsets)"
        let segments = Segments(offsets: offsets)
        let rows = segments.rowCount
        func numbers(_ count: Int, _ name: String, mean: Float = 0) -> [Float] {
            normal(count, "scan \(name) \(label)", mean: mean)
        }
        let (width, stateWidth) = (
            shape.heads * shape.headDimension, shape.groups * shape.stateSize
        )
        let (xRange, bRange) = (0..<width, width..<width + stateWidth)
        let cRange = bRange.upperBound..<bRange.upperBound + stateWidth
        let dtRange = 3..<3 + shape.heads
        let (channels, dtWidth) = (cRange.upperBound, shape.heads + 3)
        let stepScale: Float = 0.7
        return OpCase(
            "ssdScan", label,
            inputs: [
                .activation([rows, channels], numbers(rows * channels, "x, b, c")),
                .activation([rows, dtWidth], numbers(rows * dtWidth, "dt")),
                .parameter([shape.heads], numbers(shape.heads, "dtBias", mean: -1)),
                .parameter([shape.heads], numbers(shape.heads, "aLog", mean: 0.5)),
                .parameter([shape.heads], numbers(shape.heads, "d")),
            ], sampleCount: samples,
            run: { arguments, tape in
                let (xbc, dt) = (arguments.tensor(0), arguments.tensor(1))
                let states = segments.ranges.map { _ in
                    SegmentState(
                        after: keepsState ? tape.device.empty([shape.stateSize, width]) : nil)
                }
                return ssdScan(
                    x: xbc.columns(xRange), b: xbc.columns(bRange), c: xbc.columns(cRange),
                    dt: dt.columns(dtRange), dtBias: arguments.parameter(2),
                    aLog: arguments.parameter(3), d: arguments.parameter(4), stepScale: stepScale,
                    shape: shape, segments: segments, states: states, on: &tape)
            },
            reference: { values in
                Reference.ssd(
                    x: columns(xRange, of: values[0], width: channels),
                    b: columns(bRange, of: values[0], width: channels),
                    c: columns(cRange, of: values[0], width: channels),
                    dt: columns(dtRange, of: values[1], width: dtWidth), dtBias: values[2],
                    aLog: values[3], d: values[4], stepScale: Double(stepScale), shape: shape,
                    segments: segments.ranges
                ).y
            })
    }

    /// Some columns of a row-major array.
    static func columns(_ range: Range<Int>, of values: [Double], width: Int) -> [Double] {
        stride(from: 0, to: values.count, by: width).flatMap { row in
            values[row + range.lowerBound..<row + range.upperBound]
        }
    }
}
