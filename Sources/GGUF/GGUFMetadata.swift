/// The metadata of a GGUF file: values by key, in the order of the file.
///
/// The accessors throw a `GGUFError` that names the key, the value found and the value wanted.
public struct GGUFMetadata: Equatable, Sendable {
    /// The key of the tensors' alignment in bytes.
    static let alignmentKey = "general.alignment"

    /// A key and its value.
    public struct Entry: Equatable, Sendable {
        /// The key, unique in its file.
        public let key: String
        /// The value.
        public fileprivate(set) var value: GGUFValue
    }

    /// All keys and values, in the order of the file.
    public private(set) var entries: [Entry] = []
    /// The source of the values, for messages.
    public let path: String
    private var places: [String: Int] = [:]

    /// No values.
    ///
    /// - Parameter path: the name of the file in messages.
    public init(path: String = "GGUF metadata") {
        self.path = path
    }

    /// The value of a key; nil if there is none.
    ///
    /// Setting an existing key keeps its place; a new key is appended; nil removes a key.
    ///
    /// - Parameter key: such as `general.architecture`.
    public subscript(key: String) -> GGUFValue? {
        get { places[key].map { entries[$0].value } }
        set {
            switch (places[key], newValue) {
            case (let place?, let value?): entries[place].value = value
            case (nil, let value?):
                precondition(!key.isEmpty, "GGUFMetadata: a key is empty")
                places[key] = entries.count
                entries.append(Entry(key: key, value: value))
            case (let place?, nil):
                entries.remove(at: place)
                places = [:]
                for (place, entry) in entries.enumerated() { places[entry.key] = place }
            case (nil, nil): break
            }
        }
    }

    /// Whether keys and values are the same in the same order.
    ///
    /// - Parameters:
    ///   - left: metadata of any file.
    ///   - right: metadata of any file.
    /// - Returns: true if they are; the paths may differ.
    public static func == (left: GGUFMetadata, right: GGUFMetadata) -> Bool {
        left.entries == right.entries
    }
}

extension GGUFMetadata {
    /// A text.
    ///
    /// - Parameter key: the key.
    /// - Returns: its value.
    /// - Throws: `GGUFError` if it is missing or of another type.
    public func string(_ key: String) throws(GGUFError) -> String {
        try get(key, want: "STRING") { if case .string(let text) = $0 { text } else { nil } }
    }

    /// A flag.
    ///
    /// - Parameter key: the key.
    /// - Returns: its value.
    /// - Throws: `GGUFError` if it is missing or of another type.
    public func boolean(_ key: String) throws(GGUFError) -> Bool {
        try get(key, want: "BOOL") { if case .boolean(let flag) = $0 { flag } else { nil } }
    }

    /// A whole number of any width.
    ///
    /// - Parameter key: the key.
    /// - Returns: its value.
    /// - Throws: `GGUFError` if it is missing, of another type or above 2^63 - 1.
    public func integer(_ key: String) throws(GGUFError) -> Int {
        try get(key, want: "a whole number") { $0.integer }
    }

    /// A number of type F32 or F64.
    ///
    /// - Parameter key: the key.
    /// - Returns: its value, exactly.
    /// - Throws: `GGUFError` if it is missing or of another type.
    public func number(_ key: String) throws(GGUFError) -> Double {
        try get(key, want: "F32 or F64") { value in
            switch value {
            case .float32(let number): Double(number)
            case .float64(let number): number
            default: nil
            }
        }
    }

    /// A list of texts.
    ///
    /// Two texts with the same letters in other Unicode spellings are equal as `String`s; compare their
    /// UTF-8 bytes where that matters.
    ///
    /// - Parameter key: the key.
    /// - Returns: its value.
    /// - Throws: `GGUFError` if it is missing or of another type.
    public func strings(_ key: String) throws(GGUFError) -> [String] {
        try get(key, want: "array of STRING") { value in
            if case .array(.string(let texts)) = value { texts } else { nil }
        }
    }

    /// A list of whole numbers of any width.
    ///
    /// - Parameter key: the key.
    /// - Returns: its value.
    /// - Throws: `GGUFError` if it is missing, of another type or one is above 2^63 - 1.
    public func integers(_ key: String) throws(GGUFError) -> [Int] {
        try get(key, want: "array of whole numbers") { value in
            if case .array(let array) = value { array.integers } else { nil }
        }
    }

    /// A list of numbers of type F32.
    ///
    /// - Parameter key: the key.
    /// - Returns: its value.
    /// - Throws: `GGUFError` if it is missing or of another type.
    public func floats(_ key: String) throws(GGUFError) -> [Float] {
        try get(key, want: "array of F32") { value in
            if case .array(.float32(let numbers)) = value { numbers } else { nil }
        }
    }

    private func get<Result>(
        _ key: String, want: String, _ convert: (GGUFValue) -> Result?
    ) throws(GGUFError) -> Result {
        guard let value = self[key] else {
            throw GGUFError(path: path, problem: .missingKey(key, want: want))
        }
        guard let result = convert(value) else {
            throw GGUFError(
                path: path, problem: .wrongValueType(key: key, got: value.typeName, want: want))
        }
        return result
    }
}
