#if canImport(Glibc)
    import Glibc
#endif

extension SweepRange {
    /// The number at a share of the way from `low` to `high`.
    func value(at share: Double) -> Double {
        switch scale {
        case .linear: low + share * (high - low)
        case .log: exp(log(low) + share * (log(high) - log(low)))
        }
    }
}
