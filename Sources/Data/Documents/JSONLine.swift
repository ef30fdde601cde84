import FalconJSON

/// The reason why a line is not a JSON object with the wanted text, and the place.
struct JSONLineFault: Error, Equatable {
    let message: String
    /// The byte of the line, from 0; nil where the whole line is meant.
    var offset: Int?
    /// Whether the line ends before the object does.
    var isCutShort = false
}

/// Takes one text out of a line of JSON, and scans the rest only to find its end.
///
/// Only the structure of unwanted values needs to be JSON: `NaN`, `Infinity`, halves of surrogate
/// pairs and any escapes are passed over there. Memory is the text's own; depth costs a byte per
/// level.
///
/// - Complexity: linear in the line.
struct JSONLine {
    /// Deeper nesting is refused.
    static let deepestNesting = 10_000

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The text of a field of the object.
    ///
    /// - Parameter field: the key, or keys of objects within each other with dots between.
    /// - Returns: the text, escapes resolved.
    /// - Throws: `JSONLineFault` for what is no object, lacks the field, has it twice, or holds something
    ///   else in it.
    mutating func text(ofField field: String) throws(JSONLineFault) -> String {
        skipBlanks()
        guard next == UInt8(ascii: "{") else {
            if next == nil { throw JSONLineFault(message: "the line is blank") }
            let kind = kindOfValue
            var rest = self
            // Not even a value: say what is wrong with it.
            try rest.skipValue()
            throw JSONLineFault(message: "not a JSON object but \(kind)")
        }
        var found: String?
        try readObject(Array(field.utf8)[...], of: field, into: &found)
        skipBlanks()
        guard position == bytes.count else {
            throw fault("more after the end of the object; want one object per line")
        }
        guard let found else {
            throw JSONLineFault(
                message: "no field \"\(field)\" (there is: \(keys().joined(separator: ", "))); "
                    + "name the right one with --field")
        }
        return found
    }

    /// Reads over an object, and takes the wanted text.
    ///
    /// Keys may have dots themselves.
    private mutating func readObject(
        _ path: ArraySlice<UInt8>, of field: String, into found: inout String?
    ) throws(JSONLineFault) {
        position += 1
        skipBlanks()
        if skip("}") { return }
        while true {
            skipBlanks()
            let start = position
            let key = try readKey()
            skipBlanks()
            if key[...] == path {
                guard found == nil else {
                    throw fault("\"\(field)\" occurs twice in the object", at: start)
                }
                guard next == UInt8(ascii: "\"") else {
                    let kind = kindOfValue
                    try skipValue()
                    throw JSONLineFault(message: "field \"\(field)\" is not a string but \(kind)")
                }
                found = try readString()
            } else if next == UInt8(ascii: "{"), path.count > key.count,
                path.starts(with: key + [UInt8(ascii: ".")])
            {
                try readObject(path.dropFirst(key.count + 1), of: field, into: &found)
            } else {
                try skipValue()
            }
            skipBlanks()
            if skip("}") { return }
            guard skip(",") else { throw fault("expected ',' or '}'") }
        }
    }

    /// Reads over one value with blanks around it, to the end of the line.
    mutating func skipWhole() throws(JSONLineFault) {
        try skipValue()
        skipBlanks()
        guard position == bytes.count else { throw fault("more after the end of the value") }
    }

    /// The keys of an object that is known to be whole.
    private func keys() -> [String] {
        var reader = JSONLine(bytes)
        var keys: [String] = []
        reader.skipBlanks()
        reader.position += 1
        while true {
            reader.skipBlanks()
            guard let key = try? reader.readKey(), (try? reader.skipValue()) != nil else { break }
            keys.append(String(decoding: key, as: UTF8.self))
            reader.skipBlanks()
            guard reader.skip(",") else { break }
        }
        // Messages stay short whatever the line is.
        let shown = keys.prefix(20).map { String($0.unicodeScalars.prefix(40)) }.sorted()
        return keys.count > 20 ? shown + ["..."] : shown
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private var kindOfValue: String {
        switch next {
        case UInt8(ascii: "{"): "an object"
        case UInt8(ascii: "["): "a list"
        case UInt8(ascii: "\""): "a string"
        case UInt8(ascii: "t"), UInt8(ascii: "f"): "true or false"
        case UInt8(ascii: "n"): "null"
        default: "a number"
        }
    }

    private func fault(_ message: String, at place: Int? = nil) -> JSONLineFault {
        JSONLineFault(
            message: place ?? position >= bytes.count ? "the line ends inside the object" : message,
            offset: place ?? position, isCutShort: place ?? position >= bytes.count)
    }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            position += 1
        }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipValue() throws(JSONLineFault) {
        var open: [UInt8] = []
        value: while true {
            skipBlanks()
            switch next {
            case UInt8(ascii: "{"):
                position += 1
                skipBlanks()
                if !skip("}") {
                    open.append(UInt8(ascii: "{"))
                    _ = try readKey()
                    try checkDepth(open)
                    continue value
                }
            case UInt8(ascii: "["):
                position += 1
                skipBlanks()
                if !skip("]") {
                    open.append(UInt8(ascii: "["))
                    try checkDepth(open)
                    continue value
                }
            case UInt8(ascii: "\""): try skipString()
            default: try skipWordOrNumber()
            }
            while let top = open.last {
                skipBlanks()
                if skip(",") {
                    skipBlanks()
                    if top == UInt8(ascii: "{") { _ = try readKey() }
                    continue value
                }
                guard skip(top == UInt8(ascii: "{") ? "}" : "]") else {
                    throw fault("expected ',' or '\(top == UInt8(ascii: "{") ? "}" : "]")'")
                }
                open.removeLast()
            }
            return
        }
    }

    private func checkDepth(_ open: [UInt8]) throws(JSONLineFault) {
        if open.count > Self.deepestNesting {
            throw fault("nested deeper than \(Self.deepestNesting) levels")
        }
    }

    /// Reads a key and the colon after it.
    private mutating func readKey() throws(JSONLineFault) -> [UInt8] {
        guard next == UInt8(ascii: "\"") else { throw fault("expected a key in quotes") }
        let start = position + 1
        try skipString()
        var key = Array(bytes[start..<position - 1])
        if key.contains(UInt8(ascii: "\\")) {
            var reader = self
            reader.position = start - 1
            if let text = try? reader.readString() { key = Array(text.utf8) }
        }
        skipBlanks()
        guard skip(":") else { throw fault("expected ':' after a key") }
        return key
    }

    private mutating func skipString() throws(JSONLineFault) {
        position += 1
        while let byte = next {
            position += 1
            if byte == UInt8(ascii: "\"") { return }
            if byte == UInt8(ascii: "\\") { position += 1 }
            if byte < 0x20 {
                throw fault("a control character in a string", at: position - 1)
            }
        }
        position = min(position, bytes.count)
        throw fault("the line ends inside a string")
    }

    private static let words = ["true", "false", "null", "NaN", "Infinity", "-Infinity"].map {
        Array($0.utf8)
    }

    private mutating func skipWordOrNumber() throws(JSONLineFault) {
        for word in Self.words where bytes[position...].starts(with: word) {
            position += word.count
            return
        }
        _ = skip("-")
        try skipDigits()
        if skip(".") { try skipDigits() }
        if skip("e") || skip("E") {
            if !skip("+") { _ = skip("-") }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws(JSONLineFault) {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw fault("expected a value or a digit") }
    }

    private mutating func readString() throws(JSONLineFault) -> String {
        let start = position
        try skipString()
        let content = bytes[start + 1..<position - 1]
        guard content.contains(UInt8(ascii: "\\")) else {
            guard let text = String(validating: content, as: UTF8.self) else {
                throw fault("a string that is not UTF-8", at: start)
            }
            return text
        }
        do { return try JSONValue.string(in: bytes, at: start) } catch {
            throw fault(error.message, at: error.offset)
        }
    }
}
