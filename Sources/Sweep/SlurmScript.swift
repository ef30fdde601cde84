import FalconSystem

/// A job script for Slurm's sbatch: an array with a task for each run.
struct SlurmScript {
    /// The folder of the sweep.
    let folder: String
    /// A shell line for each run.
    let lines: [String]
    /// Threads of each run.
    let threads: Int
    /// Runs at a time; nil for as many as Slurm starts.
    let jobs: Int?

    /// The tries after which a run that only stops is left to a person.
    private static let restartLimit = 100
    /// Seconds to save in before the time is up.
    private static let noticeSeconds = 300

    /// The script.
    ///
    /// - Throws: `SweepError.unfitForSlurm` for a folder that sbatch cannot be told.
    var text: String {
        get throws {
            // A backslash in a name stops sbatch from filling in the task, and a line cannot go on.
            if folder.contains(where: { $0.isNewline || $0 == "\\" }) {
                throw SweepError.unfitForSlurm(path: folder)
            }
            // sbatch reads these lines with a shell's quotation marks.
            let name = quotedForShell(folder.split(separator: "/").last.map(String.init) ?? folder)
            let log = quotedForShell(folder.replacing("%", with: "%%") + "/slurm-%A-%a.log")
            let limit = jobs.map { "%\($0)" } ?? ""
            let cases = lines.enumerated().map { "\($0 + 1)) run=(\($1)) ;;" }
            return """
                #!/bin/bash
                # A task for each unfinished run of a sweep. Submit it in the folder in which it was made; what is given to
                # sbatch, such as --partition or --time, wins over the lines here.
                #SBATCH --job-name=\(name)
                #SBATCH --array=1-\(lines.count)\(limit)
                #SBATCH --ntasks=1
                #SBATCH --cpus-per-task=\(threads)
                #SBATCH --time=24:00:00
                #SBATCH --signal=TERM@\(Self.noticeSeconds)
                #SBATCH --requeue
                #SBATCH --open-mode=append
                #SBATCH --output=\(log)

                case $SLURM_ARRAY_TASK_ID in
                \(cases.joined(separator: "\n"))
                *)
                    echo "task $SLURM_ARRAY_TASK_ID has no run, want 1 to \(lines.count)" >&2
                    exit 64
                    ;;
                esac
                echo "${run[*]}"
                srun --mpi=none --cpus-per-task="${SLURM_CPUS_PER_TASK:-\(threads)}" "${run[@]}"
                status=$?
                # 75: stopped before its end, everything is saved.
                if ((status == 75 && ${SLURM_RESTART_COUNT:-0} < \(Self.restartLimit))); then
                    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
                fi
                exit "$status"

                """
        }
    }
}
