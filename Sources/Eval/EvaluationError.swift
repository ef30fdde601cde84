import FalconSystem

/// What can be wrong with evaluation data and tasks.
public enum EvaluationError: FalconError, Equatable {
    case unknownTask(String, known: [String])
    case badRecord(path: String, line: Int, reason: String)
    case noRecords(path: String)
    case notText(path: String)
    case notAResult(path: String)

    /// The message for a person.
    public var description: String {
        switch self {
        case .unknownTask(let name, let known):
            "unknown task \"\(name)\"; the tasks are \(known.joined(separator: ", "))"
        case .badRecord(let path, let line, let reason):
            "\(path):\(line): not a record of this task: \(reason)"
        case .noRecords(let path):
            "\(path): holds no records; want one JSON object a line"
        case .notText(let path):
            "\(path): empty or not UTF-8; want a text"
        case .notAResult(let path):
            "\(path): not a result of falcon eval --json; write one with it"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus {
        switch self {
        case .unknownTask: .usage
        case .badRecord, .noRecords, .notText, .notAResult: .badData
        }
    }
}
