/// A recipe with everything it inherits, in which each value remembers where it was written.
///
/// From the bottom up: the shipped `defaults.yaml`, the chain of `extends`, the recipe itself, and
/// the settings of the command line. Maps are merged key by key; lists and single values replace
/// what lies below.
public struct RecipeDocument: Sendable {
    /// Keys that mean the same thing in different units: writing one turns the inherited ones off.
    static let alternatives = [["train.tokens", "train.steps"]]

    let root: RecipeValue

    /// Reads a recipe, the recipes that it extends, and settings on top.
    ///
    /// - Parameters:
    ///   - recipe: a path if such a file exists, else the name of a recipe in `library`, with or
    ///     without `.yaml`.
    ///   - settings: `key.path=value` each, applied in order; the value is YAML and the key must
    ///     exist. A list element is reached by its number: `optimizer.betas.1=0.99`.
    ///   - library: the recipes that can be named without a path.
    /// - Throws: `RecipeError` if the text is wrong; `FileError` for an unreadable file.
    public init(
        recipe: String, settings: [String] = [], library: RecipeLibrary = .shipped
    ) throws {
        let loader = RecipeLoader(library: library)
        let source = try loader.source(named: recipe)
        try self.init(layers: loader.layers(from: source), settings: settings)
    }

    /// Reads a recipe from a text; it inherits like a file in the current folder.
    ///
    /// - Parameters:
    ///   - yaml: the recipe.
    ///   - name: the name of the text in messages.
    ///   - settings: `key.path=value` each, applied in order.
    ///   - library: the recipes that can be named without a path.
    /// - Throws: `RecipeError` if the text is wrong; `FileError` for an unreadable file.
    public init(
        yaml: String, name: String, settings: [String] = [], library: RecipeLibrary = .shipped
    ) throws {
        let loader = RecipeLoader(library: library)
        let layers = try loader.layers(from: .file(path: name, text: yaml))
        try self.init(layers: layers, settings: settings)
    }

    /// Merges layers, lowest first, and settings.
    private init(layers: [RecipeValue], settings: [String]) throws(RecipeError) {
        let empty = RecipeValue(
            content: .map(RecipeMap()),
            origin: .shipped(name: RecipeLibrary.defaultsName, line: 1, column: 1))
        let merged = layers.reduce(empty) { root, layer in
            Self.turningOffAlternatives(in: root.merged(with: layer), writtenBy: layer)
        }
        self = try RecipeDocument(root: merged).applying(settings)
    }

    init(root: RecipeValue) { self.root = root }

    /// The recipe with values overridden.
    ///
    /// - Parameter settings: `key.path=value` each, applied in order.
    /// - Returns: the changed recipe.
    /// - Throws: `RecipeError` for keys that the recipe does not have.
    public func applying(_ settings: [String]) throws(RecipeError) -> RecipeDocument {
        var root = root
        var problems: [RecipeError.Problem] = []
        for setting in settings {
            do {
                let (path, value) = try Self.parse(setting: setting, below: root)
                let position = root.origin
                root = root.merged(with: value, at: path[...])
                root.origin = position
                let layer = path.reversed().reduce(value) { value, key in
                    var map = RecipeMap()
                    map[key] = RecipeMap.Entry(key: key, keyOrigin: value.origin, value: value)
                    return RecipeValue(content: .map(map), origin: value.origin)
                }
                root = Self.turningOffAlternatives(in: root, writtenBy: layer)
            } catch {
                problems += error.problems
            }
        }
        guard problems.isEmpty else { throw RecipeError(problems) }
        return RecipeDocument(root: root)
    }

    /// Sets to null the alternatives of each key that a layer wrote, unless it wrote them too.
    private static func turningOffAlternatives(
        in root: RecipeValue, writtenBy layer: RecipeValue
    ) -> RecipeValue {
        var root = root
        for group in alternatives.map({ $0.map { $0.split(separator: ".").map(String.init) } }) {
            let written = group.compactMap { layer.value(at: $0) }.filter { !$0.isNull }
            guard let winner = written.first else { continue }
            for path in group where layer.value(at: path) == nil {
                let off = RecipeScalar(text: "null", isQuoted: false)
                let value = RecipeValue(content: .scalar(off), origin: winner.origin)
                root = root.merged(with: value, at: path[...])
            }
        }
        return root
    }

    /// Reads `key.path=value`.
    private static func parse(
        setting: String, below root: RecipeValue
    ) throws(RecipeError) -> (path: [String], value: RecipeValue) {
        let origin = RecipeOrigin.setting(setting)
        guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
            throw RecipeError(
                origin, "", "wanted key.path=value, for example train.batch_tokens=65536")
        }
        let keyPath = String(setting[..<equals])
        let path = keyPath.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard root.value(at: path) != nil else {
            throw RecipeError(
                origin, keyPath,
                "no such key in the recipe" + KeyNames.advice(for: path, in: root))
        }
        let text = String(setting[setting.index(after: equals)...])
        let parsed = try RecipeParser(origin: { _, _ in origin }).parse(text)
        // An empty text is null, not an empty map.
        let nothing = RecipeValue(
            content: .scalar(RecipeScalar(text: "", isQuoted: false)), origin: origin)
        return (path, parsed.map?.entries.isEmpty == true && !text.contains("{") ? nothing : parsed)
    }

    /// The paths of all keys, sections and list elements included, in the order of the recipe.
    public var keyPaths: [String] { root.keyPaths }

    /// Whether a value was written for this recipe: by itself, a recipe it extends, or a setting.
    ///
    /// - Parameter keyPath: from the root, such as `model.hidden_size`.
    /// - Returns: false for the program's defaults, and where there is no such key.
    public func isWritten(_ keyPath: String) -> Bool {
        let path = keyPath.split(separator: ".").map(String.init)
        return root.value(at: path).map { !$0.origin.isDefault } ?? false
    }

    /// The whole recipe as a type, strictly: all its problems are reported at once.
    ///
    /// - Parameter type: any `Decodable`; see `RecipeSection` for what the decoder checks.
    /// - Returns: the decoded value.
    /// - Throws: `RecipeError` with every unknown or missing key, wrong type and impossible value.
    public func decode<T: Decodable>(_ type: T.Type) throws(RecipeError) -> T {
        try decode(type, from: root, at: [])
    }

    /// One section of the recipe as a type, strictly.
    ///
    /// - Parameters:
    ///   - type: any `Decodable`.
    ///   - keyPath: from the root: `model` or `optimizer.groups`.
    /// - Returns: the decoded value.
    /// - Throws: `RecipeError` with all problems of this section, or if there is none.
    public func decode<T: Decodable>(
        _ type: T.Type, at keyPath: String
    ) throws(RecipeError) -> T {
        let path = keyPath.split(separator: ".").map(String.init)
        guard let value = root.value(at: path) else {
            throw RecipeError(root.origin, keyPath, "missing: add it to the recipe")
        }
        return try decode(type, from: value, at: path)
    }

    private func decode<T: Decodable>(
        _ type: T.Type, from value: RecipeValue, at path: [String]
    ) throws(RecipeError) -> T {
        let log = DecodingLog(root: root)
        let position = value.origin.isDefault ? root.origin : value.origin
        let decoder = RecipeDecoder(
            value: value, codingPath: path.map { RecipeKey($0) }, position: position, log: log)
        let decoded = try? decoder.decodeValue(type)
        if let decoded, log.problems.isEmpty { return decoded }
        throw RecipeError(log.sortedProblems)
    }
}
