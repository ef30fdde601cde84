/// A value that two recipes disagree on.
public struct RecipeDifference: Equatable, Sendable, CustomStringConvertible {
    /// From the root: `optimizer.learning_rate`.
    public let keyPath: String
    /// The value of the older recipe, as YAML on one line; nil if it has no such key.
    public let old: String?
    /// The value of the newer recipe; nil if it has no such key.
    public let new: String?

    /// The line shown to a person.
    public var description: String {
        "\(keyPath): was \(old ?? "absent"), now \(new ?? "absent")"
    }
}

extension RecipeDocument {
    /// The values that differ from another recipe's, by key path.
    ///
    /// Values are compared, not texts: comments, the order of keys and the spelling of numbers do not
    /// count.
    ///
    /// - Parameter old: the older recipe.
    /// - Returns: single values and lists of them, in the order of this recipe.
    public func differences(from old: RecipeDocument) -> [RecipeDifference] {
        Self.differences(old.root, root, at: "")
    }

    private static func differences(
        _ old: RecipeValue?, _ new: RecipeValue?, at path: String
    ) -> [RecipeDifference] {
        func below(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
        if let oldMap = old?.map, let newMap = new?.map {
            let keys = newMap.entries.map(\.key)
            let gone = oldMap.entries.map(\.key).filter { newMap[$0] == nil }
            return (keys + gone).flatMap {
                differences(oldMap[$0]?.value, newMap[$0]?.value, at: below($0))
            }
        }
        if let oldList = old?.list, let newList = new?.list, oldList.count == newList.count,
            newList.contains(where: { $0.scalar == nil })
        {
            return newList.indices.flatMap {
                differences(oldList[$0], newList[$0], at: below("\($0)"))
            }
        }
        if let old, let new, canonical(old) == canonical(new) { return [] }
        return [RecipeDifference(keyPath: path, old: old.map(flow), new: new.map(flow))]
    }
}

extension RecipeDocument {
    /// Reads the output of `resolvedYAML()`; values remember the places that its comments name.
    ///
    /// - Parameters:
    ///   - text: a resolved recipe. Keys added to the program since get their defaults.
    ///   - name: the name of the text in messages.
    ///   - settings: `key.path=value` each, applied in order.
    ///   - library: the recipes that can be named without a path.
    /// - Throws: `RecipeError` if the text is wrong.
    public init(
        resolvedYAML text: String, name: String, settings: [String] = [],
        library: RecipeLibrary = .shipped
    ) throws {
        let read = try RecipeDocument(yaml: text, name: name, library: library)
        let comments = text.split(separator: "\n", omittingEmptySubsequences: false).map(comment)
        let root = read.root.mappingOrigins { origin in
            guard case .file(name, let line, _) = origin, comments.indices.contains(line - 1),
                let comment = comments[line - 1]
            else { return origin }
            return .recorded(comment)
        }
        self = try RecipeDocument(root: root).applying(settings)
    }
}

/// The comment of a line: the text after the first "  # " that is not in quotes.
private func comment(_ line: Substring) -> String? {
    let mark = Array("  # ".utf8)
    let bytes = Array(line.utf8)
    var (place, isQuoted) = (0, false)
    while place + mark.count <= bytes.count {
        if !isQuoted && bytes[place..<place + mark.count].elementsEqual(mark) {
            return String(decoding: bytes[(place + mark.count)...], as: UTF8.self)
        }
        if bytes[place] == UInt8(ascii: "\"") { isQuoted.toggle() }
        place += isQuoted && bytes[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    return nil
}

extension RecipeValue {
    /// The same values with other origins.
    func mappingOrigins(_ transform: (RecipeOrigin) -> RecipeOrigin) -> RecipeValue {
        var result = self
        result.origin = transform(origin)
        switch content {
        case .scalar: break
        case .list(let values):
            result.content = .list(values.map { $0.mappingOrigins(transform) })
        case .map(var map):
            for entry in map.entries {
                map[entry.key] = RecipeMap.Entry(
                    key: entry.key, keyOrigin: transform(entry.keyOrigin),
                    value: entry.value.mappingOrigins(transform))
            }
            result.content = .map(map)
        }
        return result
    }
}
