import FalconSystem

/// A problem with the parts that several workers write of one data set.
public enum PartError: FalconError, Equatable {
    /// The input or an option does not allow several workers.
    case cannotShare(share: InputShare, reason: String)
    /// The worker's part is there, made with other settings.
    case otherSettings(path: String, differences: [String])
    /// The parts of two workers were made with different settings.
    case contradiction(path: String, share: InputShare, other: String, differences: [String])
    /// A part is not what was written.
    case damaged(path: String, share: InputShare, reason: String)
    /// Some workers have not written their parts.
    case missing(folder: String, numbers: [Int], count: Int)
    /// There are parts of different numbers of workers.
    case mixedCounts(folder: String, counts: [Int])
    /// There is no part at all.
    case noParts(folder: String)
    /// There is no part, but a data set.
    case nothingToMerge(path: String, folder: String)

    /// The message: what failed, what was found and wanted, where, and what to do.
    public var description: String {
        switch self {
        case .cannotShare(let share, let reason): return "--shard \(share): \(reason)"
        case .otherSettings(let path, let differences):
            return "\(path) was made with other settings: \(differences.joined(separator: "; ")); "
                + "replace it with --overwrite, or choose another --output"
        case .contradiction(let path, let share, let other, let differences):
            return "\(path) was not made as \(other) was: \(differences.joined(separator: "; ")); "
                + "write one of them again: falcon tokenize with --shard \(share) --overwrite "
                + "writes the first"
        case .damaged(let path, let share, let reason):
            return "\(path) is damaged: \(reason); write this part again: falcon tokenize with "
                + "--shard \(share) --overwrite"
        case .missing(let folder, let numbers, let count):
            return "\(folder) lacks "
                + (numbers.count == 1 ? "part " : "\(numbers.count) parts: ") + ranges(numbers)
                + " of \(count); write \(numbers.count == 1 ? "it" : "them") first: falcon tokenize "
                + "with --shard \(numbers[0])/\(count)\(numbers.count == 1 ? "" : " and so on")"
        case .mixedCounts(let folder, let counts):
            return "\(folder) holds parts for "
                + counts.map(String.init).joined(separator: ", for ")
                + " workers; remove those that are not wanted: *-of-\(counts[0]), for instance"
        case .noParts(let folder):
            return "\(folder) holds no part of a data set; write parts first: falcon tokenize with "
                + "--shard 1/N to N/N and the same --output"
        case .nothingToMerge(let path, let folder):
            return
                "\(path) holds a data set already, and \(folder) no part of another; it was merged "
                + "before, or the workers had another --output"
        }
    }

    /// 64 for an impossible option, 65 for parts that cannot be used, 66 for those that are missing, 73 for what
    /// is in the way.
    public var exitStatus: ExitStatus {
        switch self {
        case .cannotShare: .usage
        case .contradiction, .damaged, .mixedCounts: .badData
        case .missing, .noParts: .missingInput
        case .otherSettings, .nothingToMerge: .cannotCreate
        }
    }

    /// Numbers as a person lists them: "2, 5 to 7".
    private func ranges(_ numbers: [Int]) -> String {
        var found: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = found.last, last.upperBound + 1 == number {
                found[found.count - 1] = last.lowerBound...number
            } else {
                found.append(number...number)
            }
        }
        return found.map {
            switch $0.count {
            case 1: "\($0.lowerBound)"
            case 2: "\($0.lowerBound), \($0.upperBound)"
            default: "\($0.lowerBound) to \($0.upperBound)"
            }
        }.joined(separator: ", ")
    }
}
