import FalconJSON

/// What an input is made of.
indirect enum Format {
    case bytes
    case json
    /// A JSON header between its size and data.
    case safetensors
    /// Pages, and behind them a table of contents and its size.
    case parquet
    case files([(name: String, format: Format)])
}

/// Changes an input so that it stays close to what a reader accepts.
struct Mutator {
    private var state: UInt64
    private let mutateBytes: ([UInt8], Int) -> [UInt8]

    /// - Parameters:
    ///   - seed: the same changes for the same seed.
    ///   - mutateBytes: changes bytes without knowing what they are, up to a length.
    init(seed: UInt32, mutateBytes: @escaping ([UInt8], Int) -> [UInt8]) {
        state = UInt64(seed) | 1 << 40
        self.mutateBytes = mutateBytes
    }

    private mutating func random(below limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % max(1, limit)
    }

    mutating func mutated(_ bytes: [UInt8], as format: Format, limit: Int) -> [UInt8] {
        switch format {
        case .bytes: return mutateBytes(bytes, limit)
        case .json: return mutatedJSON(bytes, limit: limit)
        case .safetensors:
            guard bytes.count >= 10, random(below: 4) > 0 else { return mutateBytes(bytes, limit) }
            let claimed = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let size = Int(min(claimed, UInt64(bytes.count - 8)))
            var (header, data) = (Array(bytes[8..<8 + size]), Array(bytes[(8 + size)...]))
            if random(below: 8) == 0 {
                data = mutateBytes(data, max(1, limit - 8 - header.count))
            } else {
                header = mutatedJSON(header, limit: max(1, limit - 8 - data.count))
            }
            return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
                + header + data
        case .parquet:
            guard bytes.count >= 12, random(below: 4) > 0 else { return mutateBytes(bytes, limit) }
            let end = bytes.count - 8
            let claimed = bytes[end..<end + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
            let start = end - min(claimed, end - 4)
            var (pages, contents) = (Array(bytes[4..<start]), Array(bytes[start..<end]))
            if !pages.isEmpty, random(below: 2) == 0 {
                // The places in the table of contents should stay right.
                let changed = mutateBytes(pages, pages.count)
                pages = changed + pages.dropFirst(changed.count)
            } else {
                contents = mutateBytes(contents, max(1, limit - 12 - pages.count))
            }
            let size = (0..<4).map { UInt8(truncatingIfNeeded: contents.count >> (8 * $0)) }
            return bytes[..<4] + pages + contents + size + bytes[(end + 4)...]
        case .files(let names):
            var set = FileSet(bytes, nameCount: names.count)
            if set.files.isEmpty || random(below: 16) == 0 { return mutateBytes(bytes, limit) }
            let chosen = random(below: set.files.count)
            if random(below: 32) == 0 {
                set.files.remove(at: chosen)
            } else {
                let (name, content) = set.files[chosen]
                let room = max(1, limit - bytes.count + content.count)
                set.files[chosen].bytes = mutated(content, as: names[name].format, limit: room)
            }
            return set.serialized
        }
    }
}

// JSON, by its tree.
extension Mutator {
    private static let numbers: [JSONValue] =
        [
            0, 1, -1, 2, 7, 255, 256, 65_535, 1 << 20, 1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 32,
            1 << 60, .max, .min,
        ].map { .integer($0) }
        + [0.5, 8, 1e-300, 1e308, 9.3e18, -0.0, .infinity, .nan].map { .number($0) }

    private static func nodeCount(_ value: JSONValue) -> Int {
        switch value {
        case .array(let elements): elements.reduce(1) { $0 + nodeCount($1) }
        case .object(let object): object.members.reduce(1) { $0 + nodeCount($1.value) }
        default: 1
        }
    }

    private static func node(_ value: JSONValue, _ number: inout Int) -> JSONValue? {
        if number == 0 { return value }
        number -= 1
        let children: [JSONValue] =
            switch value {
            case .array(let elements): elements
            case .object(let object): object.members.map(\.value)
            default: []
            }
        for child in children { if let found = node(child, &number) { return found } }
        return nil
    }

    private mutating func mutatedJSON(_ bytes: [UInt8], limit: Int) -> [UInt8] {
        guard random(below: 3) > 0, let value = try? JSONValue(parsing: bytes) else {
            return mutateBytes(bytes, limit)
        }
        var target = random(below: Self.nodeCount(value))
        let result = changed(value, in: value, at: &target).serialized()
        return Array(result.utf8.prefix(limit))
    }

    /// The value with the node of a number changed; `target` is then -1.
    private mutating func changed(
        _ value: JSONValue, in root: JSONValue, at target: inout Int
    ) -> JSONValue {
        if target == 0 {
            target = -1
            return other(than: value, in: root)
        }
        target -= 1
        switch value {
        case .array(let elements):
            var result: [JSONValue] = []
            for element in elements {
                result.append(target < 0 ? element : changed(element, in: root, at: &target))
            }
            return .array(result)
        case .object(let object):
            var result = JSONObject()
            for (key, element) in object.members {
                result[key] = target < 0 ? element : changed(element, in: root, at: &target)
            }
            return .object(result)
        default: return value
        }
    }

    private mutating func other(than value: JSONValue, in root: JSONValue) -> JSONValue {
        switch (value, random(below: 8)) {
        case (_, 0):
            var number = random(below: Self.nodeCount(root))
            return Self.node(root, &number) ?? value
        case (_, 1): return random(below: 2) == 0 ? .null : .bool(random(below: 2) == 0)
        case (_, 2):
            return (0..<random(below: 80)).reduce(value) { value, _ in .array([value]) }
        case (.array(var elements), 3...) where !elements.isEmpty:
            let place = random(below: elements.count)
            switch random(below: 4) {
            case 0: elements.remove(at: place)
            case 1: elements.insert(elements[place], at: random(below: elements.count))
            case 2: elements = Array(repeating: elements[place], count: random(below: 40))
            default: elements.swapAt(place, random(below: elements.count))
            }
            return .array(elements)
        case (.object(var object), 3...) where !object.keys.isEmpty:
            let key = object.keys[random(below: object.keys.count)]
            let child = object[key]
            switch random(below: 4) {
            case 0: object[key] = nil
            case 1: object[object.keys[random(below: object.keys.count)]] = child
            case 2:
                object[key] = nil
                object[otherText(than: key)] = child
            default: object[otherText(than: key)] = child
            }
            return .object(object)
        case (.string(let text), 3...): return .string(otherText(than: text))
        case (_, 7): return .string(otherText(than: ""))
        default: return Self.numbers[random(below: Self.numbers.count)]
        }
    }

    private mutating func otherText(than text: String) -> String {
        switch random(below: 6) {
        case 0: return ""
        case 1: return text + text
        case 2: return String(repeating: text.isEmpty ? "x" : text, count: random(below: 100))
        case 3: return text + ["\0", "e\u{301}", " ", "\u{2581}", "<0x0A>"][random(below: 5)]
        default:
            let bytes = mutateBytes(Array(text.utf8), max(16, 2 * text.utf8.count))
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
