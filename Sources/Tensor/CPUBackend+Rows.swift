import CKernels

/// Kernels that work row by row: norms, gates, tokens, losses.
extension CPUBackend {
    package func embeddingForward(_ y: Tensor, _ inputs: EmbeddingInputs) {
        let (table, count) = (inputs.table.pointer, inputs.tokens.count)
        let (y, tokens) = (y.rowPointer, inputs.tokens.pointer)
        let (scale, multiplier) = (inputs.scale, inputs.multiplier?.pointer)
        pool.ranges(count, grain: Self.rowGrain) { _, range in
            fk_embedding_forward(
                y.from(range.lowerBound), table, tokens + range.lowerBound, range.count, y.columns,
                scale * (multiplier?.pointee ?? 1))
        }
    }

    package func embeddingBackward(
        dTable: Tensor, dMultiplier: Tensor?, dy: Tensor, padding: Int32?, _ inputs: EmbeddingInputs
    ) {
        let (tokens, count) = (inputs.tokens.pointer, inputs.tokens.count)
        let (scale, multiplier) = (inputs.scale, inputs.multiplier?.pointer)
        let (dTable, dy) = (dTable.rowPointer, dy.rowPointer)
        // Every piece owns some columns and takes the tokens in order: no sum is ever split.
        pool.ranges(dTable.columns, grain: 64) { _, range in
            fk_embedding_backward(
                dTable.from(0), dy.from(0), tokens, count, fk_range(range),
                scale * (multiplier?.pointee ?? 1), padding ?? -1)
        }
        if let dMultiplier { addDotProducts(dMultiplier, dy, inputs) }
    }

    /// dMultiplier [1] += scale · Σ dy · table[token].
    private func addDotProducts(_ dMultiplier: Tensor, _ dy: RowPointer, _ inputs: EmbeddingInputs)
    {
        let (table, count) = (inputs.table.pointer, inputs.tokens.count)
        let (tokens, scale) = (inputs.tokens.pointer, inputs.scale)
        let sum = dMultiplier.pointer
        let pieces = (count + Self.rowGrain - 1) / Self.rowGrain
        withScratch(floatCount: 2 * pieces) { scratch in
            scratch.withMemoryRebound(to: Double.self, capacity: pieces) { partial in
                pool.ranges(count, grain: Self.rowGrain) { piece, range in
                    partial[piece] = fk_embedding_scale_backward(
                        dy.from(range.lowerBound), table, tokens + range.lowerBound, range.count,
                        dy.columns)
                }
                let total = (0..<pieces).reduce(0.0) { $0 + partial[$1] }
                sum.pointee += Float(Double(scale) * total)
            }
        }
    }

    package func rotary(
        _ y: GradientTarget, x: Tensor, positions: IndexTensor, table: RotaryTable,
        direction: Float
    ) {
        let (rows, half, positions) = (x.rowCount, table.half, positions.pointer)
        let accumulate: Int32 = y.accumulates ? 1 : 0
        let (y, x) = (y.tensor.rowPointer, x.rowPointer)
        let (cosine, sine) = (table.cosine.pointer, table.sine.pointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_rotary(
                y.from(row), x.from(row),
                fk_rotary_angles(
                    cosine: cosine, sine: sine, positions: positions + row, half: half),
                range.count, x.columns / (2 * half), direction, accumulate)
        }
    }

    package func crossEntropy(
        losses: Tensor, best: IndexTensor?, logits: Tensor, targets: IndexTensor, firstRow: Int,
        zLoss: Float, gradientScale: Float
    ) {
        let (rows, logits) = (logits.rowCount, logits.rowPointer)
        let (losses, best) = (losses.pointer + firstRow, best.map { $0.pointer + firstRow })
        let targets = targets.pointer + firstRow
        pool.ranges(rows, grain: 16) { _, range in
            let row = range.lowerBound
            fk_cross_entropy(
                losses + row, best.map { $0 + row }, logits.from(row), targets + row, range.count,
                logits.columns, zLoss, gradientScale)
        }
    }

    package func swiGLUForward(_ y: Tensor, gate: Tensor, up: Tensor) {
        let rows = y.rowCount
        let (y, gate, up) = (y.rowPointer, gate.rowPointer, up.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_swiglu_forward(
                y.from(row), fk_swiglu_inputs(gate: gate.from(row), up: up.from(row)), range.count,
                y.columns)
        }
    }

    package func swiGLUBackward(
        dGate: GradientTarget, dUp: GradientTarget, dy: Tensor, gate: Tensor, up: Tensor
    ) {
        let accumulate = accumulates(dGate, dUp)
        let rows = dy.rowCount
        let (dGate, dUp) = (dGate.tensor.rowPointer, dUp.tensor.rowPointer)
        let (dy, gate, up) = (dy.rowPointer, gate.rowPointer, up.rowPointer)
        pool.ranges(rows, grain: Self.rowGrain) { _, range in
            let row = range.lowerBound
            fk_swiglu_backward(
                fk_swiglu_gradients(
                    gate: dGate.from(row), up: dUp.from(row), accumulate: accumulate ? 1 : 0),
                dy.from(row), fk_swiglu_inputs(gate: gate.from(row), up: up.from(row)),
                range.count, dy.columns)
        }
    }
}
