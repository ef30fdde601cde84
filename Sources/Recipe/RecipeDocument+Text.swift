import FalconSystem

extension RecipeDocument {
    /// The complete recipe as YAML: every value with the place it came from in a comment.
    ///
    /// Reading the text back gives a recipe with the same `digest`.
    ///
    /// - Returns: block style, keys in the order of the defaults, a newline at the end.
    public func resolvedYAML() -> String {
        var lines: [(text: String, comment: String)] = []
        Self.append(root, indentation: "", to: &lines)
        let widest = 60
        let column = min(lines.map(\.text.count).max() ?? 0, widest)
        return lines.map { text, comment in
            guard !comment.isEmpty else { return "\(text)\n" }
            let padding = String(repeating: " ", count: max(0, column - text.count))
            return "\(text)\(padding)  # \(comment)\n"
        }.joined()
    }

    /// The SHA-256 of all values, in hexadecimal.
    ///
    /// Comments, the order of keys, the spelling of numbers and the places where values were
    /// written do not change it.
    public var digest: String {
        var digest = SHA256()
        digest.update(Self.canonical(root))
        return digest.finalizeHex()
    }

    private static func append(
        _ value: RecipeValue, indentation: String, to lines: inout [(text: String, comment: String)]
    ) {
        for entry in value.map?.entries ?? [] {
            append(
                entry.value, after: "\(indentation)\(spelled(entry.key)):",
                indentation: indentation + "  ", to: &lines)
        }
    }

    /// Appends a value whose key, or dash, is `head`.
    private static func append(
        _ value: RecipeValue, after head: String, indentation: String,
        to lines: inout [(text: String, comment: String)]
    ) {
        switch value.content {
        case .scalar(let scalar):
            lines.append(("\(head) \(spelled(scalar))", comment([value.origin])))
        case .map(let map) where map.entries.isEmpty:
            lines.append(("\(head) {}", comment([value.origin])))
        case .map:
            lines.append((head, ""))
            append(value, indentation: indentation, to: &lines)
        case .list(let values) where values.allSatisfy { $0.scalar != nil }:
            let items = values.compactMap { $0.scalar.map(spelled) }.joined(separator: ", ")
            let origins =
                [value.origin] + values.map(\.origin).filter { !isBeside($0, value.origin) }
            lines.append(("\(head) [\(items)]", comment(origins)))
        case .list(let values):
            lines.append((head, ""))
            for item in values { appendItem(item, indentation: indentation, to: &lines) }
        }
    }

    /// A value on one line.
    static func flow(_ value: RecipeValue) -> String {
        switch value.content {
        case .scalar(let scalar): spelled(scalar)
        case .list(let values): "[" + values.map(flow).joined(separator: ", ") + "]"
        case .map(let map):
            "{"
                + map.entries.map { "\(spelled($0.key)): \(flow($0.value))" }
                .joined(separator: ", ") + "}"
        }
    }

    /// Appends an element of a list whose elements are not all single values.
    private static func appendItem(
        _ item: RecipeValue, indentation: String,
        to lines: inout [(text: String, comment: String)]
    ) {
        guard let map = item.map, !map.entries.isEmpty else {
            append(item, after: "\(indentation)-", indentation: indentation + "  ", to: &lines)
            return
        }
        let start = lines.count
        append(item, indentation: indentation + "  ", to: &lines)
        lines[start].text = "\(indentation)- \(lines[start].text.dropFirst(indentation.count + 2))"
    }

    /// Whether two values were written in the same text, so that one place describes both.
    private static func isBeside(_ a: RecipeOrigin, _ b: RecipeOrigin) -> Bool {
        switch (a, b) {
        case (.file(let a, _, _), .file(let b, _, _)): a == b
        case (.shipped(let a, _, _), .shipped(let b, _, _)): a == b
        default: a == b
        }
    }

    private static func comment(_ origins: [RecipeOrigin]) -> String {
        var unique: [RecipeOrigin] = []
        for origin in origins where !unique.contains(origin) { unique.append(origin) }
        return unique.map(\.description).joined(separator: ", ")
            .split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private static func spelled(_ scalar: RecipeScalar) -> String {
        guard scalar.kind == .text else { return scalar.text.isEmpty ? "null" : scalar.text }
        return scalar.isQuoted ? quoted(scalar.text) : spelled(scalar.text)
    }

    /// A text without quotes where that is safe in every position.
    private static func spelled(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { letter in
            letter.isASCII && letter.properties.isAlphabetic || ("0"..."9").contains(letter)
                || "_./-+".unicodeScalars.contains(letter)
        }
        let isText = RecipeScalar(text: text, isQuoted: false).kind == .text
        return isPlain && isText && text.first != "-" ? text : quoted(text)
    }

    /// A text in double quotes, with the escapes that YAML and JSON share.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for letter in text.unicodeScalars {
            switch letter {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where letter.value < 0x20 || letter.value == 0x7f:
                let digits = String(letter.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(letter)
            }
        }
        return result + "\""
    }

    /// The value as JSON with sorted keys and one spelling for each number.
    static func canonical(_ value: RecipeValue) -> String {
        switch value.content {
        case .list(let values):
            return "[\(values.map(canonical).joined(separator: ","))]"
        case .map(let map):
            let entries = map.entries.sorted { $0.key < $1.key }
                .map { "\(quoted($0.key)):\(canonical($0.value))" }
            return "{\(entries.joined(separator: ","))}"
        case .scalar(let scalar):
            switch scalar.kind {
            case .null: return "null"
            case .truth(let truth): return truth ? "true" : "false"
            case .text, .notFinite: return quoted(scalar.text)
            case .integer, .decimal: return canonicalNumber(scalar)
            }
        }
    }

    private static func canonicalNumber(_ scalar: RecipeScalar) -> String {
        let text = scalar.number ?? scalar.text
        if scalar.kind == .integer, let whole = Int(text) { return String(whole) }
        guard let number = Double(text) else { return text }
        return Int(exactly: number).map { String($0) } ?? "\(number)"
    }
}
