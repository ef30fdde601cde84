import FalconData
import FalconRanks
import FalconSystem
import FalconTensor

/// A change of a recipe that makes it need less memory.
public struct MemoryRemedy: Codable, Equatable, Sendable {
    /// Settings as `--set` takes them.
    public let settings: [String]
    /// The bytes that the run would then need.
    public let bytes: Int

    /// The changes that save memory, with the bytes that remain, the smallest changes first.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: threads that will compute.
    ///   - tasks: the tasks that the run scores; nil for none.
    ///   - rankCount: ranks that train together.
    /// - Returns: only changes that the recipe does not have yet.
    /// - Throws: as `MemoryPlan.init`.
    public static func all(
        for recipe: TrainingRecipe, threadCount: Int, tasks: TaskScoring? = nil,
        rankCount: Int = 1
    ) throws -> [MemoryRemedy] {
        typealias Change = (setting: String, apply: (inout TrainingRecipe) -> Void)
        let recompute: [Change] = Recompute.allCases.drop { $0 != recipe.train.recompute }
            .dropFirst().map { value in
                ("train.recompute=\(value.rawValue)", { $0.train.recompute = value })
            }
        let batch: [Change] =
            recipe.train.microBatchSequences > 1
            ? [("train.micro_batch_sequences=1", { $0.train.microBatchSequences = 1 })] : []
        let leaves: [Change] =
            recipe.train.leaves > 1 && rankCount == 1
            ? [("train.leaves=1", { $0.train.leaves = 1 })] : []
        let half = recipe.data.sequenceLength / 2
        let length: [Change] =
            recipe.data.sequenceLength.isMultiple(of: 2)
            ? [("data.sequence_length=\(half)", { $0.data.sequenceLength = half })] : []
        let together = batch + recompute.suffix(1)
        let choices =
            (leaves + recompute + batch + length).map { [$0] }
            + (together.count > 1 ? [together] : [])
            + (together.isEmpty || length.isEmpty ? [] : [together + length])
        return try choices.compactMap { changes in
            var changed = recipe
            for change in changes { change.apply(&changed) }
            // A micro-batch may then be too small for the sequences of a stage.
            guard changed.problems().isEmpty else { return nil }
            return MemoryRemedy(
                settings: changes.map(\.setting),
                bytes: try MemoryPlan(
                    changed, threadCount: threadCount, tasks: tasks, rankCount: rankCount
                ).totalBytes)
        }
    }

    /// A list for a person.
    ///
    /// - Parameters:
    ///   - remedies: the possible changes.
    ///   - available: bytes available.
    /// - Returns: a line for each, and advice if none is enough.
    public static func text(_ remedies: [MemoryRemedy], available: Int) -> String {
        let lines = remedies.map { remedy in
            "  " + remedy.settings.map { "--set \($0)" }.joined(separator: " ")
                + ": \(mebibytes(remedy.bytes))" + (remedy.bytes <= available ? ", fits" : "")
        }
        let isEnough = remedies.contains { $0.bytes <= available }
        return lines.isEmpty
            ? "choose a smaller model or a machine with more memory"
            : "with these settings it would need\n" + lines.joined(separator: "\n")
                + (isEnough ? "" : "\nnone is enough: choose a smaller model or more memory")
    }
}

extension MemoryPlan {
    /// Checks that there is room for a run before any is taken.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: threads that will compute.
    ///   - tasks: the tasks that the run scores; nil for none.
    ///   - ranks: the ranks that train together; those of one host share its memory.
    ///   - available: bytes available on this host; 0 is unknown and never too few.
    /// - Throws: `TrainError.doesNotFit` with the remedies; as `init`.
    public static func requireFit(
        _ recipe: TrainingRecipe, threadCount: Int, tasks: TaskScoring? = nil,
        ranks: RankGroup = RankGroup(), available: Int = availableMemoryByteCount()
    ) throws {
        let host = ranks.host(of: ranks.rank)
        let neighbours = (0..<ranks.count).count { ranks.host(of: $0) == host }
        let available = available / neighbours
        let fit = try MemoryFit(
            recipe, threadCount: threadCount, tasks: tasks, rankCount: ranks.count,
            available: available)
        guard !fit.isEnough else { return }
        throw TrainError.doesNotFit(fit.plan, available: available, remedies: fit.remedies)
    }
}

/// Bytes as "1234 MiB".
func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
