import FalconJSON

/// The reason why a `tokenizer.json` cannot be used.
struct TokenizerFault: Error {
    /// The part of the file, for instance "model.type".
    let place: String
    let got: String
    let wanted: String

    func at(_ path: String) -> TokenizerError {
        .unsupported(path: path, part: place, got: got, wanted: wanted)
    }
}

/// A value of a `tokenizer.json`, with its place for messages.
struct TokenizerField {
    let value: JSONValue
    let place: String

    /// A member of an object; null if there is none, or if this is not an object.
    subscript(key: String) -> TokenizerField {
        TokenizerField(
            value: value.object?[key] ?? .null, place: place.isEmpty ? key : "\(place).\(key)")
    }

    var isNull: Bool { value == .null }

    func fault(_ wanted: String) -> TokenizerFault {
        TokenizerFault(place: place, got: shown, wanted: wanted)
    }

    /// The value as a message shows it, shortened.
    private var shown: String {
        switch value {
        case .null: "missing or null"
        case .bool(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .string(let text): text.count > 200 ? "\"\(text.prefix(200))…\"" : "\"\(text)\""
        case .array, .object: value.kindName
        }
    }

    func object() throws(TokenizerFault) -> JSONObject {
        guard let object = value.object else { throw fault("an object") }
        return object
    }

    func elements() throws(TokenizerFault) -> [TokenizerField] {
        guard let array = value.array else { throw fault("a list") }
        return array.enumerated().map {
            TokenizerField(value: $1, place: "\(place)[\($0)]")
        }
    }

    func text() throws(TokenizerFault) -> String {
        guard let text = value.string else { throw fault("a string") }
        return text
    }

    /// True or false; a value that is missing or null counts as `missing`.
    func flag(missing: Bool) throws(TokenizerFault) -> Bool {
        if isNull { return missing }
        guard let flag = value.bool else { throw fault("true or false") }
        return flag
    }

    func wholeNumber(below limit: Int) throws(TokenizerFault) -> Int {
        guard let number = value.integer, number >= 0 && number < limit else {
            throw fault("a whole number from 0 to \(limit - 1)")
        }
        return number
    }

    /// The elements of an object of type "Sequence", those of nested ones in their place; another
    /// object is a sequence of one; null is empty.
    func flattened(_ key: String) throws(TokenizerFault) -> [TokenizerField] {
        if isNull { return [] }
        guard try self["type"].text() == "Sequence" else { return [self] }
        var parts: [TokenizerField] = []
        for element in try self[key].elements() { parts += try element.flattened(key) }
        // More would only cost time: published files have up to five.
        guard parts.count <= 16 else {
            throw TokenizerFault(place: place, got: "\(parts.count) parts", wanted: "at most 16")
        }
        return parts
    }
}
