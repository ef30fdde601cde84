/// The place of this process among those that a launcher started: srun, mpirun or mpiexec.
public struct LauncherPlace: Sendable, Equatable {
    /// The process, from 0 to `size` - 1.
    public let rank: Int
    /// The number of processes.
    public let size: Int

    /// The variables of launchers, the nearest first.
    ///
    /// mpirun in a job of Slurm leaves variables of the job behind, and srun sets those of PMI. PMIx has no size.
    private static let variables: [(rank: String, size: String?)] = [
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("PMI_RANK", "PMI_SIZE"),
        ("SLURM_PROCID", "SLURM_NTASKS"),
        ("PMIX_RANK", nil),
    ]

    /// Reads the place from the variables that a launcher sets.
    ///
    /// Slurm's count only in what srun has started: the script of a job has SLURM_PROCID 0 and the tasks of the
    /// job, and is no process of it.
    ///
    /// - Parameter environment: the variables of the process.
    /// - Throws: `LauncherError` if no launcher tells the place, if its numbers make no sense, or if a job array
    ///   makes what they tell misleading.
    public init(environment: [String: String]) throws(LauncherError) {
        let isStep = environment["SLURM_STEP_ID"] != nil
        let nearest = Self.variables.first { rank, _ in
            environment[rank] != nil && (rank != "SLURM_PROCID" || isStep)
        }
        guard let nearest, let rankText = environment[nearest.rank] else {
            throw .none(variables: Self.variables.map(\.rank))
        }
        let rank = try Self.number(nearest.rank, rankText)
        guard let sizeName = nearest.size, let sizeText = environment[sizeName] else {
            throw .noSize(name: nearest.rank, value: rank)
        }
        let size = try Self.number(sizeName, sizeText)
        guard rank < size else {
            throw .contradiction(
                found: ["\(nearest.rank) is \(rank)", "\(sizeName) is \(size)"])
        }
        // Every task of an array is a job of its own, in which this is process 0 of 1.
        if let task = environment["SLURM_ARRAY_TASK_ID"] { throw .jobArray(task: task) }
        (self.rank, self.size) = (rank, size)
    }

    private static func number(_ name: String, _ text: String) throws(LauncherError) -> Int {
        guard let number = Int(text), number >= 0 else {
            throw .notANumber(name: name, value: text)
        }
        return number
    }
}

/// A problem with the variables of a launcher.
public enum LauncherError: FalconError, Equatable {
    /// No launcher's variable is set.
    case none(variables: [String])
    /// The rank is set, and nothing tells the number of processes.
    case noSize(name: String, value: Int)
    /// A variable is not a whole number.
    case notANumber(name: String, value: String)
    /// The number is not below the count.
    case contradiction(found: [String])
    /// The process is a task of a job array.
    case jobArray(task: String)

    /// The message: what was found and wanted, and what to do.
    public var description: String {
        switch self {
        case .none(let variables):
            "no launcher says which process this is: \(variables.joined(separator: ", ")) are not set, or only "
                + "by the job around it; start it with srun or mpirun, or give its number yourself"
        case .noSize(let name, let value):
            "\(name) is \(value), and no variable says how many processes there are; give both numbers "
                + "yourself"
        case .notANumber(let name, let value):
            "\(name) is \"\(value)\", want a whole number from 0; give the numbers yourself"
        case .contradiction(let found):
            "the launcher's variables contradict each other: \(found.joined(separator: ", ")); give the "
                + "numbers yourself"
        case .jobArray(let task):
            "this is task \(task) of a job array, in which the launcher's numbers are those of the task "
                + "alone; give the task's number yourself: $SLURM_ARRAY_TASK_ID of "
                + "$SLURM_ARRAY_TASK_COUNT"
        }
    }

    /// 64: the command line wants numbers that nobody gives.
    public var exitStatus: ExitStatus { .usage }
}
