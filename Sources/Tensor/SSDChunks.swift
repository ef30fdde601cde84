/// How a scan's rows are cut: each segment in chunks of its own, the last one ragged.
package struct SSDChunks {
    /// One chunk and its place among the saved states.
    package struct Chunk {
        /// Its rows in the batch.
        package let rows: Range<Int>
        /// Where the state before it is kept, or nil at the start of a segment.
        package let previous: Int?
        /// Where the state after it is kept, or nil when nothing reads that.
        package let own: Int?
    }

    /// The chunks of all segments, in row order.
    package let all: [Chunk]
    /// The chunks of each segment that keeps states.
    package let runs: [Range<Int>]
    /// Whether the last chunk of a segment keeps its state, too.
    package let keepsLastState: Bool
    /// The number of states kept.
    package let stateCount: Int

    /// Cuts the rows.
    ///
    /// - Parameters:
    ///   - segments: documents among the rows.
    ///   - chunkLength: at least 1.
    ///   - keepsLastState: whether the state after each segment is wanted.
    package init(segments: Segments, chunkLength: Int, keepsLastState: Bool) {
        var all: [Chunk] = []
        var runs: [Range<Int>] = []
        var states = 0
        for segment in segments.ranges {
            let first = all.count
            var previous: Int?
            for start in stride(from: segment.lowerBound, to: segment.upperBound, by: chunkLength) {
                let rows = start..<min(start + chunkLength, segment.upperBound)
                let keeps = rows.upperBound < segment.upperBound || keepsLastState
                all.append(Chunk(rows: rows, previous: previous, own: keeps ? states : nil))
                guard keeps else { continue }
                previous = states
                states += 1
            }
            if previous != nil { runs.append(first..<all.count) }
        }
        self.all = all
        self.runs = runs
        self.keepsLastState = keepsLastState
        stateCount = states
    }
}

/// The arguments of a scan, shapes checked.
package struct SSDInputs {
    package let x: Tensor
    package let b: Tensor
    package let c: Tensor
    package let dt: Tensor
    package let dtBias: Tensor
    package let aLog: Tensor
    package let d: Tensor
    package let stepScale: Float
    package let shape: SSDShape
    package let segments: Segments
}

/// Where the gradients of a scan's inputs are left; those of its parameters are added.
package struct SSDGradients {
    package let x: GradientTarget
    package let b: GradientTarget
    package let c: GradientTarget
    package let dt: GradientTarget
    package let dtBias: Tensor
    package let aLog: Tensor
    package let d: Tensor
}

/// What a scan saves for backward.
package struct SSDSaved {
    /// Time steps, for each chunk `[H, rows]`: R·H in all.
    package let steps: Tensor
    /// Summed decays and what rounding took from them, for each chunk `[H, 2, rows]`: 2·R·H in all.
    package let decays: Tensor
    /// The decay over a whole chunk: `[chunks, H]`.
    package let totals: Tensor
    /// Kept states, at least one for the sake of a shape: `[states, N, H·P]`.
    package let states: Tensor

    init(_ chunks: SSDChunks, _ shape: SSDShape, on device: Device) {
        let rows = chunks.all.last?.rows.upperBound ?? 0
        steps = device.empty([rows * shape.heads])
        decays = device.empty([2 * rows * shape.heads])
        totals = device.empty([chunks.all.count, shape.heads])
        states = device.empty(
            [max(1, chunks.stateCount), shape.stateSize, shape.heads * shape.headDimension])
    }
}
