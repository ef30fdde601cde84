import CKernels

/// Consecutive queries of one segment and the keys they may see.
private struct AttentionBlock {
    /// Rows of the queries.
    let rows: Range<Int>
    /// The place of the segment's keys.
    let keyPlace: Int
    /// The segment's first key row.
    let firstKey: Int
    /// Keys of the segment before the first query of the block.
    let keysBefore: Int

    /// Keys seen by the last query of the block.
    var keyCount: Int { keysBefore + rows.count }

    /// Its sizes, as kernels take them.
    func sizes(headSize: Int) -> fk_attention_sizes {
        fk_attention_sizes(queries: rows.count, keysBefore: keysBefore, headSize: headSize)
    }
}

extension AttentionInputs {
    /// The blocks of one segment; the last ones see the most keys.
    fileprivate func blocks(of index: Int, rows count: Int) -> [AttentionBlock] {
        let (segment, keys) = (segments[index], keys(of: index))
        return stride(from: segment.lowerBound, to: segment.upperBound, by: count).map { start in
            AttentionBlock(
                rows: start..<min(start + count, segment.upperBound), keyPlace: keys.place,
                firstKey: keys.firstRow, keysBefore: keys.rowsBefore + start - segment.lowerBound)
        }
    }
}

/// Attention: one piece of work is a block of queries of one head.
extension CPUBackend {
    /// Queries per piece, forward: two tiles of the kernel.
    private static let forwardQueries = 192
    /// The fewest queries per piece, backward: every piece has its own gradients of keys.
    private static let backwardQueries = 384
    /// The most pieces per head and segment, backward.
    private static let backwardPieces = 4
    /// Floats for the keys' gradients of pieces at a time; a segment that needs more runs alone.
    private static let partialFloats = 8 << 20

    package func attentionForward(_ y: Tensor, logSumExp: Tensor, _ inputs: AttentionInputs) {
        let (heads, width, group) = (inputs.heads, inputs.headDimension, inputs.groupSize)
        let scale = inputs.scale
        // The longest pieces first, so that none is left over at the end.
        let blocks = (0..<inputs.segments.count).flatMap {
            inputs.blocks(of: $0, rows: Self.forwardQueries).reversed()
        }
        let keyValues = inputs.keyValues.map { ($0.key.rowPointer, $0.value.rowPointer) }
        let (query, y, rowCount) = (
            inputs.query.rowPointer, y.rowPointer, inputs.query.rowCount
        )
        let logSumExp = logSumExp.pointer
        let scratchCount = fk_attention_forward_scratch_floats()
        withScratch(floatCount: pool.threadCount * scratchCount) { scratch in
            pool.run(blocks.count * heads) { piece, worker in
                let (block, head) = (blocks[piece / heads], piece % heads)
                let (row, column) = (block.rows.lowerBound, head * width)
                let keyColumn = head / group * width
                let (key, value) = keyValues[block.keyPlace]
                fk_attention_forward(
                    y.from(row, column: column), logSumExp + head * rowCount + row,
                    fk_attention_inputs(
                        q: query.from(row, column: column),
                        k: key.from(block.firstKey, column: keyColumn),
                        v: value.from(block.firstKey, column: keyColumn), scale: scale),
                    block.sizes(headSize: width), tileOptions, scratch + worker * scratchCount)
            }
        }
    }

    package func attentionBackward(
        dQuery: GradientTarget, dKey: GradientTarget, dValue: GradientTarget, dy: Tensor, y: Tensor,
        logSumExp: Tensor, _ inputs: AttentionInputs
    ) {
        let tile = Self.forwardQueries
        var batch: [[AttentionBlock]] = []
        var floats = 0
        func run() {
            attentionBackward(
                batch, partialFloats: floats, dQuery: dQuery, dKey: dKey, dValue: dValue, dy: dy,
                y: y, logSumExp: logSumExp, inputs)
            (batch, floats) = ([], 0)
        }
        for (index, segment) in inputs.segments.ranges.enumerated() {
            let quarter = (segment.count + Self.backwardPieces - 1) / Self.backwardPieces
            let blocks = inputs.blocks(
                of: index, rows: max(Self.backwardQueries, (quarter + tile - 1) / tile * tile))
            let needed = 2 * inputs.query.columnCount * blocks.reduce(0) { $0 + $1.keyCount }
            if floats > 0, floats + needed > Self.partialFloats { run() }
            batch.append(blocks)
            floats += needed
        }
        run()
    }

    /// Segments whose pieces' gradients of keys and values fit in memory at a time.
    private func attentionBackward(
        _ segments: [[AttentionBlock]], partialFloats: Int, dQuery queryTarget: GradientTarget,
        dKey: GradientTarget, dValue: GradientTarget, dy: Tensor, y: Tensor, logSumExp: Tensor,
        _ inputs: AttentionInputs
    ) {
        let (dQuery, dy) = (queryTarget.tensor.rowPointer, dy.rowPointer)
        let (addsToQuery, scale) = (queryTarget.accumulates, inputs.scale)
        let (heads, width, group) = (inputs.heads, inputs.headDimension, inputs.groupSize)
        let (key, value) = (
            inputs.keyValues[0].key.rowPointer, inputs.keyValues[0].value.rowPointer
        )
        let (query, y, rowCount) = (
            inputs.query.rowPointer, y.rowPointer, inputs.query.rowCount
        )
        let logSumExp = logSumExp.pointer
        var offset = 0
        let placed = segments.map { blocks in
            blocks.map { block in
                defer { offset += 2 * heads * block.keyCount * width }
                return (block: block, offset: offset)
            }
        }
        let pieces = placed.flatMap { $0.reversed() }
        let scratchCount = fk_attention_backward_scratch_floats()
        withScratch(floatCount: partialFloats + pool.threadCount * scratchCount) { scratch in
            let partials = scratch + pool.threadCount * scratchCount
            pool.run(pieces.count * heads) { piece, worker in
                let (head, block) = (piece % heads, pieces[piece / heads].block)
                let keyFloats = block.keyCount * width
                let dk = partials + pieces[piece / heads].offset + head * 2 * keyFloats
                let (row, column) = (block.rows.lowerBound, head * width)
                let keyColumn = head / group * width
                fk_attention_backward(
                    fk_attention_gradients(
                        q: dQuery.from(row, column: column), k: fk_rows(first: dk, stride: width),
                        v: fk_rows(first: dk + keyFloats, stride: width),
                        accumulate: addsToQuery ? 1 : 0),
                    dy.from(row, column: column),
                    fk_attention_saved(
                        out: y.from(row, column: column),
                        logSumExp: logSumExp + head * rowCount + row),
                    fk_attention_inputs(
                        q: query.from(row, column: column),
                        k: key.from(block.firstKey, column: keyColumn),
                        v: value.from(block.firstKey, column: keyColumn), scale: scale),
                    block.sizes(headSize: width), tileOptions, scratch + worker * scratchCount)
            }
            // Then every key head and segment adds up its pieces, in this order: from the last block, which
            // sees all keys, to the first, and by heads.
            pool.run(placed.count * inputs.keyValueHeads) { piece, _ in
                let (keyHead, blocks) = (
                    piece % inputs.keyValueHeads, placed[piece / inputs.keyValueHeads]
                )
                for (part, target) in [dKey, dValue].enumerated() {
                    let rows = target.tensor.rowPointer
                    var accumulates = target.accumulates
                    for (block, offset) in blocks.reversed() {
                        let (keys, keyFloats) = (block.keyCount, block.keyCount * width)
                        let total: fk_rows = rows.from(block.firstKey, column: keyHead * width)
                        for head in keyHead * group..<(keyHead + 1) * group {
                            let source = fk_const_rows(
                                first: partials + offset + (head * 2 + part) * keyFloats,
                                stride: width)
                            if accumulates {
                                fk_add_rows(total, source, keys, width, 1)
                            } else {
                                fk_copy_rows(total, source, keys, width, 1)
                            }
                            accumulates = true
                        }
                    }
                }
            }
        }
    }
}
