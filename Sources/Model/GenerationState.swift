import FalconTensor

/// A model's memory of the tokens before, for one sequence: keys and values, the convolution's last
/// rows, and the state of the scan.
///
/// Keys and values grow with the tokens; the rest has a fixed size.
public final class GenerationState {
    /// One layer's memory.
    final class Layer {
        private var keys: Tensor?
        private var values: Tensor?
        private var keyCount = 0
        private(set) var convHistory: Tensor?
        let ssmState: Tensor?

        private init(_ ssmState: Tensor?, _ convHistory: Tensor?) {
            self.ssmState = ssmState
            self.convHistory = convHistory
        }

        /// The memory of a layer before the first token.
        ///
        /// - Parameters:
        ///   - convolution: the shape of a convolution's last rows, `[K−1, C]`; nil for none.
        ///   - scan: the shape of the state of a scan; nil for none.
        ///   - device: the device to run on.
        init(convolution: [Int]?, scan: [Int]?, on device: Device) {
            convHistory = convolution.flatMap { $0[0] > 0 ? device.zeros($0) : nil }
            ssmState = scan.map { device.zeros($0) }
        }

        /// Bytes of the memory; for keys and values, only those of the tokens seen.
        var byteCount: Int {
            let width = (keys?.columnCount ?? 0) + (values?.columnCount ?? 0)
            let count = keyCount * width + (convHistory?.count ?? 0) + (ssmState?.count ?? 0)
            return count * MemoryLayout<Float>.stride
        }

        /// A copy, to be continued apart.
        ///
        /// - Parameters:
        ///   - room: rows of keys to make room for behind those seen.
        ///   - device: the device to run on.
        /// - Returns: memory that is independent of this one.
        func copy(room: Int, on device: Device) -> Layer {
            let copy = Layer(ssmState.map(device.copy), convHistory)
            copy.keyCount = keyCount
            copy.keys = keys.map {
                grown($0, to: keyCount + room, width: $0.columnCount, on: device)
            }
            copy.values = values.map {
                grown($0, to: keyCount + room, width: $0.columnCount, on: device)
            }
            return copy
        }

        /// Keys and values of the tokens seen and of new rows behind them.
        ///
        /// - Parameters:
        ///   - k: the keys of the new rows.
        ///   - v: their values.
        ///   - advances: whether the new rows are remembered.
        ///   - device: the device to run on.
        /// - Returns: all of them.
        func extendKeys(_ k: Tensor, _ v: Tensor, advances: Bool, on device: Device) -> KeyValues {
            let count = keyCount + k.rowCount
            var (keys, values) = (keys, values)
            if !advances || (keys?.rowCount ?? 0) < count {
                let capacity = advances ? max(count, 2 * keyCount, 64) : count
                keys = grown(keys, to: capacity, width: k.columnCount, on: device)
                values = grown(values, to: capacity, width: v.columnCount, on: device)
            }
            guard let keys, let values else { preconditionFailure("no room for keys") }
            device.backend.copy(from: k, to: keys.rows(keyCount..<count), scale: 1)
            device.backend.copy(from: v, to: values.rows(keyCount..<count), scale: 1)
            if advances { (self.keys, self.values, keyCount) = (keys, values, count) }
            return KeyValues(key: keys.rows(0..<count), value: values.rows(0..<count))
        }

        private func grown(_ old: Tensor?, to capacity: Int, width: Int, on device: Device)
            -> Tensor
        {
            let new = device.empty([capacity, width])
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

    /// Bytes of the memory; for keys and values, only those of the tokens seen.
    public var byteCount: Int { layers.reduce(0) { $0 + $1.byteCount } }

    /// The memory of some layers, none of which has seen a token.
    init(_ layers: [Layer]) { self.layers = layers }

    /// A copy, to be continued apart.
    ///
    /// - Parameters:
    ///   - room: tokens to make room for behind those seen.
    ///   - device: the device to run on.
    /// - Returns: memory that is independent of this one.
    public func copy(room: Int = 0, on device: Device) -> GenerationState {
        let copy = GenerationState(layers.map { $0.copy(room: room, on: device) })
        copy.position = position
        return copy
    }
}
