import FalconSystem

/// A reason why ranks cannot reach each other by MPI.
public enum MPIError: FalconError, Equatable {
    /// No launcher has started the process.
    case noLauncher(command: String)
    /// There is no library between the program and an MPI.
    case noLibrary(path: String, isGiven: Bool)
    /// The library cannot be opened, because of what the system says.
    case cannotOpen(path: String, reason: String)
    /// The file is a library of something else.
    case foreign(path: String)
    /// The library was built for another version of the program.
    case otherVersion(path: String, found: Int, wanted: Int)
    /// MPI does not start.
    case noStart(library: String, reason: String)
    /// The launcher has started several processes, and MPI knows of one.
    case alone(library: String, launcher: String, variables: [String])

    /// The message: what was found and wanted, and what to do.
    public var description: String {
        switch self {
        case .noLauncher(let command):
            "no launcher has started this process; start it on every rank: mpirun -n 2 \(command), or srun "
                + "--mpi=pmix \(command) (--mpi=pmi2 for MPICH)"
        case .noLibrary(let path, let isGiven):
            "there is no \(path), which lets falcon use MPI"
                + (isGiven ? " and which \(MPILibrary.variable) names" : "")
                + "; build it with this machine's MPI: make mpi"
        case .cannotOpen(let path, let reason):
            "cannot open \(path): \(reason); every host needs the MPI that it was built with, or build it again "
                + "(make mpi)"
        case .foreign(let path):
            "\(path) is not a library between falcon and MPI; build one: make mpi"
        case .otherVersion(let path, let found, let wanted):
            "\(path) has version \(found) of the calls, this falcon wants \(wanted); build it again: make mpi"
        case .noStart(let library, let reason):
            "\(library) does not start: \(reason)"
        case .alone(let library, let launcher, let variables):
            "\(launcher) has started several processes (\(variables.joined(separator: ", "))), and to "
                + "\(library) this one is alone; " + Self.advice(launcher)
        }
    }

    private static func advice(_ launcher: String) -> String {
        launcher == MPILauncher.slurm
            ? "start it with srun --mpi=pmix (for Open MPI) or srun --mpi=pmi2 (for MPICH); srun --mpi=list "
                + "shows what this Slurm has: on Debian both come with slurm-wlm-basic-plugins, and pmix needs "
                + "libpmix2 on every host"
            : "the launcher is of another MPI: start it with the mpirun of that MPI (mpirun.openmpi and "
                + "mpirun.mpich on Debian), or build with the launcher's (make mpi MPICC=mpicc.openmpi or "
                + "mpicc.mpich)"
    }

    /// 69: the machine does not have what is needed; 64 if the program was started without a launcher.
    public var exitStatus: ExitStatus {
        if case .noLauncher = self { .usage } else { .unavailable }
    }
}
