/// The keys of a map; without a map it hands out placeholders.
struct RecipeKeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: RecipeDecoder
    let map: RecipeMap?

    var codingPath: [any CodingKey] { decoder.codingPath }

    var allKeys: [Key] { (map?.entries ?? []).compactMap { Key(stringValue: $0.key) } }

    func contains(_ key: Key) -> Bool { map?[key.stringValue] != nil }

    func decodeNil(forKey key: Key) -> Bool { map?[key.stringValue]?.value.isNull ?? true }

    // Serves the requirements for single types (Bool, Int, …) too.
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try child(key).decodeValue(type)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try child(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try child(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder }

    func superDecoder(forKey key: Key) throws -> any Decoder { child(key) }

    /// The decoder of a key's value; an absent key is recorded as missing.
    private func child(_ key: Key) -> RecipeDecoder {
        let value = map?[key.stringValue]?.value
        let child = decoder.child(value, key)
        if map != nil, value == nil { child.record("missing: add the key") }
        return child
    }
}

/// The elements of a list.
struct RecipeUnkeyedContainer: UnkeyedDecodingContainer {
    let decoder: RecipeDecoder
    let values: [RecipeValue]
    private(set) var currentIndex = 0

    init(decoder: RecipeDecoder, values: [RecipeValue]) {
        self.decoder = decoder
        self.values = values
    }

    var codingPath: [any CodingKey] { decoder.codingPath }

    /// Nil if placeholders are handed out: a type that needs a number of elements makes them.
    var count: Int? { decoder.value == nil ? nil : values.count }

    var isAtEnd: Bool { currentIndex >= values.count }

    mutating func decodeNil() -> Bool {
        guard !isAtEnd, values[currentIndex].isNull else { return false }
        currentIndex += 1
        return true
    }

    // Serves the requirements for single types (Bool, Int, …) too.
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try next().decodeValue(type)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder { next() }

    /// The decoder of the next element; a list that is too short is recorded.
    private mutating func next() -> RecipeDecoder {
        let value = isAtEnd ? nil : values[currentIndex]
        let child = decoder.child(value, RecipeKey(intValue: currentIndex))
        if value == nil, decoder.value != nil {
            decoder.record("the list ends after \(values.count)")
        }
        currentIndex += 1
        return child
    }
}

/// A value on its own.
struct RecipeSingleValueContainer: SingleValueDecodingContainer {
    let decoder: RecipeDecoder

    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.value?.isNull ?? true }

    // Serves the requirements for single types (Bool, Int, …) too.
    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try decoder.decodeValue(type)
    }
}
