import CKernels

/// The inputs of a scan, as kernels take them.
private struct SelectiveScanPointers {
    let x: RowPointer
    let delta: RowPointer
    let b: RowPointer
    let c: RowPointer
    let deltaBias: UnsafePointer<Float>
    let d: UnsafePointer<Float>

    init(_ inputs: SelectiveScanInputs) {
        (x, delta) = (inputs.x.rowPointer, inputs.delta.rowPointer)
        (b, c) = (inputs.b.rowPointer, inputs.c.rowPointer)
        deltaBias = UnsafePointer(inputs.deltaBias.pointer)
        d = UnsafePointer(inputs.d.pointer)
    }

    /// The inputs of a block of channels from a row on.
    func inputs(
        row: Int, channel: Int, rates: UnsafePointer<Float>
    ) -> fk_selective_scan_inputs {
        fk_selective_scan_inputs(
            x: x.from(row, column: channel), delta: delta.from(row, column: channel),
            b: b.from(row), c: c.from(row), deltaBias: deltaBias + channel, rates: rates,
            d: d + channel)
    }
}

/// The Mamba-1 scan: one piece of work is some channels of a run of documents.
extension CPUBackend {
    /// Channels of a block, which a kernel call works on.
    private static let blockWidth = FK_SCAN_CHANNELS
    /// Blocks of a piece of backward, whose shares in the gradients of b and c are added up at once.
    private static let groupBlocks = 2

    package func selectiveScanRoom(_ inputs: SelectiveScanInputs, forBackward: Bool) -> [[Int]] {
        guard forBackward else { return [] }
        let (runs, width) = (SelectiveScanRuns(segments: inputs.segments), Self.blockWidth)
        // Whole blocks of channels; at least one state for the sake of a shape.
        return [
            [
                max(1, runs.stateCount), (inputs.x.columnCount + width - 1) / width,
                inputs.stateSize, width,
            ]
        ]
    }

    package func selectiveScanForward(_ y: Tensor, room: [Tensor], _ inputs: SelectiveScanInputs) {
        let runs = SelectiveScanRuns(segments: inputs.segments)
        let (pointers, aLog) = (SelectiveScanPointers(inputs), inputs.aLog.pointer)
        let (channelCount, stateSize) = (inputs.x.columnCount, inputs.stateSize)
        let (y, states) = (y.rowPointer, room.first?.pointer)
        let initial = inputs.states.map { $0.before?.pointer }
        let final = inputs.states.map { $0.after?.pointer }
        let blocks = (channelCount + Self.blockWidth - 1) / Self.blockWidth
        let stateCount = stateSize * Self.blockWidth
        let scratchCount = stateCount + fk_selective_scan_forward_scratch_floats(stateSize)
        withScratch(floatCount: pool.threadCount * scratchCount) { scratch in
            pool.run(runs.all.count * blocks) { piece, worker in
                let block = piece % blocks
                let channel = block * Self.blockWidth
                let width = min(Self.blockWidth, channelCount - channel)
                let rates = scratch + worker * scratchCount
                fk_selective_scan_rates(rates, aLog + channel * stateSize, width, stateSize)
                for place in runs.all[piece / blocks] {
                    let document = runs.documents[place]
                    let row = document.rows.lowerBound
                    let (before, after) =
                        initial.isEmpty ? (nil, nil) : (initial[place], final[place])
                    fk_selective_scan_forward(
                        y.from(row, column: channel),
                        fk_rows(
                            first: states.map {
                                $0 + (document.state * blocks + block) * stateCount
                            }, stride: blocks * stateCount),
                        fk_rows(first: after.map { $0 + channel }, stride: channelCount),
                        fk_const_rows(first: before.map { $0 + channel }, stride: channelCount),
                        pointers.inputs(row: row, channel: channel, rates: rates),
                        fk_selective_scan_sizes(
                            rows: document.rows.count, channels: width, stateSize: stateSize),
                        rates + stateCount)
                }
            }
        }
    }

    package func selectiveScanBackward(
        _ gradients: SelectiveScanGradients, dy: Tensor, room: [Tensor],
        _ inputs: SelectiveScanInputs
    ) {
        let runs = SelectiveScanRuns(segments: inputs.segments)
        let accumulate: Int32 =
            accumulates(gradients.x, gradients.delta, gradients.b, gradients.c) ? 1 : 0
        let (pointers, aLog) = (SelectiveScanPointers(inputs), inputs.aLog.pointer)
        let (dx, dDelta) = (gradients.x.tensor.rowPointer, gradients.delta.tensor.rowPointer)
        let (dB, dC) = (gradients.b.tensor.rowPointer, gradients.c.tensor.rowPointer)
        let (rowCount, channelCount, stateSize) = (dy.rowCount, dy.columnCount, inputs.stateSize)
        let (dy, states) = (dy.rowPointer, room[0].pointer)
        let blocks = (channelCount + Self.blockWidth - 1) / Self.blockWidth
        let groups = (blocks + Self.groupBlocks - 1) / Self.groupBlocks
        let stateCount = stateSize * Self.blockWidth
        let totalCount = stateCount + 2 * Self.blockWidth
        let scratchCount =
            stateCount + totalCount + fk_selective_scan_backward_scratch_floats(stateSize)
        let sharedRow = 2 * fk_selective_scan_shared_row(stateSize)
        let (runCount, weightCount) = (runs.all.count, channelCount * stateSize)
        withScratch(floatCounts: [
            pool.threadCount * scratchCount, groups * rowCount * sharedRow,
            runCount * (weightCount + 2 * channelCount),
        ]) { blocksOfMemory in
            let (scratch, shared) = (blocksOfMemory[0], blocksOfMemory[1])
            let aLogParts = blocksOfMemory[2]
            let biasParts = aLogParts + runCount * weightCount
            let dParts = biasParts + runCount * channelCount
            pool.run(runCount * groups) { piece, worker in
                let (run, group) = (piece / groups, piece % groups)
                let rates = scratch + worker * scratchCount
                let totals = rates + stateCount
                let firstBlock = group * Self.groupBlocks
                for block in firstBlock..<min(firstBlock + Self.groupBlocks, blocks) {
                    let channel = block * Self.blockWidth
                    let width = min(Self.blockWidth, channelCount - channel)
                    fk_selective_scan_rates(rates, aLog + channel * stateSize, width, stateSize)
                    fk_fill(totals, totalCount, 0)
                    for place in runs.all[run] {
                        let document = runs.documents[place]
                        let row = document.rows.lowerBound
                        fk_selective_scan_backward(
                            fk_selective_scan_gradients(
                                x: dx.from(row, column: channel),
                                delta: dDelta.from(row, column: channel),
                                bc: shared + (group * rowCount + row) * sharedRow, totals: totals,
                                accumulate: accumulate, addShared: block > firstBlock ? 1 : 0),
                            dy.from(row, column: channel),
                            fk_const_rows(
                                first: states + (document.state * blocks + block) * stateCount,
                                stride: blocks * stateCount),
                            pointers.inputs(row: row, channel: channel, rates: rates),
                            fk_selective_scan_sizes(
                                rows: document.rows.count, channels: width, stateSize: stateSize),
                            totals + totalCount)
                    }
                    fk_selective_scan_finish(
                        aLogParts + run * weightCount + channel * stateSize,
                        biasParts + run * channelCount + channel,
                        dParts + run * channelCount + channel, totals, rates, width, stateSize)
                }
            }
            pool.ranges(rowCount, grain: Self.rowGrain) { _, range in
                let row = range.lowerBound
                fk_selective_scan_share(
                    dB.from(row), dC.from(row),
                    fk_const_rows(first: shared + row * sharedRow, stride: rowCount * sharedRow),
                    groups, range.count, stateSize, accumulate)
            }
            fk_reduce_partials(gradients.aLog.pointer, aLogParts, runCount, weightCount)
            fk_reduce_partials(gradients.deltaBias.pointer, biasParts, runCount, channelCount)
            fk_reduce_partials(gradients.d.pointer, dParts, runCount, channelCount)
        }
    }
}
