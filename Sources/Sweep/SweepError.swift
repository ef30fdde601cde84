import FalconSystem

/// What is wrong with a sweep as a whole; what happens to a run is recorded with it.
public enum SweepError: FalconError, Equatable {
    case folderExists(path: String)
    case nothingToResume(path: String)
    case changed(path: String, got: String, want: String)
    case noSweep(recipe: String)
    case isSweep(recipe: String)
    case halvingElsewhere
    case database(path: String, reason: String)

    /// The message for a person.
    public var description: String {
        switch self {
        case .folderExists(let path):
            "\(path) holds a sweep already; go on with it by --resume, or choose another folder with "
                + "--run"
        case .nothingToResume(let path):
            "\(path) holds no sweep to resume; start it without --resume"
        case .changed(let path, let got, let want):
            "the recipe is not the one that \(path) was started with (its digest is \(got), the "
                + "sweep's is \(want)); restore it, or start another sweep with --run"
        case .noSweep(let recipe):
            "\(recipe) has no sweep part, so there is nothing to vary; add one, or train it with "
                + "falcon pretrain"
        case .isSweep(let recipe):
            "\(recipe) has a sweep part: it is many runs; run it with falcon sweep"
        case .halvingElsewhere:
            "--emit and --gather cannot follow halving, where runs wait for each other; leave "
                + "sweep.halving out"
        case .database(let path, let reason):
            "\(path): the sweep's database cannot be used: \(reason)"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus {
        switch self {
        case .folderExists: .cannotCreate
        case .nothingToResume: .missingInput
        case .changed, .noSweep, .isSweep: .badRecipe
        case .halvingElsewhere: .usage
        case .database: .inputOutput
        }
    }
}
