import FalconSystem
import Testing

/// The variables that srun, mpirun and mpiexec set.
@Suite struct LauncherPlaceTests {
    @Test(arguments: [
        "SLURM_STEP_ID=0 SLURM_PROCID=2 SLURM_NTASKS=5",
        "OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=5",
        "PMI_RANK=2 PMI_SIZE=5", "PMI_RANK=2 PMI_SIZE=5 PMIX_RANK=2",
        "SLURM_STEP_ID=0 SLURM_PROCID=2 SLURM_NTASKS=5 PMI_RANK=2 PMI_SIZE=5",
        "SLURM_STEP_ID=0 SLURM_PROCID=2 SLURM_NTASKS=5 PMIX_RANK=2",
        // The two mpirun in a job of Slurm, and from a shell of its allocation.
        "SLURM_PROCID=0 SLURM_NTASKS=5 OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=5 PMIX_RANK=2",
        "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_NTASKS=5 PMI_RANK=2 PMI_SIZE=5",
        "SLURM_NTASKS=64 OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=5",
    ]) func aLauncherTellsThePlace(_ variables: String) throws {
        let place = try LauncherPlace(environment: environment(variables))
        #expect(place.rank == 2 && place.size == 5)
    }

    @Test(arguments: [
        ("", "no launcher says which process this is: OMPI_COMM_WORLD_RANK, PMI_RANK, SLURM_P"),
        ("SLURM_NTASKS=5", "no launcher says"),
        // The script of a job.
        ("SLURM_PROCID=0 SLURM_NTASKS=5", "no launcher says"),
        ("PMIX_RANK=2", "PMIX_RANK is 2, and no variable says how many processes there are"),
        ("SLURM_STEP_ID=0 SLURM_PROCID=2", "SLURM_PROCID is 2, and no variable says how many"),
        ("PMI_RANK=x PMI_SIZE=5", "PMI_RANK is \"x\", want a whole number from 0"),
        ("PMI_RANK=-1 PMI_SIZE=5", "PMI_RANK is \"-1\", want a whole number from 0"),
        ("PMI_RANK=5 PMI_SIZE=5", "contradict each other: PMI_RANK is 5, PMI_SIZE is 5"),
        (
            "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_ARRAY_TASK_ID=7",
            "this is task 7 of a job array"
        ),
    ]) func whatIsNotClearIsRefused(_ variables: String, words: String) throws {
        let error = #expect(throws: LauncherError.self) {
            try LauncherPlace(environment: environment(variables))
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        #expect(error?.exitStatus == .usage)
    }

    private func environment(_ variables: String) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: variables.split(separator: " ").map { word in
                let parts = word.split(separator: "=").map(String.init)
                return (parts[0], parts[1])
            })
    }
}
