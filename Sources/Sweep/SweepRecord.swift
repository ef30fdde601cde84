import FalconJSON
import FalconRunRecord
import FoundationEssentials
import GRDB

/// The state of a run of a sweep.
public enum SweepStatus: String, Codable, Sendable {
    case pending, running, finished
    /// Its loss or gradient stopped being finite: a result.
    case diverged
    /// It could not run, or ended early.
    case failed
    /// Ended early by halving.
    case stopped
}

/// A value in `results.jsonl`: a number or a text.
public enum SweepValue: Codable, Hashable, Sendable, CustomStringConvertible {
    case number(Double)
    case text(String)

    /// The value as a person writes it.
    public var description: String {
        switch self {
        case .number(let number): Int(exactly: number).map { "\($0)" } ?? "\(number)"
        case .text(let text): text
        }
    }

    /// From YAML: a finite number, or a text.
    init(yaml: String) {
        let number = Double(yaml)
        self = number.flatMap { $0.isFinite ? .number($0) : nil } ?? .text(yaml)
    }

    /// From JSON.
    ///
    /// - Parameter decoder: of a number or a text.
    /// - Throws: for anything else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // Texts first: "NaN" is one.
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .number(try container.decode(Double.self))
        }
    }

    /// As JSON.
    ///
    /// - Parameter encoder: takes one value.
    /// - Throws: errors of the encoder.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        }
    }
}

/// One run in the sweep's database, and one line of `results.jsonl`.
public struct SweepRecord: Codable, Equatable, Sendable {
    /// The version of the format.
    public var version = 1
    /// The run's name, unique in the sweep.
    public var run: String
    /// The path of its folder, relative to the sweep's.
    public var path: String
    /// Its state.
    public var status: SweepStatus
    /// Its values by key path, except rate and seed.
    public var configuration: [String: SweepValue]
    /// η at the top of the schedule.
    public var learningRate: Double
    private var storedSeed: StoredSeed
    /// All its changes to the recipe, each `key=value`.
    public var settings: [String]
    /// The digest of its whole recipe.
    public var recipeSHA256: String
    /// The number of processes started for it.
    public var starts = 0
    /// The objective at the rungs of halving that it has reached; infinite for none.
    public var rungs: [Double] = []
    /// Steps done.
    public var steps: Int?
    /// Tokens seen.
    public var tokens: Int?
    /// Weights of the model.
    public var parameters: Int?
    /// The mean training loss of the last 5 % of the steps.
    public var loss: Double?
    /// The loss of the last validation.
    public var validationLoss: Double?
    /// The last validation, in bits per byte.
    public var validationBitsPerByte: Double?
    /// The last scores of tasks, by `TASK.METRIC`; nil for none.
    public var scores: [String: Double]?
    /// Seconds of training.
    public var elapsedSeconds: Double?
    /// Why it failed.
    public var message: String?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case version, run, path, status, configuration
        case learningRate = "learning_rate"
        case storedSeed = "seed"
        case settings
        case recipeSHA256 = "recipe_sha256"
        case starts, rungs, steps, tokens, parameters, loss
        case validationLoss = "validation_loss"
        case validationBitsPerByte = "validation_bits_per_byte"
        case scores
        case elapsedSeconds = "elapsed_seconds"
        case message
    }

    /// A run that has not started.
    init(_ run: SweepRun, recipeDigest: String) {
        self.run = run.id
        path = "runs/" + run.id
        status = .pending
        configuration = Dictionary(
            run.configuration.axes.map { ($0.key, SweepValue(yaml: $0.value)) },
            uniquingKeysWith: { $1 })
        learningRate = run.learningRate
        storedSeed = StoredSeed(value: run.seed)
        settings = run.settings
        recipeSHA256 = recipeDigest
    }

    /// The seed of weights and data.
    public var seed: UInt64 { storedSeed.value }

    /// The cost of an objective: the number of which less is better.
    ///
    /// - Parameter kind: the sweep's.
    /// - Returns: a finite number, or nil.
    public func cost(_ kind: RunObjective) -> Double? { result.cost(kind) }

    /// The result of the run, so far or at its end.
    public var result: RunResult {
        get {
            RunResult(
                loss: loss, validationLoss: validationLoss,
                validationBitsPerByte: validationBitsPerByte, scores: scores ?? [:],
                elapsedSeconds: elapsedSeconds)
        }
        set {
            loss = newValue.loss
            validationLoss = newValue.validationLoss
            validationBitsPerByte = newValue.validationBitsPerByte
            scores = newValue.scores.isEmpty ? nil : newValue.scores
            elapsedSeconds = newValue.elapsedSeconds
        }
    }

    /// Takes values from the metrics of a run.
    mutating func take(_ metrics: [StepMetrics], parameterCount: Int) {
        guard let last = metrics.last else { return }
        steps = last.step
        tokens = last.tokens
        parameters = parameterCount
        result = RunResult(metrics)
    }
}

extension SweepRecord: FetchableRecord, PersistableRecord {
    /// The table of the database.
    public static let databaseTableName = "run"

    /// Writes the columns that are lists or maps, numbers that are not finite as texts.
    ///
    /// - Parameter column: any.
    /// - Returns: an encoder.
    public static func databaseJSONEncoder(for column: String) -> JSONEncoder {
        makeJSONEncoder()
    }

    /// Reads the output of `databaseJSONEncoder`.
    ///
    /// - Parameter column: any.
    /// - Returns: a decoder.
    public static func databaseJSONDecoder(for column: String) -> JSONDecoder {
        makeJSONDecoder()
    }
}
