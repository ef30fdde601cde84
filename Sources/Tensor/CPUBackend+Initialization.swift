import CKernels

#if canImport(Glibc)
    import Glibc
#endif

/// New weights: every number is a function of the key and its place.
extension CPUBackend {
    /// Random numbers per piece.
    private static let randomGrain = 1 << 14

    package func initialize(_ y: Tensor, _ initialization: Initialization, key: UInt64) {
        switch initialization {
        case .zeros: fill(y, with: 0)
        case .ones: fill(y, with: 1)
        case .constant(let value): fill(y, with: value)
        case .normal(let deviation, let zeroRow):
            fillNormal(y, key: key, deviation: deviation)
            if let zeroRow { fill(y.rows(zeroRow..<zeroRow + 1), with: 0) }
        case .uniform(let low, let high):
            fillUniform(y, key: key) { Double(low) + $0 * Double(high - low) }
        case .logUniform(let low, let high):
            fillUniform(y, key: key) { log(Double(low) + $0 * Double(high - low)) }
        case .logOfIndex:
            let width = y.columnCount
            fill(y) { log(Double($0 % width + 1)) }
        case .inverseSoftplusLogUniform(let low, let high, let floor):
            fillUniform(y, key: key) { uniform in
                let (first, last) = (log(Double(low)), log(Double(high)))
                let step = max(exp(first + uniform * (last - first)), Double(floor))
                return step + log(-expm1(-step))
            }
        }
    }

    /// y[i] = deviation · the i-th normal number of a stream.
    private func fillNormal(_ y: Tensor, key: UInt64, deviation: Float) {
        let pointer = flatPointer(y)
        pool.ranges(y.count, grain: Self.randomGrain) { _, range in
            let start = pointer + range.lowerBound
            fk_random_normal(start, range.count, key, UInt64(range.lowerBound))
            fk_scale(start, range.count, deviation)
        }
    }

    /// y[i] = transform(the i-th uniform number of a stream).
    private func fillUniform(_ y: Tensor, key: UInt64, _ transform: (Double) -> Double) {
        let pointer = flatPointer(y)
        pool.ranges(y.count, grain: Self.randomGrain) { _, range in
            fk_random_uniform(
                pointer + range.lowerBound, range.count, key, UInt64(range.lowerBound))
        }
        fill(y) { transform(Double(pointer[$0])) }
    }

    /// y[i] = value(i).
    private func fill(_ y: Tensor, _ value: (Int) -> Double) {
        let pointer = flatPointer(y)
        pool.ranges(y.count, grain: Self.randomGrain) { _, range in
            for place in range { pointer[place] = Float(value(place)) }
        }
    }

    private func flatPointer(_ y: Tensor) -> UnsafeMutablePointer<Float> {
        precondition(y.isContiguous, "initialize: \(y.shape) has gaps")
        return y.pointer
    }
}
