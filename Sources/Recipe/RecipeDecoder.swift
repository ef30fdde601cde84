import FalconRecipeSection
import FalconSystem

/// A key or a list position on the way to a value.
struct RecipeKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init(stringValue: String) { self.init(stringValue) }

    init(intValue: Int) {
        stringValue = String(intValue)
        self.intValue = intValue
    }
}

/// Thrown if decoding cannot continue; the problem is in the log already.
struct DecodingStopped: Error {}

/// The problems that one call of `decode` found.
final class DecodingLog {
    /// The most problems to keep; nobody reads more.
    static let limit = 100

    let root: RecipeValue
    /// The first problems, at most `limit`.
    private(set) var problems: [RecipeError.Problem] = []
    private var seen: Set<RecipeError.Problem> = []
    /// Problems recorded, including those that are not kept.
    private(set) var count = 0
    var isFull: Bool { problems.count >= Self.limit }

    init(root: RecipeValue) {
        self.root = root
    }

    func record(_ origin: RecipeOrigin, _ codingPath: [any CodingKey], _ message: String) {
        let problem = RecipeError.Problem(
            origin: origin, keyPath: codingPath.map(\.stringValue).joined(separator: "."),
            message: message)
        count += 1
        if !isFull && seen.insert(problem).inserted { problems.append(problem) }
    }
}

extension DecodingLog {
    /// The problems by text, in the order in which the texts first appear, then by place.
    var sortedProblems: [RecipeError.Problem] {
        var ranks: [String: Int] = [:]
        let keyed = problems.enumerated().map { index, problem in
            let place = problem.origin?.place ?? (source: "", line: 0, column: 0)
            let rank = ranks[place.source, default: ranks.count]
            ranks[place.source] = rank
            return (key: (rank, place.line, place.column, index), problem: problem)
        }
        let sorted = keyed.sorted { $0.key < $1.key }.map(\.problem)
        guard isFull else { return sorted }
        let more = "these are the first \(Self.limit) problems; there may be more"
        return sorted + [RecipeError.Problem(origin: nil, keyPath: "", message: more)]
    }
}

/// The keys that a type reads from one map.
private final class KnownKeys {
    var names: [String] = []
}

/// A strict decoder over a recipe's tree.
///
/// It does not stop at the first problem: it writes each one into the log, hands out a placeholder
/// and continues. Without a value (`value` nil) it hands out placeholders silently.
struct RecipeDecoder: Decoder {
    let value: RecipeValue?
    let codingPath: [any CodingKey]
    /// The nearest place written by a person: the value's own unless it is a default.
    let position: RecipeOrigin
    let log: DecodingLog
    /// The keys that the containers of this map ask for: a type may read several parts from one map.
    private let known = KnownKeys()

    init(
        value: RecipeValue?, codingPath: [any CodingKey], position: RecipeOrigin, log: DecodingLog
    ) {
        (self.value, self.codingPath) = (value, codingPath)
        (self.position, self.log) = (position, log)
    }

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// The decoder of the same place that hands out placeholders.
    var absent: RecipeDecoder {
        RecipeDecoder(value: nil, codingPath: codingPath, position: position, log: log)
    }

    /// The decoder of a value below this one.
    func child(_ value: RecipeValue?, _ key: any CodingKey) -> RecipeDecoder {
        let position = value.flatMap { $0.origin.isDefault ? nil : $0.origin } ?? position
        return RecipeDecoder(
            value: value, codingPath: codingPath + [key], position: position, log: log)
    }

    func record(_ message: String) {
        log.record(position, codingPath, message)
    }

    /// Reads this value as any type; every kind of container calls this.
    func decodeValue<T: Decodable>(_ type: T.Type) throws -> T {
        if type == RecipeFragment.self, let value,
            let fragment = RecipeFragment(yaml: RecipeDocument.flow(value)) as? T
        {
            return fragment
        }
        if let scalar = type as? any RecipeScalarDecodable.Type,
            let decoded = decode(scalar: scalar) as? T
        {
            return decoded
        }
        if let choice = type as? any (CaseIterable & RawRepresentable).Type,
            let decoded = decode(choice: choice) as? T
        {
            return decoded
        }
        if isMissing, !(type is any ExpressibleByNilLiteral.Type) {
            record("missing: give it a value")
            return try placeholder(type)
        }
        do {
            let problemCount = log.count
            let decoded = try T(from: self)
            refuseUnknownKeys()
            if let section = decoded as? any RecipeSection, value != nil,
                log.count == problemCount
            {
                for problem in section.problems() { record(problem) }
            }
            return decoded
        } catch {
            guard value != nil else { throw error }
            refuseUnknownKeys()
            record(error)
            return try placeholder(type)
        }
    }

    /// Whether the recipe has no value where one is needed.
    private var isMissing: Bool { value?.isNull == true }

    private func placeholder<T: Decodable>(_ type: T.Type) throws -> T {
        do { return try T(from: absent) } catch { throw DecodingStopped() }
    }

    private func decode<S: RecipeScalarDecodable>(scalar type: S.Type) -> S {
        guard let value else { return S.placeholder }
        guard !isMissing else {
            record("missing: give it a value, \(S.wanted)")
            return S.placeholder
        }
        if let scalar = value.scalar, let decoded = S(scalar) { return decoded }
        record("got \(value.summary), wanted \(S.wanted)\(S.advice(for: value))")
        return S.placeholder
    }

    /// An enum of named choices; nil if the type is not one.
    private func decode<E: CaseIterable & RawRepresentable>(choice type: E.Type) -> E? {
        let choices = E.allCases.compactMap { choice in
            (choice.rawValue as? String).map { ($0, choice) }
        }
        guard let first = choices.first else { return nil }
        guard let value else { return first.1 }
        let names = choices.map(\.0)
        guard !isMissing else {
            record("missing: give it a value, one of \(names.joined(separator: ", "))")
            return first.1
        }
        let text = value.scalar?.text
        if let match = choices.first(where: { $0.0 == text }) { return match.1 }
        record(
            "got \(value.summary), wanted one of \(names.joined(separator: ", "))"
                + didYouMean(text.flatMap { suggestion(for: $0, among: names) }))
        return first.1
    }

    private func record(_ error: any Error) {
        switch error {
        case is DecodingStopped: break
        case let problem as RecipeProblem: record(problem)
        case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context), DecodingError.keyNotFound(_, let context):
            record(context.debugDescription)
        default: record("\(error)")
        }
    }

    private func record(_ problem: RecipeProblem) {
        let keys = (problem.key ?? "").split(separator: ".").map(String.init)
        var place = self
        for key in keys { place = place.child(place.value?.value(at: [key]), RecipeKey(key)) }
        place.record(problem.message)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        if let value, value.map == nil {
            record("got \(value.summary), wanted a map of keys")
            return KeyedDecodingContainer(RecipeKeyedContainer<Key>(decoder: absent, map: nil))
        }
        if let keys = Key.self as? any CaseIterable.Type {
            known.names.append(contentsOf: Self.names(of: keys))
        }
        return KeyedDecodingContainer(RecipeKeyedContainer<Key>(decoder: self, map: value?.map))
    }

    private static func names<Keys: CaseIterable>(of keys: Keys.Type) -> [String] {
        keys.allCases.compactMap { ($0 as? any CodingKey)?.stringValue }
    }

    /// Reports the keys of this map that no container asked for, once all have been made.
    private func refuseUnknownKeys() {
        let known = known.names
        guard let map = value?.map, !known.isEmpty else { return }
        for entry in map.entries where !known.contains(entry.key) {
            if log.isFull { return }
            let path = codingPath + [RecipeKey(entry.key)]
            let keyPath = path.map(\.stringValue).joined(separator: ".")
            // Prefers a key that is not written yet to one that is.
            let unwritten = known.filter { map[$0]?.value.origin.isDefault ?? true }
            let near =
                suggestion(for: entry.key, among: unwritten)
                ?? suggestion(for: entry.key, among: known)
                ?? KeyNames.known(
                    elsewhereAs: entry.key, below: codingPath.map(\.stringValue), in: log.root
                ).map { path, note in
                    // Within the section, the key's own name is enough.
                    let section = codingPath.map { $0.stringValue + "." }.joined()
                    return (path.hasPrefix(section) ? String(path.dropFirst(section.count)) : path)
                        + (note.map { " (\($0))" } ?? "")
                }
                ?? log.root.keyPaths.first { $0 != keyPath && $0.hasSuffix(".\(entry.key)") }
            let list = near == nil ? "; known keys: \(known.joined(separator: ", "))" : ""
            log.record(entry.keyOrigin, path, "unknown key" + didYouMean(near) + list)
        }
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        if let value, value.list == nil {
            record("got \(value.summary), wanted a list, as in [\(value.scalar?.text ?? "a, b")]")
        }
        return RecipeUnkeyedContainer(decoder: self, values: value?.list ?? [])
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        RecipeSingleValueContainer(decoder: self)
    }
}
