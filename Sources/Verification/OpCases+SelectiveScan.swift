import FalconTensor

/// Cases of the Mamba-1 scan.
extension OpCase {
    static var selectiveScanCases: [OpCase] {
        // Documents of 1, 1, 2, and around a chunk of 64 rows.
        let ragged = [0, 1, 2, 4, 67, 131, 196]
        return [
            scan(channels: 1, states: 1, [0, 1]),
            scan(channels: 3, states: 5, [0, 1, 2, 4, 11]),
            scan(channels: 7, states: 16, ragged, samples: 12),
            scan(channels: 32, states: 2, [0, 5, 6], samples: 24),
            scan(channels: 37, states: 1, [0, 17], samples: 24),
            scan(channels: 33, states: 33, [0, 2, 5], samples: 12),
            scan(channels: 131, states: 3, [0, 9], samples: 12),
            scan(channels: 2, states: 16, [0, 64], samples: 24),
            scan(channels: 2, states: 3, [0, 129, 255, 258], samples: 16),
            scan(channels: 1, states: 2, [0, 300, 301, 303], samples: 16),
            scan(channels: 5, states: 5, [0, 7], keepsState: true),
            scan(channels: 3, states: 2, [0, 70], samples: 24, keepsState: true),
        ]
    }

    private static func scan(
        channels: Int, states: Int, _ offsets: [Int], samples: Int = 96, keepsState: Bool = false
    ) -> OpCase {
        let label =
            "\(channels) channels, \(states) states, segments \(offsets)"
            + (keepsState ? ", state kept" : "")
        let segments = Segments(offsets: offsets)
        let rows = segments.rowCount
        func numbers(_ count: Int, _ name: String, mean: Float = 0) -> [Float] {
            normal(count, "selective scan \(name) \(label)", mean: mean)
        }
        // Columns of a wider tensor, as in the model.
        let (xRange, deltaRange) = (2..<2 + channels, 1..<1 + channels)
        let (bRange, cRange) = (3..<3 + states, 3 + states..<3 + 2 * states)
        let (xWidth, deltaWidth, mixedWidth) = (channels + 5, channels + 1, 3 + 2 * states)
        return OpCase(
            "selectiveScan", label,
            inputs: [
                .activation([rows, xWidth], numbers(rows * xWidth, "x")),
                .activation([rows, deltaWidth], numbers(rows * deltaWidth, "delta")),
                .activation([rows, mixedWidth], numbers(rows * mixedWidth, "b, c")),
                .parameter([channels], numbers(channels, "deltaBias", mean: -1)),
                .parameter([channels, states], numbers(channels * states, "aLog", mean: 0.5)),
                .parameter([channels], numbers(channels, "d")),
            ], sampleCount: samples,
            run: { arguments, tape in
                selectiveScan(
                    x: arguments.tensor(0).columns(xRange),
                    delta: arguments.tensor(1).columns(deltaRange),
                    b: arguments.tensor(2).columns(bRange), c: arguments.tensor(2).columns(cRange),
                    deltaBias: arguments.parameter(3), aLog: arguments.parameter(4),
                    d: arguments.parameter(5), segments: segments,
                    states: segments.ranges.map { _ in
                        SegmentState(
                            after: keepsState ? tape.device.empty([states, channels]) : nil)
                    }, on: &tape)
            },
            reference: { values in
                Reference.selectiveScan(
                    x: columns(xRange, of: values[0], width: xWidth),
                    delta: columns(deltaRange, of: values[1], width: deltaWidth),
                    b: columns(bRange, of: values[2], width: mixedWidth),
                    c: columns(cRange, of: values[2], width: mixedWidth), deltaBias: values[3],
                    aLog: values[4], d: values[5], segments: segments.ranges
                ).y
            })
    }
}
