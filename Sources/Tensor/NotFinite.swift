import CKernels

#if canImport(Glibc)
    import Glibc
#endif

/// The first place in a list with an infinity or NaN.
///
/// - Parameter values: any values.
/// - Returns: the first place; nil if all are finite.
package func firstNotFinite(in values: Span<Float>) -> Int? {
    let place = values.withUnsafeBufferPointer { fk_first_not_finite($0.baseAddress, $0.count) }
    return place < values.count ? place : nil
}

/// Whether two lists hold the same bits.
///
/// - Parameters:
///   - first: any values.
///   - second: any values.
/// - Returns: true if their counts and bits are equal.
package func haveSameBits(_ first: Span<Float>, _ second: Span<Float>) -> Bool {
    first.count == second.count
        && first.withUnsafeBytes { a in
            second.withUnsafeBytes { b in
                a.elementsEqual(b)
            }
        }
}
