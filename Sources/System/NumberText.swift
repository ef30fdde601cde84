/// A number with a fixed count of decimals, whatever the number is.
///
/// Numbers that are not finite are `nan`, `inf` and `-inf`; those too large for exact decimals have
/// a power of ten: `1.23e45`.
///
/// - Parameters:
///   - value: any number.
///   - places: decimals after the point, 0 to 15.
/// - Returns: the text, rounded half away from zero.
public func decimal(_ value: Double, places: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = (value * scale).rounded()
    // Beyond 2^53 a double has no decimals left to show.
    guard abs(scaled) < 0x1p53 else { return decimalWithExponent(value, places: places) }
    let digits = String(Int(abs(scaled)))
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    let sign = scaled < 0 ? "-" : ""
    return places == 0
        ? sign + padded : "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
}

/// A large finite number as mantissa and power of ten.
private func decimalWithExponent(_ value: Double, places: Int) -> String {
    var (mantissa, exponent) = (value, 0)
    while abs(mantissa) >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
    let digits = decimal(mantissa, places: places)
    // 9.999 is rounded to 10.00.
    return digits.drop { $0 == "-" }.hasPrefix("10")
        ? decimal(mantissa / 10, places: places) + "e\(exponent + 1)" : digits + "e\(exponent)"
}

/// The nearest whole number, for any number.
///
/// - Parameter value: any number.
/// - Returns: rounded half away from zero; the nearest `Int` beyond its range; 0 for NaN.
public func wholeNumber(_ value: Double) -> Int {
    let rounded = value.rounded()
    if let exact = Int(exactly: rounded) { return exact }
    return rounded.isNaN ? 0 : rounded < 0 ? .min : .max
}
