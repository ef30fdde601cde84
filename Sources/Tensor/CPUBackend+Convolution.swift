import CKernels

/// The causal convolution: one piece of work is some consecutive rows, of one segment or several.
extension CPUBackend {
    /// The fewest rows per piece; every piece has partial sums of the weights' gradients.
    private static let convolutionRows = 128

    /// Row ranges within segments, gathered in pieces.
    private func convolutionPieces(
        _ segments: Segments
    ) -> [[(index: Int, segment: Range<Int>, rows: Range<Int>)]] {
        var pieces: [[(index: Int, segment: Range<Int>, rows: Range<Int>)]] = []
        var piece: [(index: Int, segment: Range<Int>, rows: Range<Int>)] = []
        var rowCount = 0
        for (index, segment) in segments.ranges.enumerated() {
            for start in stride(
                from: segment.lowerBound, to: segment.upperBound, by: Self.convolutionRows)
            {
                let rows = start..<min(start + Self.convolutionRows, segment.upperBound)
                piece.append((index, segment, rows))
                rowCount += rows.count
                if rowCount >= Self.convolutionRows {
                    pieces.append(piece)
                    (piece, rowCount) = ([], 0)
                }
            }
        }
        return piece.isEmpty ? pieces : pieces + [piece]
    }

    package func convolutionForward(_ y: Tensor, _ inputs: ConvolutionInputs) {
        let (x, channels, taps) = (inputs.x.rowPointer, inputs.x.columnCount, inputs.tapCount)
        let (y, bias) = (y.rowPointer, inputs.bias.pointer)
        let histories = inputs.histories.map { $0?.pointer }
        let pieces = convolutionPieces(inputs.segments)
        let scratchCount = fk_conv1d_silu_forward_scratch_floats()
        withScratch(floatCount: pool.threadCount * scratchCount + channels * taps) { scratch in
            let scaled = scratch + pool.threadCount * scratchCount
            fk_conv1d_scale_taps(
                scaled, inputs.weight.pointer, inputs.scale.pointer, channels, taps)
            pool.run(pieces.count) { piece, worker in
                for (index, segment, rows) in pieces[piece] {
                    let first = segment.lowerBound
                    let history = histories.isEmpty ? nil : histories[index]
                    fk_conv1d_silu_forward(
                        y.from(first),
                        fk_conv1d_inputs(
                            x: x.from(first), history: history, taps: scaled, bias: bias),
                        fk_conv1d_sizes(rows: segment.count, channels: channels, tapCount: taps),
                        fk_range(rows, from: first), scratch + worker * scratchCount)
                }
            }
        }
    }

    package func convolutionBackward(
        dx target: GradientTarget, dWeight: Tensor, dBias: Tensor, dy: Tensor,
        _ inputs: ConvolutionInputs
    ) {
        let (x, channels, taps) = (inputs.x.rowPointer, inputs.x.columnCount, inputs.tapCount)
        let (pieces, bias) = (convolutionPieces(inputs.segments), inputs.bias.pointer)
        let (dx, dy, accumulate) = (target.tensor.rowPointer, dy.rowPointer, target.accumulates)
        let scratchCount = fk_conv1d_silu_backward_scratch_floats(taps)
        let partCount = (taps + 1) * channels
        let floatCount =
            pool.threadCount * scratchCount + channels * taps + pieces.count * partCount
        withScratch(floatCount: floatCount) { scratch in
            let scaled = scratch + pool.threadCount * scratchCount
            let parts = scaled + channels * taps
            fk_conv1d_scale_taps(
                scaled, inputs.weight.pointer, inputs.scale.pointer, channels, taps)
            pool.run(pieces.count) { piece, worker in
                let part = parts + piece * partCount
                fk_fill(part, partCount, 0)
                for (_, segment, rows) in pieces[piece] {
                    let first = segment.lowerBound
                    fk_conv1d_silu_backward(
                        fk_conv1d_gradients(
                            x: dx.from(first), taps: part, bias: part + taps * channels,
                            accumulate: accumulate ? 1 : 0),
                        dy.from(first),
                        fk_conv1d_inputs(
                            x: x.from(first), history: nil, taps: scaled, bias: bias),
                        fk_conv1d_sizes(rows: segment.count, channels: channels, tapCount: taps),
                        fk_range(rows, from: first), scratch + worker * scratchCount)
                }
            }
            pool.ranges(channels, grain: 128) { _, range in
                fk_conv1d_silu_reduce(
                    dWeight.pointer, dBias.pointer, parts, pieces.count, inputs.scale.pointer,
                    fk_range(range), channels, taps)
            }
        }
    }
}
