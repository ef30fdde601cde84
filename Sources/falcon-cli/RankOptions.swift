import ArgumentParser
import FalconConcurrency
import FalconEval
import FalconRanks
import FalconRecipe
import FalconSystem
import FalconTrain
import Foundation

/// Options of commands that several ranks may run together.
struct RankOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Of several ranks, started by mpirun or srun: seconds without a sign after which one counts as failed.",
            valueName: "seconds"))
    var rankSilence = 60

    /// How long silent ranks leave the one that speaks of a failure.
    private static let secondsToSpeak = 0.9

    func validate() throws {
        if !(1...86_400).contains(rankSilence) {
            throw ValidationError("--rank-silence is \(rankSilence), want 1 to 86400")
        }
    }

    /// Runs work on all ranks that a launcher has started, or in this process alone.
    ///
    /// - Parameters:
    ///   - common: threads and output: only the leader talks.
    ///   - work: takes the ranks, and the options of this one.
    /// - Throws: errors of `work`, of other ranks than the leader with their number and host; `MPIError`.
    func run(
        _ common: CommonOptions, _ work: (RankGroup, CommonOptions) throws -> Void
    ) throws {
        let environment = ProcessInfo.processInfo.environment
        guard MPILink.isOfSeveral(environment: environment) else {
            return try work(RankGroup(), common)
        }
        let link = try MPILink(environment: environment, silenceLimit: Double(rankSilence))
        let ranks = RankGroup(link)
        var own = common
        own.quiet = common.quiet || !ranks.isLeader
        own.threads = takeCores(link, own)
        do {
            try work(ranks, own)
            try link.close()
        } catch let error as ExitCode {
            // The work is done; its answer is a status, the same on every rank.
            try link.close()
            throw error
        } catch {
            let own = RankError(rank: ranks.rank, host: ranks.host(of: ranks.rank), error)
            // Said before others know: a launcher may end all as soon as one has ended.
            let isSpeaking = ranks.isLeader || !own.isOfSeveral
            if !own.isOfAnother && isSpeaking { writeToStandardError("falcon: \(own)\n") }
            ranks.fail(error)
            if own.isOfAnother && isSpeaker(link) { throw own }
            if !isSpeaking { sleepSeconds(Self.secondsToSpeak) }
            throw ExitCode(own.exitStatus.rawValue)
        }
    }

    /// Whether this rank speaks of the failure of another: the leader, or the next if the leader has failed.
    private func isSpeaker(_ link: MPILink) -> Bool {
        link.rank == 0 || link.rank == 1 && link.failure?.rank == 0
    }

    /// Takes this rank's part of its host's cores, and says what is short.
    ///
    /// - Returns: the threads of this rank.
    private func takeCores(_ link: MPILink, _ common: CommonOptions) -> Int {
        let share = CoreShare(of: link.rank, places: link.places)
        let threads = common.threads ?? min(share.threadCount, WorkerThread.countLimit)
        if share.isPart { bindProcess(to: share.cores) }
        common.talk(
            "\(link.count) ranks on \(Set(link.hosts).count) hosts by \(link.libraryName), "
                + (share.isPart
                    ? "\(share.sharerCount) on this host, which divide its cores; " : "")
                + "\(threads) threads each")
        for shortage in CoreShortage.all(of: link.places, threadCount: threads) {
            common.talk("warning: \(shortage)")
        }
        return threads
    }
}

/// An error that says how another rank has ended this one.
protocol EndOfAnotherRank: FalconError {}

/// An error with the rank that it has ended.
struct RankError: FalconError {
    let rank: Int
    let host: String
    private let text: String
    /// Whether another rank has ended this one.
    let isOfAnother: Bool
    /// Whether other ranks end for the same reason, or one has given the reason.
    let isOfSeveral: Bool
    let exitStatus: ExitStatus

    init(rank: Int, host: String, _ error: any Error) {
        (self.rank, self.host) = (rank, host)
        let known = error as? any FalconError
        text = known?.description ?? "\(error)"
        isOfAnother = error is RankFailure || error is any EndOfAnotherRank
        // What is wrong with a recipe, a model or a task, every rank finds.
        isOfSeveral =
            isOfAnother || error is RanksDiffer || error is RecipeError || error is TrainError
            || error is EvaluationError
        exitStatus = known?.exitStatus ?? .internalError
    }

    /// The message, behind the rank and its host.
    var description: String { "rank \(rank) on \(host): \(text)" }
}
