// What Python's methods of texts do, where prompts depend on it.

extension Unicode.Scalar {
    /// Whether Python's `str.isspace` holds: Unicode's white space and the four separators of ASCII.
    var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }

    /// Whether Python's `str.isdigit` holds.
    var isPythonDigit: Bool {
        properties.numericType == .decimal || properties.numericType == .digit
    }
}

extension String {
    /// `str.lstrip()`.
    func leftStrippedAsPython() -> String {
        String(String.UnicodeScalarView(unicodeScalars.drop { $0.isPythonSpace }))
    }

    /// `str.rstrip()`.
    func rightStrippedAsPython() -> String {
        var scalars = unicodeScalars[...]
        while let last = scalars.last, last.isPythonSpace { scalars.removeLast() }
        return String(String.UnicodeScalarView(scalars))
    }

    /// `str.strip()`.
    func strippedAsPython() -> String { leftStrippedAsPython().rightStrippedAsPython() }

    /// `str.capitalize()`: the first character in title case, the rest in lower case.
    func capitalizedAsPython() -> String {
        guard let first = unicodeScalars.first else { return self }
        return first.properties.titlecaseMapping
            + String(String.UnicodeScalarView(unicodeScalars.dropFirst())).lowercased()
    }

    /// `str.replace(old, new)`, scalar by scalar, from the left.
    ///
    /// - Parameters:
    ///   - old: not empty.
    ///   - new: stands in its place.
    /// - Returns: the text with all replaced.
    func replacingAsPython(_ old: String, with new: String) -> String {
        let (wanted, source) = (Array(old.utf8), Array(utf8))
        var (result, index) = ([UInt8](), 0)
        result.reserveCapacity(source.count)
        while index < source.count {
            if source[index] == wanted[0], source[index...].starts(with: wanted) {
                result += new.utf8
                index += wanted.count
            } else {
                result.append(source[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// `str.split(old)`: the parts between all occurrences of a text.
    func splitAsPython(_ separator: String) -> [String] {
        let (wanted, source) = (Array(separator.utf8), Array(utf8))
        var (parts, start, index) = ([String](), 0, 0)
        while index < source.count {
            if source[index] == wanted[0], source[index...].starts(with: wanted) {
                parts.append(String(decoding: source[start..<index], as: UTF8.self))
                index += wanted.count
                start = index
            } else {
                index += 1
            }
        }
        return parts + [String(decoding: source[start...], as: UTF8.self)]
    }
}
