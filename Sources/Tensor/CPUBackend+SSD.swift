import CKernels

/// The Mamba-2 scan: one piece of work is a chunk of one group, or some rows of a segment's states.
extension CPUBackend {
    /// Rows of `[N, H·P]` states a piece when states are passed from chunk to chunk.
    private static let stateRows = 8
    /// Heads a piece of the one-row step.
    private static let stepHeads = 4

    /// Where the parts of one chunk and group lie.
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

        init(_ piece: Int, _ chunks: SSDChunks, _ shape: SSDShape, _ saved: SSDSaved) {
            chunk = chunks.all[piece / shape.groups]
            heads = shape.heads / shape.groups
            head = piece % shape.groups * heads
            channel = head * shape.headDimension
            stateChannel = piece % shape.groups * shape.stateSize
            let before = chunk.rows.lowerBound * shape.heads + head * chunk.rows.count
            steps = saved.steps.pointer + before
            decays = saved.decays.pointer + 2 * before
        }

        /// The chunk's first row of a tensor, at a channel.
        func pointer(_ rows: RowPointer, _ column: Int) -> UnsafeMutablePointer<Float> {
            rows[chunk.rows.lowerBound] + column
        }
    }

    package func ssdRoom(_ inputs: SSDInputs, forBackward: Bool) -> [[Int]] {
        // One row goes from state to state at once.
        if inputs.segments.rowCount == 1, inputs.finalState != nil, !forBackward { return [] }
        return SSDSaved.shapes(SSDChunks(inputs), inputs)
    }

    package func ssdForward(_ y: Tensor, room: [Tensor], _ inputs: SSDInputs) {
        if room.isEmpty { return ssdStep(y, inputs) }
        let (saved, chunks) = (SSDSaved(room), SSDChunks(inputs))
        let shape = inputs.shape
        let (x, b) = (inputs.x.rowPointer, inputs.b.rowPointer)
        let (c, dt) = (inputs.c.rowPointer, inputs.dt.rowPointer)
        let (width, stateSize) = (shape.headDimension, shape.stateSize)
        let (stateRow, stateCount) = (shape.heads * width, shape.heads * width * stateSize)
        let longest = min(shape.chunkLength, inputs.segments.rowCount)
        let scratchCount = max(
            fk_ssd_states_scratch_floats(longest, width), fk_ssd_outputs_scratch_floats(longest))
        let states = saved.states.pointer
        let yRows = y.rowPointer
        withScratch(floatCount: pool.threadCount * scratchCount) { scratch in
            pool.run(chunks.all.count) { piece, _ in
                let rows = chunks.all[piece].rows
                fk_ssd_steps(
                    saved.steps.pointer + rows.lowerBound * shape.heads,
                    saved.decays.pointer + 2 * rows.lowerBound * shape.heads,
                    saved.totals.pointer + piece * shape.heads,
                    dt[rows.lowerBound], dt.stride,
                    inputs.dtBias.pointer,
                    inputs.aLog.pointer, rows.count, shape.heads, inputs.stepScale)
            }
            pool.run(chunks.all.count * shape.groups) { piece, worker in
                let place = SSDPlace(piece, chunks, shape, saved)
                guard let own = place.chunk.own else { return }
                fk_ssd_chunk_states(
                    states + own * stateCount + place.channel, stateRow,
                    place.pointer(x, place.channel), x.stride,
                    place.pointer(b, place.stateChannel), b.stride, place.steps, place.decays,
                    place.chunk.rows.count, place.heads, width, stateSize,
                    tileOptions, scratch + worker * scratchCount)
            }
            passStates(saved, chunks, shape, initial: inputs.initialState)
            pool.run(chunks.all.count * shape.groups) { piece, worker in
                let place = SSDPlace(piece, chunks, shape, saved)
                let previous =
                    place.chunk.previous.map { states + $0 * stateCount }
                    ?? inputs.initialState?.pointer
                fk_ssd_outputs(
                    place.pointer(yRows, place.channel), yRows.stride,
                    place.pointer(x, place.channel),
                    x.stride, place.pointer(b, place.stateChannel), b.stride,
                    place.pointer(c, place.stateChannel), c.stride,
                    previous.map { $0 + place.channel }, stateRow, place.steps, place.decays,
                    inputs.d.pointer + place.head, place.chunk.rows.count, place.heads, width,
                    stateSize, tileOptions, scratch + worker * scratchCount)
            }
        }
        if let finalState = inputs.finalState, let last = chunks.all.last?.own {
            copy(
                from: saved.states.reshaped([saved.states.count]).columns(
                    last * stateCount..<(last + 1) * stateCount),
                to: finalState.reshaped([stateCount]), scale: 1)
        }
    }

    /// From what each chunk adds to the states after each chunk.
    private func passStates(
        _ saved: SSDSaved, _ chunks: SSDChunks, _ shape: SSDShape, initial: Tensor?
    ) {
        let stateCount = shape.heads * shape.headDimension * shape.stateSize
        let slices = (shape.stateSize + Self.stateRows - 1) / Self.stateRows
        pool.run(chunks.runs.count * slices) { piece, _ in
            let (run, row) = (chunks.runs[piece / slices], piece % slices * Self.stateRows)
            guard let first = chunks.all[run.lowerBound].own else { return }
            fk_ssd_pass_states(
                saved.states.pointer + first * stateCount, stateCount, initial?.pointer,
                saved.totals.pointer + run.lowerBound * shape.heads, shape.heads,
                chunks.keepsLastState ? run.count : run.count - 1, row,
                min(row + Self.stateRows, shape.stateSize), shape.heads, shape.headDimension)
        }
    }

    package func ssdBackward(
        _ gradients: SSDGradients, dy: Tensor, room: [Tensor], _ inputs: SSDInputs
    ) {
        let (saved, chunks) = (SSDSaved(room), SSDChunks(inputs))
        let shape = inputs.shape
        let (x, b) = (inputs.x.rowPointer, inputs.b.rowPointer)
        let (c, dt) = (inputs.c.rowPointer, inputs.dt.rowPointer)
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
        let dy = dy.rowPointer
        withScratch(floatCounts: [
            pool.threadCount * scratchCount + 3 * partCount, saved.states.count,
        ]) { blocks in
            let (scratch, dStates) = (blocks[0], blocks[1])
            let parts = scratch + pool.threadCount * scratchCount
            pool.run(chunks.all.count * shape.groups) { piece, worker in
                let place = SSDPlace(piece, chunks, shape, saved)
                guard let previous = place.chunk.previous else { return }
                fk_ssd_chunk_state_gradients(
                    dStates + previous * stateCount + place.channel, stateRow,
                    place.pointer(dy, place.channel), dy.stride,
                    place.pointer(c, place.stateChannel), c.stride, place.decays,
                    place.chunk.rows.count, place.heads, width, stateSize,
                    tileOptions, scratch + worker * scratchCount)
            }
            passStateGradients(dStates, saved, chunks, shape)
            pool.run(chunks.all.count * shape.groups) { piece, worker in
                let place = SSDPlace(piece, chunks, shape, saved)
                let part = parts + piece / shape.groups * shape.heads + place.head
                // The state after a segment's last chunk has no gradient, even when it is kept.
                let next = piece / shape.groups + 1
                let after = next < chunks.all.count ? chunks.all[next].previous : nil
                fk_ssd_backward(
                    place.pointer(dx, place.channel), dx.stride,
                    place.pointer(db, place.stateChannel), db.stride,
                    place.pointer(dc, place.stateChannel), dc.stride,
                    place.pointer(ddt, place.head), ddt.stride, part,
                    part + partCount, part + 2 * partCount, place.pointer(dy, place.channel),
                    dy.stride,
                    after.map { dStates + $0 * stateCount + place.channel },
                    place.chunk.previous.map {
                        saved.states.pointer + $0 * stateCount + place.channel
                    }, stateRow, place.steps, place.decays, place.pointer(x, place.channel),
                    x.stride, place.pointer(b, place.stateChannel), b.stride,
                    place.pointer(c, place.stateChannel), c.stride,
                    place.pointer(dt, place.head), dt.stride, inputs.dtBias.pointer + place.head,
                    inputs.aLog.pointer + place.head, inputs.d.pointer + place.head,
                    place.chunk.rows.count, place.heads, width, stateSize, inputs.stepScale,
                    accumulate ? 1 : 0, tileOptions, scratch + worker * scratchCount)
            }
            for (index, total) in [gradients.dtBias, gradients.aLog, gradients.d].enumerated() {
                fk_reduce_partials(
                    total.pointer, parts + index * partCount, chunks.all.count, shape.heads)
            }
        }
    }

    /// From what each chunk adds to the gradient of the state before it to that whole gradient, from
    /// the last chunk of each segment to its first.
    private func passStateGradients(
        _ dStates: UnsafeMutablePointer<Float>, _ saved: SSDSaved, _ chunks: SSDChunks,
        _ shape: SSDShape
    ) {
        let stateCount = shape.heads * shape.headDimension * shape.stateSize
        let slices = (shape.stateSize + Self.stateRows - 1) / Self.stateRows
        pool.run(chunks.runs.count * slices) { piece, _ in
            let (run, row) = (chunks.runs[piece / slices], piece % slices * Self.stateRows)
            let last = run.upperBound - 1
            guard let state = chunks.all[last].previous else { return }
            fk_ssd_pass_states(
                dStates + state * stateCount, -stateCount, nil,
                saved.totals.pointer + last * shape.heads, -shape.heads,
                run.count - 1, row, min(row + Self.stateRows, shape.stateSize), shape.heads,
                shape.headDimension)
        }
    }

    /// The scan of one row.
    private func ssdStep(_ y: Tensor, _ inputs: SSDInputs) {
        guard let state = inputs.finalState else { preconditionFailure("ssdStep: no final state") }
        let (shape, width) = (inputs.shape, inputs.shape.headDimension)
        let flat = state.reshaped([state.count])
        if let initialState = inputs.initialState {
            if initialState.pointer != state.pointer {
                copy(from: initialState.reshaped([state.count]), to: flat, scale: 1)
            }
        } else {
            fill(flat, with: 0)
        }
        let group = shape.heads / shape.groups
        let blocks = (group + Self.stepHeads - 1) / Self.stepHeads
        pool.run(shape.groups * blocks) { piece, _ in
            let first = piece % blocks * Self.stepHeads
            let (head, count) = (piece / blocks * group + first, min(Self.stepHeads, group - first))
            let stateChannel = piece / blocks * shape.stateSize
            fk_ssd_one_row(
                y.pointer + head * width, state.pointer + head * width,
                inputs.x.pointer + head * width, inputs.b.pointer + stateChannel,
                inputs.c.pointer + stateChannel, inputs.dt.pointer + head,
                inputs.dtBias.pointer + head, inputs.aLog.pointer + head, inputs.d.pointer + head,
                count, width, shape.stateSize, shape.heads * width, inputs.stepScale)
        }
    }
}
