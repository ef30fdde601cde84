/// The place of this process among those that a launcher started: srun, mpirun or mpiexec.
public struct LauncherPlace: Sendable, Equatable {
    /// The process, from 0 to `size` - 1.
    public let rank: Int
    /// The number of processes.
    public let size: Int

    /// The variables of launchers: Slurm, Open MPI, PMI (MPICH, Slurm) and PMIx, which has no size.
    private static let variables: [(rank: String, size: String?)] = [
        ("SLURM_PROCID", "SLURM_NTASKS"),
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("PMI_RANK", "PMI_SIZE"),
        ("PMIX_RANK", nil),
    ]

    /// Reads the place from the variables that a launcher sets.
    ///
    /// A size counts only beside its rank: a shell in a Slurm allocation has SLURM_NTASKS, and is no process of it.
    ///
    /// - Parameter environment: the variables of the process.
    /// - Throws: `LauncherError` if no launcher tells the place, if two contradict each other, or if a job array
    ///   makes what they tell misleading.
    public init(environment: [String: String]) throws(LauncherError) {
        var ranks: [(name: String, value: Int)] = []
        var sizes: [(name: String, value: Int)] = []
        for (rank, size) in Self.variables {
            guard let text = environment[rank] else { continue }
            ranks.append((rank, try Self.number(rank, text)))
            if let size, let text = environment[size] {
                sizes.append((size, try Self.number(size, text)))
            }
        }
        guard let rank = ranks.first else {
            throw .none(variables: Self.variables.map(\.rank))
        }
        guard let size = sizes.first else { throw .noSize(name: rank.name, value: rank.value) }
        guard ranks.allSatisfy({ $0.value == rank.value }),
            sizes.allSatisfy({ $0.value == size.value }), rank.value < size.value
        else {
            throw .contradiction(
                found: (ranks + sizes).map { "\($0.name) is \($0.value)" })
        }
        // Every task of an array is a job of its own, in which this is process 0 of 1.
        if let task = environment["SLURM_ARRAY_TASK_ID"] { throw .jobArray(task: task) }
        (self.rank, self.size) = (rank.value, size.value)
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
    /// Variables do not agree.
    case contradiction(found: [String])
    /// The process is a task of a job array.
    case jobArray(task: String)

    /// The message: what was found and wanted, and what to do.
    public var description: String {
        switch self {
        case .none(let variables):
            "no launcher says which process this is: \(variables.joined(separator: ", ")) are not set; "
                + "start it with srun or mpirun, or give its number yourself"
        case .noSize(let name, let value):
            "\(name) is \(value), and no variable says how many processes there are; give both numbers "
                + "yourself"
        case .notANumber(let name, let value):
            "\(name) is \"\(value)\", want a whole number from 0; give the numbers yourself"
        case .contradiction(let found):
            "the launcher's variables contradict each other: \(found.joined(separator: ", ")); unset those "
                + "of the outer launcher, or give the numbers yourself"
        case .jobArray(let task):
            "this is task \(task) of a job array, in which the launcher's numbers are those of the task "
                + "alone; give the task's number yourself: $SLURM_ARRAY_TASK_ID of "
                + "$SLURM_ARRAY_TASK_COUNT"
        }
    }

    /// 64: the command line wants numbers that nobody gives.
    public var exitStatus: ExitStatus { .usage }
}
