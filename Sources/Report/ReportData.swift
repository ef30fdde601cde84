import FalconCheckpoint
import FalconData
import FalconOptim
import FalconRecipe
import FalconRunRecord
import FalconSweep
import FalconSystem
import FalconTrain
import FoundationEssentials

/// The reasons why there is no report.
public enum ReportError: FalconError, Equatable {
    case notARun(path: String)
    case damaged(path: String, line: Int, reason: String)

    /// The message for a person.
    public var description: String {
        switch self {
        case .notARun(let path):
            "\(path) is neither a run (it has no metrics.jsonl) nor a sweep (no results.jsonl); name "
                + "folders that falcon pretrain or falcon sweep has written"
        case .damaged(let path, let line, let reason):
            "\(path), line \(line): not what falcon writes: \(reason); falcon sweep --gather and --resume "
                + "write the file again"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus {
        switch self {
        case .notARun: .missingInput
        case .damaged: .badData
        }
    }
}

/// A run as a report uses it.
struct ReportRun {
    var name: String
    /// Its values by key path, except rate and seed.
    var configuration: [String: String]
    var learningRate: Double
    var seed: UInt64
    var status: SweepStatus
    var result: RunResult
    var message: String?
    var recipeDigest: String
    var metrics: [StepMetrics]
    /// The data that the objective was measured on.
    var measurement = Measurement()

    /// The finite number by which runs are compared.
    var objective: Double? { result.value(measurement.objective) }

    /// The number of which less is better.
    var cost: Double? { result.cost(measurement.objective) }

    /// Chooses the objective: the training loss if nothing was validated.
    mutating func decide(by kind: RunObjective) {
        measurement.objective = kind.measured(in: result)
    }

    /// The last monitored step at the top of the schedule: norms follow the rate when it decays.
    var settled: StepMetrics? {
        let monitored = metrics.filter { $0.matrices != nil }
        let top = monitored.map(\.learningRate).max() ?? 0
        return monitored.last { $0.learningRate >= 0.999 * top }
    }

    /// The last monitored step.
    var lastMonitored: StepMetrics? { metrics.last { $0.matrices != nil } }
}

/// The data that a report is made from.
struct ReportData {
    var runs: [ReportRun] = []
    /// Lines that could not be read.
    var warnings: [String] = []
    /// The names of single runs' configurations, by the digest of all but rate and seed.
    private var names: [String: String] = [:]
    /// The data sets opened so far, by path; nil for one that cannot be read.
    private var indexes: [String: DatasetIndex?] = [:]

    /// Reads runs and sweeps.
    ///
    /// - Parameter paths: folders.
    /// - Throws: `ReportError`; `FileError`.
    init(paths: [String]) throws {
        for path in paths {
            if fileKind(of: path) == .missing { throw FileError.missing(path: path) }
            if fileKind(of: Sweep.resultsPath(ofFolder: path)) == .file {
                try addSweep(path, isNamed: paths.count > 1)
            } else if fileKind(of: RunFolder(path: path).metricsPath) == .file {
                try addRun(path)
            } else {
                throw ReportError.notARun(path: path)
            }
        }
    }

    /// Adds the runs of a sweep; its name, if used, keeps them apart from those of other sweeps.
    private mutating func addSweep(_ path: String, isNamed: Bool) throws {
        let file = Sweep.resultsPath(ofFolder: path)
        let objective = try Sweep.objective(ofFolder: path)
        for (number, line) in try readBytes(ofFile: file).split(separator: 0x0A).enumerated() {
            let record: SweepRecord
            do { record = try CheckedLine.decoded(SweepRecord.self, from: line) } catch {
                throw ReportError.damaged(path: file, line: number + 1, reason: "\(error)")
            }
            let folder = RunFolder(path: path + "/" + record.path)
            var run = ReportRun(
                name: record.run,
                configuration: (isNamed ? ["sweep": path] : [:]).merging(
                    record.configuration.mapValues {
                        switch $0 {
                        case .number(let number): significant(number)
                        case .text(let text): text
                        }
                    }, uniquingKeysWith: { $1 }), learningRate: record.learningRate,
                seed: record.seed,
                status: record.status, result: record.result, message: record.message,
                recipeDigest: record.recipeSHA256, metrics: try steps(of: folder))
            let recipe = try? RecipeDocument(recipe: folder.recipePath)
                .decode(TrainingRecipe.self)
            if let recipe { run.measurement = measurement(ofRun: folder.path, recipe) }
            run.decide(by: objective)
            runs.append(run)
        }
    }

    /// Adds a run.
    ///
    /// Runs that differ only in learning rate and seed are one configuration; one whose recipe has
    /// the name of another, but other values, is named after its folder.
    private mutating func addRun(_ path: String) throws {
        let folder = RunFolder(path: path)
        let document = try RecipeDocument(recipe: folder.recipePath)
        let recipe = try document.decode(TrainingRecipe.self)
        let metrics = try steps(of: folder)
        let common =
            try document.applying(["\(SweepSection.seedKey)=0", "\(SweepSection.rateKey)=1"]).digest
        var name = names[common] ?? recipe.name
        if names[common] == nil {
            if names.values.contains(name) { name += " (\(path))" }
            names[common] = name
        }
        let steps = RunPlan(recipe).steps
        let isDone =
            metrics.last?.step == steps
            && folder.checkpoints.newestManifest()?.step == steps
        var run = ReportRun(
            name: path, configuration: ["recipe": name],
            learningRate: recipe.optimizer.learningRate, seed: recipe.seed,
            status: isDone ? .finished : .running, result: RunResult(metrics), message: nil,
            recipeDigest: document.digest, metrics: metrics,
            measurement: measurement(ofRun: path, recipe))
        run.decide(by: .validationLoss)
        runs.append(run)
    }

    private mutating func measurement(
        ofRun path: String, _ recipe: TrainingRecipe
    ) -> Measurement {
        let found = recipe.data.paths.compactMap { data in
            if indexes[data] == nil { indexes[data] = .some(try? TokenDataset(path: data).index) }
            return indexes[data] ?? nil
        }
        return Measurement(
            run: path, recipe, indexes: found.count == recipe.data.paths.count ? found : [])
    }

    /// The steps of a run; damaged lines, except a half-written last one, give a warning.
    private mutating func steps(of folder: RunFolder) throws(FileError) -> [StepMetrics] {
        let metrics = try folder.metrics()
        warnings += metrics.damagedNumbers.map {
            "\(folder.metricsPath), line \($0) is damaged and left out"
        }
        return metrics.steps
    }
}
