/// What the variables of launchers say about the processes that were started together.
///
/// They serve messages only: who is which rank is what MPI says.
struct MPILauncher: Equatable {
    static let slurm = "srun"

    /// The launcher's name.
    let name: String
    /// The variables that were seen, as NAME=VALUE.
    let variables: [String]
    /// Whether it has started more than one process.
    let isOfSeveral: Bool

    /// The innermost launcher first: a job of Slurm may call mpirun.
    private static let launchers: [(name: String, rank: String, size: String?)] = [
        ("mpirun of Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("mpirun of MPICH", "PMI_RANK", "PMI_SIZE"),
        (slurm, "SLURM_PROCID", "SLURM_NTASKS"),
        ("a launcher with PMIx", "PMIX_RANK", nil),
    ]

    /// The launcher of this process; nil if no variable tells of one.
    init?(environment: [String: String]) {
        let isStep = environment["SLURM_STEP_ID"] != nil
        for (name, rank, size) in Self.launchers {
            guard let rankText = environment[rank] else { continue }
            // The script of a job has this variable too, and is no process of srun's.
            if name == Self.slurm && !isStep { continue }
            let sizeText = size.flatMap { environment[$0] }
            // srun sets the variables of PMI too; so does MPICH's mpirun in a job, without a type.
            let isSlurm =
                name == Self.slurm
                || isStep && environment["SLURM_MPI_TYPE"] != nil && rank != "OMPI_COMM_WORLD_RANK"
            self.name = isSlurm ? Self.slurm : name
            variables =
                ["\(rank)=\(rankText)"]
                + (size.flatMap { size in sizeText.map { ["\(size)=\($0)"] } } ?? [])
            isOfSeveral = sizeText.flatMap { Int($0) } ?? ((Int(rankText) ?? 0) + 1) > 1
            return
        }
        return nil
    }
}
