import FalconTensor

/// The memory that a segment continues.
public struct SegmentMemory {
    /// The memory of the tokens before the segment.
    public let state: GenerationState
    /// Whether the memory is moved past the segment; otherwise several segments may continue it.
    public let advances: Bool

    /// The memory of a segment.
    ///
    /// - Parameters:
    ///   - state: the memory of the tokens before it.
    ///   - advances: whether the memory is moved past the segment.
    public init(_ state: GenerationState, advances: Bool = true) {
        self.state = state
        self.advances = advances
    }
}

/// What the segments of a pass continue in one layer.
struct LayerMemory {
    /// For each segment.
    private let parts: [(layer: GenerationState.Layer, advances: Bool)?]
    private let segments: Segments
    private let device: Device

    /// The memory of a layer.
    ///
    /// - Parameters:
    ///   - pass: the pass; its memories are not empty.
    ///   - index: the number of the layer.
    ///   - device: the device to run on.
    init(_ pass: ForwardPass, layer index: Int, on device: Device) {
        parts = pass.memories.map { memory in
            memory.map { ($0.state.layers[index], $0.advances) }
        }
        segments = pass.segments
        self.device = device
    }

    /// For each segment, the rows before it that the convolution sees.
    var convolutionHistories: [Tensor?] { parts.map { $0?.layer.convHistory } }

    /// For each segment, the states of the scan before and after it.
    var scanStates: [SegmentState] {
        parts.map { part in
            SegmentState(
                before: part?.layer.ssmState,
                after: part?.advances == true ? part?.layer.ssmState : nil)
        }
    }

    /// Keeps the last rows that the convolution has seen.
    func extendConvolution(_ x: Tensor) {
        for (part, rows) in zip(parts, segments.ranges) where part?.advances == true {
            part?.layer.extendConvolution(x.rows(rows), on: device)
        }
    }

    /// The keys and values that each segment sees: those remembered and its own.
    func keyValues(key: Tensor, value: Tensor) -> [KeyValues] {
        zip(parts, segments.ranges).map { part, rows in
            let (k, v) = (key.rows(rows), value.rows(rows))
            guard let (layer, advances) = part else { return KeyValues(key: k, value: v) }
            return layer.extendKeys(k, v, advances: advances, on: device)
        }
    }
}
