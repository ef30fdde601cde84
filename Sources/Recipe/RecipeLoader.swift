import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// Finds recipes and follows `extends`.
struct RecipeLoader {
    /// A recipe's text and its place.
    enum Source {
        case file(path: String, text: String)
        case shipped(name: String, text: String)

        /// The name in messages.
        var name: String {
            switch self {
            case .file(let path, _): path
            case .shipped(let name, _): "shipped \(name)"
            }
        }

        var text: String {
            switch self {
            case .file(_, let text), .shipped(_, let text): text
            }
        }

        func origin(_ line: Int, _ column: Int) -> RecipeOrigin {
            switch self {
            case .file(let path, _): .file(path: path, line: line, column: column)
            case .shipped(let name, _): .shipped(name: name, line: line, column: column)
            }
        }
    }

    static let extendsKey = "extends"
    private static let architecturePath = ["model", "architecture"]

    let library: RecipeLibrary

    /// The recipe of a command line argument.
    func source(named recipe: String) throws -> Source {
        if let text = try text(ofFile: recipe) { return .file(path: recipe, text: text) }
        if let (name, text) = library.recipe(named: recipe) {
            return .shipped(name: name, text: text)
        }
        throw RecipeError([
            RecipeError.Problem(
                origin: nil, keyPath: "", message: "\(recipe): \(notFound(recipe))")
        ])
    }

    /// The trees of a recipe and of the recipes that it extends, lowest first.
    func layers(from source: Source) throws -> [RecipeValue] {
        var layers: [RecipeValue] = []
        var chain: [String] = []
        var identities: Set<String> = []
        var next: Source? = source
        while let current = next {
            next = nil
            chain.append(current.name)
            let identity = identity(of: current)
            var layer = try RecipeParser(origin: current.origin).parse(current.text)
            guard var map = layer.map else {
                throw RecipeError(
                    layer.origin, "", "got \(layer.summary), wanted a map of keys, as in \"model:\""
                )
            }
            let extended = map[Self.extendsKey]
            map[Self.extendsKey] = nil
            layer.content = .map(map)
            layers.append(layer)
            identities.insert(identity)
            guard let extended else { continue }
            let parent = try parent(extended.value, of: current)
            guard !identities.contains(self.identity(of: parent)) else {
                throw RecipeError(
                    extended.value.origin, Self.extendsKey,
                    "the recipes extend each other in a circle: "
                        + (chain + [parent.name]).joined(separator: " extends "))
            }
            next = parent
        }
        if case let (name, text)? = library.recipe(named: RecipeLibrary.defaultsName),
            !identities.contains("shipped \(name)")
        {
            layers.append(try defaults(name, text, below: layers))
        }
        return layers.reversed()
    }

    /// The defaults of the architecture that the layers name, the topmost first.
    ///
    /// Keys of `model` differ between architectures: those of architectures other than the one in
    /// `defaults.yaml` are in `defaults-ARCHITECTURE.yaml` and replace its whole section.
    private func defaults(
        _ name: String, _ text: String, below layers: [RecipeValue]
    ) throws -> RecipeValue {
        func parse(_ name: String, _ text: String) throws -> RecipeValue {
            let source = Source.shipped(name: name, text: text)
            return try RecipeParser(origin: source.origin).parse(text)
        }
        var common = try parse(name, text)
        let architecture = layers.lazy.compactMap { $0.value(at: Self.architecturePath)?.scalar }
            .first
        guard let architecture, var map = common.map,
            case let (name, text)? = library.recipe(
                named: RecipeLibrary.defaultsName(ofArchitecture: architecture.text))
        else { return common }
        let section = Self.architecturePath[0]
        map[section] = try parse(name, text).map?[section]
        common.content = .map(map)
        return common
    }

    private func parent(_ value: RecipeValue, of child: Source) throws -> Source {
        guard let scalar = value.scalar, scalar.kind == .text else {
            throw RecipeError(
                value.origin, Self.extendsKey,
                "got \(value.summary), wanted the path or name of a recipe")
        }
        if case .file(let path, _) = child {
            let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
            let candidate = scalar.text.hasPrefix("/") ? scalar.text : folder + scalar.text
            if let text = try text(ofFile: candidate) { return .file(path: candidate, text: text) }
        }
        guard let (name, text) = library.recipe(named: scalar.text) else {
            throw RecipeError(
                value.origin, Self.extendsKey, "\(scalar.text): \(notFound(scalar.text))")
        }
        return .shipped(name: name, text: text)
    }

    /// The text of a file or pipe; nil if there is no file of this name, or only a folder.
    private func text(ofFile path: String) throws -> String? {
        guard fileKind(of: path) == .file else { return nil }
        let file = try InputFile(path: path)
        func refusal(_ message: String) -> RecipeError {
            RecipeError(.file(path: path, line: 1, column: 1), "", message)
        }
        var bytes: [UInt8] = []
        while bytes.count <= RecipeParser.byteLimit {
            let more = try file.read(upTo: 1 << 16)
            guard !more.isEmpty else {
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw refusal("not UTF-8 text; save it as UTF-8")
                }
                return text
            }
            bytes += more
        }
        throw refusal("more than \(RecipeParser.byteLimit) bytes; this is not a recipe")
    }

    /// The identity of a recipe, equal for two mentions of the same one.
    private func identity(of source: Source) -> String {
        guard case .file(let path, _) = source, let resolved = unsafe realpath(path, nil) else {
            return source.name
        }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    private func notFound(_ recipe: String) -> String {
        let name = recipe.hasSuffix(".yaml") ? String(recipe.dropLast(5)) : recipe
        let names = library.names.map { String($0.dropLast(5)) }
        return "there is no such file, and no shipped recipe of this name"
            + didYouMean(suggestion(for: name, among: names))
            + (names.isEmpty ? "" : "; shipped recipes: \(names.joined(separator: ", "))")
    }
}
