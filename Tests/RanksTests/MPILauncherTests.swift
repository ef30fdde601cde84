import FalconSystem
import Testing

@testable import FalconRanks

/// What is known of the launcher, and the errors before there is an MPI.
@Suite struct MPILauncherTests {
    private func launcher(_ variables: String) -> MPILauncher? {
        MPILauncher(environment: environment(variables))
    }

    private func environment(_ variables: String) -> [String: String] {
        let pairs = variables.split(separator: " ").map {
            $0.split(separator: "=").map(String.init)
        }
        return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
    }

    @Test(arguments: [
        ("OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=4", "mpirun of Open MPI", true),
        ("OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1", "mpirun of Open MPI", false),
        ("PMI_RANK=1 PMI_SIZE=2", "mpirun of MPICH", true),
        (
            "PMI_RANK=1 PMI_SIZE=2 SLURM_PROCID=1 SLURM_NTASKS=2 SLURM_STEP_ID=0 SLURM_MPI_TYPE=pmi2",
            "srun", true
        ),
        ("SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=1", "srun", false),
        ("SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=2 PMIX_RANK=0", "srun", true),
        // mpirun of MPICH in a job, whose helpers srun has started.
        (
            "PMI_RANK=2 PMI_SIZE=3 SLURM_PROCID=1 SLURM_NTASKS=3 SLURM_STEP_ID=0",
            "mpirun of MPICH", true
        ),
        // mpirun of one process in a job of several.
        (
            "SLURM_PROCID=0 SLURM_NTASKS=8 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1",
            "mpirun of Open MPI", false
        ),
        ("PMIX_RANK=0", "a launcher with PMIx", false),
        ("PMIX_RANK=3", "a launcher with PMIx", true),
    ]) func theInnermostLauncherCounts(_ variables: String, name: String, isOfSeveral: Bool) {
        let launcher = launcher(variables)
        #expect(launcher?.name == name && launcher?.isOfSeveral == isOfSeveral)
        #expect(MPILink.isLaunched(environment: environment(variables)))
    }

    @Test func aShellOfSlurmIsNotLaunched() {
        #expect(launcher("SLURM_NTASKS=8") == nil)
        // The script of a job.
        #expect(launcher("SLURM_NTASKS=8 SLURM_PROCID=0") == nil)
        #expect(!MPILink.isLaunched(environment: [:]))
    }

    @Test func theAdviceFitsTheLauncher() {
        func text(_ launcher: String) -> String {
            MPIError.alone(library: "MPICH", launcher: launcher, variables: ["X=4"]).description
        }
        #expect(text(MPILauncher.slurm).contains("--mpi=pmix"))
        #expect(text(MPILauncher.slurm).contains("slurm-wlm-basic-plugins"))
        #expect(text("mpirun of Open MPI").contains("MPICC=mpicc.openmpi"))
    }

    @Test(arguments: [
        ("/nowhere/libfalcon-mpi.so", "there is no /nowhere/libfalcon-mpi.so"),
        ("/etc/passwd", "cannot open /etc/passwd: "),
        ("libz.so.1", "there is no libz.so.1"),
    ]) func aLibraryThatIsNoneIsNamed(_ path: String, words: String) throws {
        let error = #expect(throws: MPIError.self) {
            try MPILink(environment: ["FALCON_MPI_LIBRARY": path])
        }
        #expect(error?.description.hasPrefix(words) == true, "\(error?.description ?? "")")
        #expect(error?.exitStatus == .unavailable)
        #expect(MPIError.noLauncher(command: "falcon").exitStatus == .usage)
    }
}
