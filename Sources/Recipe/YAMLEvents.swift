// The C library that comes with Yams. Yams itself builds the whole tree before one can look at it, and
// compares whole keys to do so: there, a page of aliases takes all memory.
import CYaml

/// The events of a YAML text, one after the other.
@safe final class YAMLEvents {
    /// An event and the place where it begins; line and column count from 1.
    struct Event {
        enum Kind: Equatable {
            /// A value; quotes and block styles make it a text.
            case scalar(String, isPlain: Bool)
            case listStart, listEnd
            case mapStart, mapEnd
            case alias(String)
            case documentStart
            /// The end of a document or of the text.
            case end
        }

        let kind: Kind
        /// An explicit tag.
        var tag: String?
        /// The name by which aliases refer to this value.
        var anchor: String?
        let line: Int
        let column: Int
    }

    /// A problem with a text, and its place.
    struct Problem: Error {
        let message: String
        let line: Int
        let column: Int
    }

    // - Invariant: `parser` is initialised and reads from `text`; both live until deinit.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>

    /// - Parameter yaml: the text; a byte-order mark at its start is skipped.
    init(_ yaml: String) {
        unsafe parser = .allocate(capacity: 1)
        unsafe text = .allocate(capacity: max(1, yaml.utf8.count))
        let (_, end) = unsafe text.initialize(from: yaml.utf8)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            preconditionFailure("YAMLEvents: no memory")
        }
        unsafe yaml_parser_set_input_string(parser, text.baseAddress, end)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe text.deallocate()
    }

    /// The next event; after the last one, always `end`.
    func next() throws(Problem) -> Event {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw problem() }
        defer { unsafe yaml_event_delete(&event) }
        let (line, column) = unsafe Self.place(event.start_mark)
        func make(
            _ kind: Event.Kind, tag: UnsafeMutablePointer<yaml_char_t>? = nil,
            anchor: UnsafeMutablePointer<yaml_char_t>? = nil
        ) -> Event {
            Event(
                kind: kind, tag: unsafe Self.string(tag), anchor: unsafe Self.string(anchor),
                line: line, column: column)
        }
        switch unsafe event.type {
        case YAML_STREAM_START_EVENT: return try next()
        case YAML_DOCUMENT_START_EVENT: return make(.documentStart)
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return unsafe make(
                .scalar(
                    String(decoding: bytes, as: UTF8.self),
                    isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
                tag: scalar.tag, anchor: scalar.anchor)
        case YAML_SEQUENCE_START_EVENT:
            let start = unsafe event.data.sequence_start
            return unsafe make(.listStart, tag: start.tag, anchor: start.anchor)
        case YAML_SEQUENCE_END_EVENT: return make(.listEnd)
        case YAML_MAPPING_START_EVENT:
            let start = unsafe event.data.mapping_start
            return unsafe make(.mapStart, tag: start.tag, anchor: start.anchor)
        case YAML_MAPPING_END_EVENT: return make(.mapEnd)
        case YAML_ALIAS_EVENT:
            return unsafe make(.alias(Self.string(event.data.alias.anchor) ?? ""))
        default: return make(.end)
        }
    }

    private func problem() -> Problem {
        let reason = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "no memory"
        guard unsafe parser.pointee.error != YAML_READER_ERROR else {
            // libyaml's reader knows only the byte, so the line is counted here.
            let before = unsafe text.prefix(parser.pointee.problem_offset)
            let line = unsafe before.count { $0 == UInt8(ascii: "\n") } + 1
            return Problem(message: reason, line: line, column: 1)
        }
        let (line, column) = unsafe Self.place(parser.pointee.problem_mark)
        return Problem(message: reason, line: line, column: column)
    }

    private static func place(_ mark: yaml_mark_t) -> (line: Int, column: Int) {
        (Int(mark.line) + 1, Int(mark.column) + 1)
    }

    private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        unsafe text.map { unsafe String(cString: $0) }
    }
}
