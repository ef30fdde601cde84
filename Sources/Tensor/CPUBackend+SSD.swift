import CKernels

/// The Mamba-2 scan: one piece of work is a chunk of one group, or some rows of a segment's states.
extension CPUBackend {
    /// Rows of `[N, H·P]` states per piece when states are passed from chunk to chunk.
    private static let stateRows = 8
    /// Heads per piece of the one-row step.
    private static let stepHeads = 4

    /// The places of the parts of one chunk and group.
    private struct SSDPlace {
        let chunk: SSDChunks.Chunk
        /// The first head of the group.
        let head: Int
        let heads: Int
        /// The first channel of the group's heads in x, y and states.
        let channel: Int
        /// The first channel of the group in b and c.
        let stateChannel: Int
        let steps: UnsafeMutablePointer<Float>
        let decays: UnsafeMutablePointer<Float>
        let sizes: fk_ssd_sizes

        /// The chunk's first row.
        var row: Int { chunk.rows.lowerBound }

        init(_ piece: Int, _ chunks: SSDChunks, _ shape: SSDShape, _ saved: SSDSaved) {
            chunk = chunks.all[piece / shape.groups]
            heads = shape.heads / shape.groups
            head = piece % shape.groups * heads
            channel = head * shape.headDimension
            stateChannel = piece % shape.groups * shape.stateSize
            let before = chunk.rows.lowerBound * shape.heads + head * chunk.rows.count
            steps = saved.steps.pointer + before
            decays = saved.decays.pointer + 2 * before
            sizes = fk_ssd_sizes(
                rows: chunk.rows.count, heads: heads, headSize: shape.headDimension,
                stateSize: shape.stateSize)
        }

        /// The saved values of the chunk and group, with the state before it, shared by all groups.
        func saved(previous: UnsafePointer<Float>?, stateRow: Int) -> fk_ssd_saved {
            fk_ssd_saved(
                dt: steps, decay: decays,
                previous: fk_const_rows(first: previous.map { $0 + channel }, stride: stateRow))
        }

        /// The inputs of the chunk and group.
        func inputs(_ pointers: SSDPointers) -> fk_ssd_inputs {
            pointers.inputs(row: row, head: head, channel: channel, stateChannel: stateChannel)
        }
    }

    /// The inputs of a scan, as kernels take them.
    private struct SSDPointers {
        let x: RowPointer
        let b: RowPointer
        let c: RowPointer
        let dt: RowPointer
        let dtBias: UnsafePointer<Float>
        let aLog: UnsafePointer<Float>
        let d: UnsafePointer<Float>
        let stepScale: Float

        init(_ inputs: SSDInputs) {
            (x, b) = (inputs.x.rowPointer, inputs.b.rowPointer)
            (c, dt) = (inputs.c.rowPointer, inputs.dt.rowPointer)
            dtBias = UnsafePointer(inputs.dtBias.pointer)
            aLog = UnsafePointer(inputs.aLog.pointer)
            d = UnsafePointer(inputs.d.pointer)
            stepScale = inputs.stepScale
        }

        /// The values to mix from a row on: channels of x from `channel`, of b and c from
        /// `stateChannel`.
        func inputs(row: Int, head: Int, channel: Int, stateChannel: Int) -> fk_ssd_inputs {
            fk_ssd_inputs(
                x: x.from(row, column: channel), b: b.from(row, column: stateChannel),
                c: c.from(row, column: stateChannel), d: d + head)
        }

        /// The inputs of the time steps from a row and a head on.
        func steps(row: Int, head: Int) -> fk_ssd_step_inputs {
            fk_ssd_step_inputs(
                dtRaw: dt.from(row, column: head), dtBias: dtBias + head, aLog: aLog + head,
                dtScale: stepScale)
        }
    }

    package func ssdRoom(_ inputs: SSDInputs, forBackward: Bool) -> [[Int]] {
        // One row goes from state to state at once.
        if inputs.segments.rowCount == inputs.segments.count, !forBackward,
            !inputs.states.isEmpty, inputs.states.allSatisfy({ $0.after != nil })
        {
            return []
        }
        return SSDSaved.shapes(SSDChunks(inputs), inputs)
    }

    package func ssdForward(_ y: Tensor, room: [Tensor], _ inputs: SSDInputs) {
        if room.isEmpty { return ssdStep(y, inputs) }
        let (saved, chunks) = (SSDSaved(room), SSDChunks(inputs))
        let (shape, pointers) = (inputs.shape, SSDPointers(inputs))
        let (width, stateSize) = (shape.headDimension, shape.stateSize)
        let (stateRow, stateCount) = (shape.heads * width, shape.heads * width * stateSize)
        let longest = min(shape.chunkLength, inputs.segments.rowCount)
        let scratchCount = max(
            fk_ssd_states_scratch_floats(longest, width), fk_ssd_outputs_scratch_floats(longest))
        let (states, y) = (saved.states.pointer, y.rowPointer)
        let initial = inputs.states.map { $0.before?.pointer }
        withScratch(floatCount: pool.threadCount * scratchCount) { scratch in
            pool.run(chunks.all.count) { piece, _ in
                let rows = chunks.all[piece].rows
                fk_ssd_steps(
                    saved.steps.pointer + rows.lowerBound * shape.heads,
                    saved.decays.pointer + 2 * rows.lowerBound * shape.heads,
                    saved.totals.pointer + piece * shape.heads,
                    pointers.steps(row: rows.lowerBound, head: 0), rows.count, shape.heads)
            }
            pool.run(chunks.all.count * shape.groups) { piece, worker in
                let place = SSDPlace(piece, chunks, shape, saved)
                guard let own = place.chunk.own else { return }
                let inputs = place.inputs(pointers)
                fk_ssd_chunk_states(
                    fk_rows(first: states + own * stateCount + place.channel, stride: stateRow),
                    place.steps, place.decays, inputs.x, inputs.b, place.sizes, tileOptions,
                    scratch + worker * scratchCount)
            }
            passStates(saved, chunks, shape, initial: initial)
            pool.run(chunks.all.count * shape.groups) { piece, worker in
                let place = SSDPlace(piece, chunks, shape, saved)
                let before = initial.isEmpty ? nil : initial[place.chunk.segment]
                let previous = place.chunk.previous.map { states + $0 * stateCount } ?? before
                fk_ssd_outputs(
                    y.from(place.row, column: place.channel),
                    place.saved(previous: previous, stateRow: stateRow), place.inputs(pointers),
                    place.sizes, tileOptions, scratch + worker * scratchCount)
            }
        }
        guard !inputs.states.isEmpty else { return }
        for run in chunks.runs {
            guard let after = inputs.states[run.segment].after,
                let last = chunks.all[run.chunks.upperBound - 1].own
            else { continue }
            copy(
                from: saved.states.reshaped([saved.states.count]).columns(
                    last * stateCount..<(last + 1) * stateCount),
                to: after.reshaped([stateCount]), scale: 1)
        }
    }

    /// From the contributions of the chunks to the states after them.
    private func passStates(
        _ saved: SSDSaved, _ chunks: SSDChunks, _ shape: SSDShape,
        initial: [UnsafeMutablePointer<Float>?]
    ) {
        let stateCount = shape.heads * shape.headDimension * shape.stateSize
        let slices = (shape.stateSize + Self.stateRows - 1) / Self.stateRows
        pool.run(chunks.runs.count * slices) { piece, _ in
            let (run, row) = (chunks.runs[piece / slices], piece % slices * Self.stateRows)
            guard let first = chunks.all[run.chunks.lowerBound].own else { return }
            let rows = row..<min(row + Self.stateRows, shape.stateSize)
            fk_ssd_pass_states(
                saved.states.pointer + first * stateCount,
                initial.isEmpty ? nil : initial[run.segment],
                saved.totals.pointer + run.chunks.lowerBound * shape.heads,
                fk_ssd_chain(
                    count: run.stateCount, stateStep: stateCount, totalStep: shape.heads),
                fk_range(rows), shape.heads, shape.headDimension)
        }
    }

    package func ssdBackward(
        _ gradients: SSDGradients, dy: Tensor, room: [Tensor], _ inputs: SSDInputs
    ) {
        let (saved, chunks) = (SSDSaved(room), SSDChunks(inputs))
        let (shape, pointers) = (inputs.shape, SSDPointers(inputs))
        let (width, stateSize) = (shape.headDimension, shape.stateSize)
        let (stateRow, stateCount) = (shape.heads * width, shape.heads * width * stateSize)
        let longest = min(shape.chunkLength, inputs.segments.rowCount)
        let scratchCount = max(
            fk_ssd_states_scratch_floats(longest, width),
            fk_ssd_backward_scratch_floats(longest, width))
        let partCount = chunks.all.count * shape.heads
        let accumulate = accumulates(gradients.x, gradients.b, gradients.c, gradients.dt)
        let (dx, db) = (gradients.x.tensor.rowPointer, gradients.b.tensor.rowPointer)
        let (dc, ddt) = (gradients.c.tensor.rowPointer, gradients.dt.tensor.rowPointer)
        let (dy, states) = (dy.rowPointer, saved.states.pointer)
        withScratch(floatCounts: [
            pool.threadCount * scratchCount + 3 * partCount, saved.states.count,
        ]) { blocks in
            let (scratch, dStates) = (blocks[0], blocks[1])
            let parts = scratch + pool.threadCount * scratchCount
            pool.run(chunks.all.count * shape.groups) { piece, worker in
                let place = SSDPlace(piece, chunks, shape, saved)
                guard let previous = place.chunk.previous else { return }
                fk_ssd_chunk_state_gradients(
                    fk_rows(
                        first: dStates + previous * stateCount + place.channel, stride: stateRow),
                    dy.from(place.row, column: place.channel), place.decays,
                    place.inputs(pointers).c, place.sizes, tileOptions,
                    scratch + worker * scratchCount)
            }
            passStateGradients(dStates, saved, chunks, shape)
            pool.run(chunks.all.count * shape.groups) { piece, worker in
                let place = SSDPlace(piece, chunks, shape, saved)
                let part = parts + piece / shape.groups * shape.heads + place.head
                // The state after a segment's last chunk has no gradient, even when it is kept.
                let next = piece / shape.groups + 1
                let after = next < chunks.all.count ? chunks.all[next].previous : nil
                let (channel, stateChannel) = (place.channel, place.stateChannel)
                fk_ssd_backward(
                    fk_ssd_gradients(
                        x: dx.from(place.row, column: channel),
                        b: db.from(place.row, column: stateChannel),
                        c: dc.from(place.row, column: stateChannel),
                        dtRaw: ddt.from(place.row, column: place.head),
                        accumulate: accumulate ? 1 : 0, dtBias: part, aLog: part + partCount,
                        d: part + 2 * partCount),
                    fk_ssd_upstream(
                        dy: dy.from(place.row, column: channel),
                        after: fk_const_rows(
                            first: after.map { dStates + $0 * stateCount + channel },
                            stride: stateRow)),
                    place.saved(
                        previous: place.chunk.previous.map { states + $0 * stateCount },
                        stateRow: stateRow),
                    place.inputs(pointers), pointers.steps(row: place.row, head: place.head),
                    place.sizes, tileOptions, scratch + worker * scratchCount)
            }
            for (index, total) in [gradients.dtBias, gradients.aLog, gradients.d].enumerated() {
                fk_reduce_partials(
                    total.pointer, parts + index * partCount, chunks.all.count, shape.heads)
            }
        }
    }

    /// From the contribution of each chunk to the gradient of the state before it to that whole
    /// gradient, from the last chunk of each segment to its first.
    private func passStateGradients(
        _ dStates: UnsafeMutablePointer<Float>, _ saved: SSDSaved, _ chunks: SSDChunks,
        _ shape: SSDShape
    ) {
        let stateCount = shape.heads * shape.headDimension * shape.stateSize
        let slices = (shape.stateSize + Self.stateRows - 1) / Self.stateRows
        pool.run(chunks.runs.count * slices) { piece, _ in
            let (run, row) = (chunks.runs[piece / slices], piece % slices * Self.stateRows)
            let last = run.chunks.upperBound - 1
            guard let state = chunks.all[last].previous else { return }
            let rows = row..<min(row + Self.stateRows, shape.stateSize)
            fk_ssd_pass_states(
                dStates + state * stateCount, nil,
                saved.totals.pointer + last * shape.heads,
                fk_ssd_chain(
                    count: run.chunks.count - 1, stateStep: -stateCount, totalStep: -shape.heads),
                fk_range(rows), shape.heads, shape.headDimension)
        }
    }

    /// The scan of segments of one row each.
    private func ssdStep(_ y: Tensor, _ inputs: SSDInputs) {
        let (shape, width) = (inputs.shape, inputs.shape.headDimension)
        let states = inputs.states.map { state in
            guard let after = state.after else { preconditionFailure("ssdStep: no final state") }
            let flat = after.reshaped([after.count])
            if let before = state.before {
                if before.pointer != after.pointer {
                    copy(from: before.reshaped([after.count]), to: flat, scale: 1)
                }
            } else {
                fill(flat, with: 0)
            }
            return after.pointer
        }
        let group = shape.heads / shape.groups
        let blocks = (group + Self.stepHeads - 1) / Self.stepHeads
        let (pointers, y, pieces) = (SSDPointers(inputs), y.rowPointer, shape.groups * blocks)
        pool.run(states.count * pieces) { index, _ in
            let (row, piece) = (index / pieces, index % pieces)
            let first = piece % blocks * Self.stepHeads
            let (head, count) = (piece / blocks * group + first, min(Self.stepHeads, group - first))
            let channel = head * width
            let out: fk_rows = y.from(row, column: channel)
            fk_ssd_one_row(
                out.first, fk_rows(first: states[row] + channel, stride: shape.heads * width),
                pointers.inputs(
                    row: row, head: head, channel: channel,
                    stateChannel: piece / blocks * shape.stateSize),
                pointers.steps(row: row, head: head),
                fk_ssd_sizes(
                    rows: 1, heads: count, headSize: width, stateSize: shape.stateSize))
        }
    }
}
