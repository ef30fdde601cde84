/// Bytes in millions: "12.3 MB".
///
/// - Parameter bytes: any number.
/// - Returns: the text, one decimal.
public func megabytes(_ bytes: Int) -> String { decimal(Double(bytes) / 1e6, places: 1) + " MB" }

/// A count with its digits in groups of three: "12,185,751".
///
/// - Parameter count: any number.
/// - Returns: the text.
public func grouped(_ count: Int) -> String {
    var text = ""
    for (place, digit) in String(count.magnitude).reversed().enumerated() {
        if place > 0 && place % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return (count < 0 ? "-" : "") + String(text.reversed())
}

/// Seconds as "1h02m", "3m20s" or "12s".
///
/// - Parameter seconds: negative numbers count as 0.
/// - Returns: the text, whole seconds or minutes.
public func duration(_ seconds: Double) -> String {
    let whole = wholeNumber(max(0, seconds))
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if whole >= 3600 { return "\(whole / 3600)h\(two(whole % 3600 / 60))m" }
    if whole >= 60 { return "\(whole / 60)m\(two(whole % 60))s" }
    return "\(whole)s"
}

/// A number with one digit before the point and a power of ten: "6.62e13".
///
/// - Parameters:
///   - value: any number; one that is not positive and finite is written as Swift does.
///   - places: decimals after the point, 0 to 15.
/// - Returns: the text.
public func scientific(_ value: Double, places: Int) -> String {
    guard value.isFinite, value > 0 else { return "\(value)" }
    var (mantissa, exponent) = (value, 0)
    while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
    let digits = decimal(mantissa, places: places)
    // 9.999 is rounded to 10.00.
    return digits.hasPrefix("10")
        ? decimal(1, places: places) + "e\(exponent + 1)" : digits + "e\(exponent)"
}
