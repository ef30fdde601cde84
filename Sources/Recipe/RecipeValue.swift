/// A value of a recipe and its origin.
struct RecipeValue: Sendable {
    enum Content: Sendable {
        case scalar(RecipeScalar)
        case list([RecipeValue])
        case map(RecipeMap)
    }

    var content: Content
    var origin: RecipeOrigin

    var map: RecipeMap? {
        if case .map(let map) = content { map } else { nil }
    }

    var list: [RecipeValue]? {
        if case .list(let list) = content { list } else { nil }
    }

    var scalar: RecipeScalar? {
        if case .scalar(let scalar) = content { scalar } else { nil }
    }

    var isNull: Bool { scalar?.kind == .null }

    /// The value at the end of a path of keys and list positions, if there is one.
    func value(at path: some Sequence<String>) -> RecipeValue? {
        path.reduce(self as RecipeValue?) { $0?.child($1) }
    }

    private func child(_ key: String) -> RecipeValue? {
        switch content {
        case .scalar: nil
        case .list(let values): Int(key).flatMap { values.indices.contains($0) ? values[$0] : nil }
        case .map(let map): map[key]?.value
        }
    }

    /// This value with `overlay` on top: maps are merged, everything else is replaced.
    func merged(with overlay: RecipeValue) -> RecipeValue {
        guard case .map(var merged) = content, case .map(let upper) = overlay.content else {
            return overlay
        }
        for entry in upper.entries {
            guard let lower = merged[entry.key] else {
                merged[entry.key] = entry
                continue
            }
            merged[entry.key] = RecipeMap.Entry(
                key: entry.key, keyOrigin: entry.keyOrigin,
                value: lower.value.merged(with: entry.value))
        }
        return RecipeValue(content: .map(merged), origin: overlay.origin)
    }

    /// This value with `overlay` merged in at the end of a path, unless the path does not exist.
    func merged(with overlay: RecipeValue, at path: ArraySlice<String>) -> RecipeValue {
        guard let key = path.first else { return merged(with: overlay) }
        var result = self
        switch content {
        case .scalar: break
        case .list(var values):
            guard let index = Int(key), values.indices.contains(index) else { break }
            values[index] = values[index].merged(with: overlay, at: path.dropFirst())
            result.content = .list(values)
        case .map(var map):
            guard var entry = map[key] else { break }
            entry.value = entry.value.merged(with: overlay, at: path.dropFirst())
            if path.count == 1 { entry.keyOrigin = overlay.origin }
            map[key] = entry
            result.content = .map(map)
        }
        return result
    }

    /// The paths of all keys and list positions below this value, each from this value.
    var keyPaths: [String] {
        let children: [(String, RecipeValue)] =
            switch content {
            case .scalar: []
            case .list(let values): values.enumerated().map { (String($0), $1) }
            case .map(let map): map.entries.map { ($0.key, $0.value) }
            }
        return children.flatMap { key, value in [key] + value.keyPaths.map { "\(key).\($0)" } }
    }

    /// The words of a message for this value: `text "abc"`, `a list`, `1.5`.
    var summary: String {
        switch content {
        case .list: "a list"
        case .map: "a map of keys"
        case .scalar(let scalar):
            switch scalar.kind {
            case .null: "nothing"
            case .text: "text \"\(scalar.text)\""
            case .truth, .integer, .decimal, .notFinite: scalar.text
            }
        }
    }
}

/// A map of a recipe, in the order in which keys were first written.
struct RecipeMap: Sendable {
    struct Entry: Sendable {
        let key: String
        var keyOrigin: RecipeOrigin
        var value: RecipeValue
    }

    private(set) var entries: [Entry] = []
    /// The place of each key in `entries`.
    private var places: [String: Int] = [:]

    subscript(key: String) -> Entry? {
        get { places[key].map { entries[$0] } }
        set {
            switch (places[key], newValue) {
            case (let place?, let entry?): entries[place] = entry
            case (let place?, nil):
                entries.remove(at: place)
                places[key] = nil
                for later in place..<entries.count { places[entries[later].key] = later }
            case (nil, let entry?):
                places[key] = entries.count
                entries.append(entry)
            case (nil, nil): break
            }
        }
    }
}
