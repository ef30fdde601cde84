import FalconTensor

/// What a model remembers of the tokens before: keys and values, the convolution's last rows, and the
/// state of the scan, for one sequence.
public final class GenerationState {
    /// One layer's memory.
    final class Layer {
        private var keys: Tensor?
        private var values: Tensor?
        private var keyCount = 0
        private(set) var convHistory: Tensor?
        let ssmState: Tensor?

        init(_ configuration: FalconH1Configuration, on device: Device) {
            guard configuration.hasSSM else {
                (convHistory, ssmState) = (nil, nil)
                return
            }
            convHistory =
                configuration.mambaDConv > 1
                ? device.zeros([configuration.mambaDConv - 1, configuration.convChannels]) : nil
            ssmState = device.zeros(
                [configuration.mambaNHeads, configuration.mambaDHead, configuration.mambaDState])
        }

        /// Appends keys and values and returns all of them.
        func extendKeys(_ k: Tensor, _ v: Tensor, on device: Device) -> (Tensor, Tensor) {
            let count = keyCount + k.rowCount
            if (keys?.rowCount ?? 0) < count {
                let capacity = max(count, 2 * keyCount, 64)
                keys = grown(keys, to: capacity, width: k.columnCount, on: device)
                values = grown(values, to: capacity, width: v.columnCount, on: device)
            }
            guard let keys, let values else { preconditionFailure("no room for keys") }
            device.backend.copy(from: k, to: keys.rows(keyCount..<count), scale: 1)
            device.backend.copy(from: v, to: values.rows(keyCount..<count), scale: 1)
            keyCount = count
            return (keys.rows(0..<count), values.rows(0..<count))
        }

        private func grown(_ old: Tensor?, to capacity: Int, width: Int, on device: Device)
            -> Tensor
        {
            let new = device.zeros([capacity, width])
            if let old, keyCount > 0 {
                device.backend.copy(
                    from: old.rows(0..<keyCount), to: new.rows(0..<keyCount), scale: 1)
            }
            return new
        }

        /// Keeps the last K−1 rows seen by the convolution.
        func extendConvolution(_ x: Tensor, on device: Device) {
            guard let history = convHistory else { return }
            let kept = history.rowCount
            let next = device.empty(history.shape)
            let fresh = min(kept, x.rowCount)
            if fresh < kept {
                device.backend.copy(
                    from: history.rows(fresh..<kept), to: next.rows(0..<kept - fresh), scale: 1)
            }
            device.backend.copy(
                from: x.rows(x.rowCount - fresh..<x.rowCount), to: next.rows(kept - fresh..<kept),
                scale: 1)
            convHistory = next
        }
    }

    let layers: [Layer]
    /// The number of tokens seen.
    public internal(set) var position = 0

    /// The memory before the first token.
    ///
    /// - Parameters:
    ///   - configuration: of the model.
    ///   - device: where the model runs.
    public init(_ configuration: FalconH1Configuration, on device: Device) {
        layers = (0..<configuration.numHiddenLayers).map { _ in Layer(configuration, on: device) }
    }
}
