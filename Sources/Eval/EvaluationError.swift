import FalconSystem

/// An error in evaluation data or tasks.
public enum EvaluationError: FalconError, Equatable {
    case unknownTask(String, known: [String])
    /// A score that will not be measured.
    case unknownScore(text: String, reason: String)
    case badRecord(path: String, line: Int, reason: String)
    case missingFiles(task: String, purpose: String, paths: [String])
    /// Files of several tasks are missing.
    case several([EvaluationError])
    case noExamples(task: String)
    case badShots(name: String)
    case suiteWithShots(name: String)
    case fewExamples(path: String, count: Int, shots: Int, wanted: Int)
    case answerTooLong(place: String, tokens: Int, positions: Int)
    case contextTooShort(task: String, positions: Int, wanted: Int)
    case otherSamples(path: String, reason: String)
    case damagedSamples(path: String, reason: String)
    case noRecords(path: String, task: String)
    case notText(path: String)
    case emptyText(path: String)
    case notComparable(path: String, reasons: [String])
    case otherData(path: String, place: String)
    case missingData(path: String, place: String, model: String)
    case notAResult(path: String)

    /// The message for a person.
    public var description: String {
        switch self {
        case .unknownTask(let name, let known):
            "unknown task \"\(name)\""
                + (suggestion(for: name, among: known).map { "; did you mean \($0)?" } ?? "")
                + " The tasks, groups and suites are \(known.joined(separator: ", ")), and the tasks of "
                + "groups"
        case .unknownScore(let text, let reason): "\(text): \(reason)"
        case .badRecord(let path, let line, let reason):
            "\(path):\(line): not a record of this task: \(reason)"
        case .missingFiles(let task, _, _):
            "\(missing); make eval-data writes those that a package has, and docs/tasks.md says what "
                + "\(task) reads"
        case .several(let errors):
            "files of \(errors.count) tasks are missing; make eval-data writes those that a package has, and "
                + "docs/tasks.md says what each task reads"
                + errors.map { "\n  \($0.missing)" }.joined()
        case .noExamples(let task):
            "\(task) takes no examples, as in lm-evaluation-harness; ask for it without @"
        case .badShots(let name):
            "\(name): want a whole number of examples behind @, such as hellaswag@5"
        case .suiteWithShots(let name):
            "\(name): a suite has its own numbers of examples; name it without @"
        case .fewExamples(let path, let count, let shots, let wanted):
            "\(path): holds \(count) examples, want at least \(wanted) to draw \(shots)"
        case .answerTooLong(let place, let tokens, let positions):
            "\(place): an answer has \(tokens) tokens, but this model reads "
                + "\(positions) at most; leave the document out"
        case .contextTooShort(let task, let positions, let wanted):
            "\(task) writes up to \(wanted) tokens, but this model has only \(positions) positions for "
                + "question and answer"
        case .otherSamples(let path, let reason):
            "\(path) is of another evaluation: \(reason); choose another folder for --samples"
        case .damagedSamples(let path, let reason):
            "\(path): \(reason); remove it to answer the task again, or choose another folder for --samples"
        case .noRecords(let path, let task):
            "\(path): holds no records of \(task); docs/tasks.md says what it reads"
        case .notText(let path):
            "\(path): not UTF-8; want a text"
        case .emptyText(let path):
            "\(path): the text is empty, so there is no token to predict; give a text"
        case .notComparable(let path, let reasons):
            "\(path) cannot be compared with: \(reasons.joined(separator: "; ")); measure both on the "
                + "same data"
        case .otherData(let path, let place):
            "\(path), \(place), is not the data that the model was trained on; to score its validation "
                + "split anyway, give it with --shards, each folder of a mixture with one"
        case .missingData(let path, let place, let model):
            "\(path), \(place), is neither here nor beside the run; say where it is with --shards "
                + "FOLDER (of a mixture, once for each), or make it again with falcon tokenize --tokenizer \(model) --output FOLDER "
                + "TEXTS"
        case .notAResult(let path):
            "\(path): not a result of falcon eval --json; write one with it"
        }
    }

    /// What is missing, without advice; empty if nothing is.
    private var missing: String {
        guard case .missingFiles(_, let purpose, let paths) = self else { return "" }
        return "\(purpose) are missing: there is no \(paths.joined(separator: " nor "))"
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus {
        switch self {
        case .unknownTask, .noExamples, .badShots, .suiteWithShots, .unknownScore: .usage
        case .badRecord, .noRecords, .fewExamples, .answerTooLong, .contextTooShort, .otherSamples,
            .damagedSamples, .notText, .emptyText, .notAResult, .notComparable, .otherData:
            .badData
        case .missingData, .missingFiles, .several: .missingInput
        }
    }
}
