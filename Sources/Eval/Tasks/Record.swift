import FalconJSON

/// A reason why a record is not one of its task.
public struct RecordError: Error, Equatable, CustomStringConvertible {
    /// The reason.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// A record of a task's file.
public struct Record {
    /// Its bytes.
    public let bytes: ArraySlice<UInt8>
    /// The fields, if it is a JSON object.
    private let object: Result<JSONObject, RecordError>

    /// A record.
    ///
    /// - Parameter bytes: a JSON object, or what else the task's files hold.
    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        do {
            guard let object = try JSONValue(parsing: Array(bytes)).object else {
                self.object = .failure(RecordError("want a JSON object"))
                return
            }
            self.object = .success(object)
        } catch {
            object = .failure(RecordError("not JSON: \(error)"))
        }
    }

    private init(_ object: JSONObject) {
        bytes = []
        self.object = .success(object)
    }

    /// Whether it is a JSON object.
    var isObject: Bool { (try? object.get()) != nil }

    /// Whether there is a field.
    ///
    /// - Parameter key: its name.
    /// - Returns: false if it is missing or null.
    /// - Throws: `RecordError` if the record is not an object.
    public func has(_ key: String) throws -> Bool {
        let value = try object.get()[key]
        return value != nil && value != .null
    }

    /// A field.
    ///
    /// - Parameter key: its name.
    /// - Returns: its value.
    /// - Throws: `RecordError` if it is missing.
    public func value(_ key: String) throws -> JSONValue {
        guard let value = try object.get()[key] else { throw RecordError("\(key) is missing") }
        return value
    }

    /// A text.
    ///
    /// - Parameter key: its name.
    /// - Returns: the text, as it is.
    /// - Throws: `RecordError` if it is something else.
    public func text(_ key: String) throws -> String {
        let value = try value(key)
        guard let text = value.string else {
            throw RecordError("\(key) is \(value.kindName), want a text")
        }
        return text
    }

    /// A list of texts that is not empty.
    ///
    /// - Parameter key: its name.
    /// - Returns: the texts.
    /// - Throws: `RecordError` if it is something else.
    public func texts(_ key: String) throws -> [String] {
        guard let texts = try value(key).array?.map(\.string) as? [String] else {
            throw RecordError("\(key): want a list of texts")
        }
        if texts.isEmpty { throw RecordError("\(key) is empty, want at least one text") }
        return texts
    }

    /// A part that is an object.
    ///
    /// - Parameter key: its name.
    /// - Returns: its fields.
    /// - Throws: `RecordError` if it is something else.
    public func part(_ key: String) throws -> Record {
        let value = try value(key)
        guard let object = value.object else {
            throw RecordError("\(key) is \(value.kindName), want an object")
        }
        return Record(object)
    }

    /// The place of the right answer: a number, or a text that is one.
    ///
    /// - Parameters:
    ///   - key: the field's name.
    ///   - count: answers there are.
    ///   - first: the number of the first answer.
    /// - Returns: from 0 to `count - 1`.
    /// - Throws: `RecordError` if it is something else.
    public func label(_ key: String, below count: Int, first: Int = 0) throws -> Int {
        let value = try value(key)
        let number = value.integer ?? value.string.flatMap { Int($0.strippedAsPython()) }
        guard let number, (first..<first + count).contains(number) else {
            throw RecordError(
                "\(key) is \(value.serialized()), want a number from \(first) to \(first + count - 1)"
            )
        }
        return number - first
    }

    /// Answers with letters, as ARC and OpenBookQA have them: `choices.text`, `choices.label`, and
    /// the letter of the right one in `answerKey`.
    ///
    /// - Returns: the answers, and the place of the right one.
    /// - Throws: `RecordError` if they are something else.
    public func letteredChoices() throws -> (answers: [String], right: Int) {
        let choices = try part("choices")
        let (answers, labels) = (try choices.texts("text"), try choices.texts("label"))
        // Some keys are "1" to "4" where others are "A" to "D": their places are looked up.
        let key = try text("answerKey").strippedAsPython()
        guard labels.count == answers.count, let right = labels.firstIndex(of: key) else {
            throw RecordError(
                "answerKey is \"\(key)\", want one of choices.label, \(labels), for "
                    + "\(answers.count) texts")
        }
        return (answers, right)
    }
}
