/// Turns YAML text into values that know where they were written.
///
/// The size of a text, its depth, and the number of values that it stands for once every alias is
/// replaced are bounded.
struct RecipeParser {
    /// The largest text in bytes; a recipe has a few thousand.
    static let byteLimit = 1 << 20
    /// The most values that a text may stand for.
    static let valueLimit = 1 << 16
    /// The most nested lists and maps.
    static let depthLimit = 64

    /// Makes the origin of a position in the text.
    let origin: (_ line: Int, _ column: Int) -> RecipeOrigin

    /// Reads one YAML document.
    ///
    /// - Parameter yaml: the text; a text without any value is an empty map.
    /// - Returns: the tree of values.
    /// - Throws: `RecipeError` with the position of the text that YAML or this reader refuses.
    func parse(_ yaml: String) throws(RecipeError) -> RecipeValue {
        guard yaml.utf8.count <= Self.byteLimit else {
            throw RecipeError(
                origin(1, 1), "",
                "the text has \(yaml.utf8.count) bytes, wanted at most \(Self.byteLimit)")
        }
        var composer = Composer(events: YAMLEvents(yaml), origin: origin)
        return try composer.document()
            ?? RecipeValue(content: .map(RecipeMap()), origin: origin(1, 1))
    }
}

/// Builds the tree of one document from its events.
private struct Composer {
    typealias Event = YAMLEvents.Event

    let events: YAMLEvents
    let origin: (_ line: Int, _ column: Int) -> RecipeOrigin
    /// Named values, with the number of values that each stands for.
    private var anchors: [String: (value: RecipeValue, count: Int)] = [:]
    /// Values so far; those behind aliases count each time.
    private var count = 0

    init(events: YAMLEvents, origin: @escaping (Int, Int) -> RecipeOrigin) {
        self.events = events
        self.origin = origin
    }

    /// The only document of the text; nil if there is none.
    mutating func document() throws(RecipeError) -> RecipeValue? {
        guard try next().kind == .documentStart else { return nil }
        let root = try value(of: next(), depth: 0)
        _ = try next()
        let event = try next()
        guard event.kind != .documentStart else {
            throw error(event, "found another document, wanted one per file; remove \"---\"")
        }
        return root
    }

    private func next() throws(RecipeError) -> Event {
        do {
            return try events.next()
        } catch {
            throw RecipeError(origin(error.line, error.column), "", "not YAML: \(error.message)")
        }
    }

    private func error(_ event: Event, _ message: String) -> RecipeError {
        RecipeError(origin(event.line, event.column), "", message)
    }

    private mutating func add(_ number: Int, at event: Event) throws(RecipeError) {
        count += number
        guard count <= RecipeParser.valueLimit else {
            throw error(
                event,
                "the text stands for more than \(RecipeParser.valueLimit) values"
                    + (anchors.isEmpty ? "" : ", with aliases (*name) replaced by their values"))
        }
    }

    private mutating func value(of event: Event, depth: Int) throws(RecipeError) -> RecipeValue {
        guard depth < RecipeParser.depthLimit else {
            throw error(
                event, "lists and maps are nested more than \(RecipeParser.depthLimit) deep")
        }
        let before = count
        try add(1, at: event)
        let content: RecipeValue.Content
        switch event.kind {
        case .alias(let name):
            guard let (value, size) = anchors[name] else {
                throw error(event, "*\(name) names nothing before it; write the value out")
            }
            try add(size - 1, at: event)
            return value
        case .scalar(let text, let isPlain):
            try refuseTag(of: event)
            content = .scalar(RecipeScalar(text: text, isQuoted: !isPlain))
        case .listStart:
            try refuseTag(of: event)
            content = .list(try elements(depth: depth))
        case .mapStart:
            try refuseTag(of: event)
            content = .map(try map(depth: depth))
        case .listEnd, .mapEnd, .documentStart, .end:
            preconditionFailure("RecipeParser: a value cannot begin with \(event.kind)")
        }
        let value = RecipeValue(content: content, origin: origin(event.line, event.column))
        if let anchor = event.anchor { anchors[anchor] = (value, count - before) }
        return value
    }

    private func refuseTag(of event: Event) throws(RecipeError) {
        guard let tag = event.tag else { return }
        throw error(event, "got the tag \(tag), wanted a plain value; remove the tag")
    }

    private mutating func elements(depth: Int) throws(RecipeError) -> [RecipeValue] {
        var values: [RecipeValue] = []
        var event = try next()
        while event.kind != .listEnd {
            values.append(try value(of: event, depth: depth + 1))
            event = try next()
        }
        return values
    }

    private mutating func map(depth: Int) throws(RecipeError) -> RecipeMap {
        var map = RecipeMap()
        var event = try next()
        while event.kind != .mapEnd {
            let key = try name(of: event)
            let keyOrigin = origin(event.line, event.column)
            if let first = map[key] {
                throw RecipeError(
                    first.keyOrigin, key, "the key is written twice; keep one of them")
            }
            let value = try value(of: next(), depth: depth + 1)
            map[key] = RecipeMap.Entry(key: key, keyOrigin: keyOrigin, value: value)
            event = try next()
        }
        return map
    }

    /// The text of a key.
    private mutating func name(of event: Event) throws(RecipeError) -> String {
        try add(1, at: event)
        switch event.kind {
        case .scalar("<<", isPlain: true):
            throw error(
                event, "<<: merge keys are not read; write the keys out, or use \"extends\"")
        case .scalar(let text, _):
            try refuseTag(of: event)
            if let anchor = event.anchor {
                let scalar = RecipeScalar(text: text, isQuoted: true)
                let value = RecipeValue(
                    content: .scalar(scalar), origin: origin(event.line, event.column))
                anchors[anchor] = (value, 1)
            }
            return text
        case .alias(let name):
            guard let scalar = anchors[name]?.value.scalar else { break }
            return scalar.text
        default: break
        }
        throw error(event, "got a list or a map as a key, wanted a name")
    }
}
