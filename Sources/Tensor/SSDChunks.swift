/// The CPU's division of a Mamba-2 scan's rows: each segment in its own chunks, the last ragged.
struct SSDChunks {
    /// One chunk and its place among the saved states.
    struct Chunk {
        /// Its rows in the batch.
        let rows: Range<Int>
        /// The place of its segment.
        let segment: Int
        /// The place of the state before it; nil at the start of a segment.
        let previous: Int?
        /// The place of the state after it; nil if nothing reads that.
        let own: Int?
    }

    /// The chunks of one segment.
    struct Run {
        /// The place of the segment.
        let segment: Int
        let chunks: Range<Int>
        /// The number of chunks that keep the state after them: all, or all but the last.
        let stateCount: Int
    }

    /// The chunks of all segments, in row order.
    let all: [Chunk]
    /// The segments that keep states.
    let runs: [Run]
    /// The number of states kept.
    let stateCount: Int

    /// Cuts the rows of a scan.
    init(_ inputs: SSDInputs) {
        let (segments, chunkLength) = (inputs.segments, inputs.shape.chunkLength)
        var all: [Chunk] = []
        var runs: [Run] = []
        var states = 0
        for (index, segment) in segments.ranges.enumerated() {
            let (first, firstState) = (all.count, states)
            let keepsLastState = !inputs.states.isEmpty && inputs.states[index].after != nil
            var previous: Int?
            for start in stride(from: segment.lowerBound, to: segment.upperBound, by: chunkLength) {
                let rows = start..<min(start + chunkLength, segment.upperBound)
                let keeps = rows.upperBound < segment.upperBound || keepsLastState
                all.append(
                    Chunk(
                        rows: rows, segment: index, previous: previous, own: keeps ? states : nil))
                guard keeps else { continue }
                previous = states
                states += 1
            }
            if states > firstState {
                runs.append(
                    Run(
                        segment: index, chunks: first..<all.count,
                        stateCount: states - firstState))
            }
        }
        self.all = all
        self.runs = runs
        stateCount = states
    }
}

/// The values of a Mamba-2 scan that the CPU keeps for backward.
struct SSDSaved {
    /// Time steps, for each chunk `[H, rows]`: R·H in all.
    let steps: Tensor
    /// Summed decays and their parts lost in rounding, for each chunk `[H, 2, rows]`: 2·R·H in all.
    let decays: Tensor
    /// The decay over a whole chunk: `[chunks, H]`.
    let totals: Tensor
    /// Kept states, at least one for the sake of a shape: `[states, N, H·P]`.
    let states: Tensor

    /// The shapes of its tensors, in their order.
    static func shapes(_ chunks: SSDChunks, _ inputs: SSDInputs) -> [[Int]] {
        let (shape, rows) = (inputs.shape, inputs.segments.rowCount)
        return [
            [rows * shape.heads], [2 * rows * shape.heads], [chunks.all.count, shape.heads],
            [max(1, chunks.stateCount), shape.stateSize, shape.heads * shape.headDimension],
        ]
    }

    init(_ tensors: [Tensor]) {
        (steps, decays, totals, states) = (tensors[0], tensors[1], tensors[2], tensors[3])
    }
}
