import FalconRecipe
import FalconSystem

/// A problem with a sweep as a whole; problems of a run are recorded with the run.
public enum SweepError: FalconError, Equatable {
    case folderExists(path: String)
    case notASweep(path: String)
    case changed(path: String, changes: [RecipeDifference])
    case noSweep(recipe: String)
    case halvingElsewhere
    case unfitForSlurm(path: String)
    case nothingThere(path: String)
    case database(path: String, reason: String)
    case notScored(objective: String, reason: String)

    /// The message for a person.
    public var description: String {
        switch self {
        case .folderExists(let path):
            "\(path) already holds a sweep; continue it with --resume, or choose another folder "
                + "with --run"
        case .notASweep(let path):
            "\(path) exists and holds no sweep; choose another folder with --run"
        case .changed(let path, let changes):
            "the recipe is not the one that \(path) was started with:\n"
                + changes.map { "  \($0)" }.joined(separator: "\n")
                + "\nrestore these values (without --recipe and --set, the sweep's own recipe is "
                + "used), or start another sweep with --run"
        case .noSweep(let recipe):
            "\(recipe) has no sweep part, so there is nothing to vary; add one, or train it with "
                + "falcon pretrain"
        case .halvingElsewhere:
            "--emit and --gather do not work with halving, where runs wait for each other; remove "
                + "sweep.halving"
        case .unfitForSlurm(let path):
            "\(path) has a backslash or a line break in it, which sbatch does not take in the name of a log; "
                + "choose another folder with --run, or use --emit commands"
        case .nothingThere(let path):
            "\(path) holds no sweep; check --run, or start it with --recipe"
        case .notScored(let objective, let reason):
            "sweep.objective is \(objective), but \(reason)"
        case .database(let path, let reason):
            "\(path): the sweep's database cannot be used: \(reason); if it is damaged, move it away and "
                + "run with --resume: the runs themselves are in their folders"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus {
        switch self {
        case .folderExists, .notASweep: .cannotCreate
        case .changed, .noSweep, .notScored: .badRecipe
        case .halvingElsewhere, .unfitForSlurm: .usage
        case .nothingThere: .missingInput
        case .database: .inputOutput
        }
    }
}
