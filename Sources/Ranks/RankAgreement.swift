import FalconSystem

/// What ranks must have in common to work together.
public struct RankAgreement {
    private var facts: [(name: String, value: String)] = [("falcon", Self.program)]

    /// An agreement on the program.
    public init() {}

    /// The digest of this program.
    private static var program: String {
        guard let file = try? MappedFile(path: "/proc/self/exe") else { return "unknown" }
        return shortened(file.sha256Hex())
    }

    /// Adds a fact.
    ///
    /// - Parameters:
    ///   - name: what it is about, such as "the recipe".
    ///   - digest: the same on every rank if all is well.
    public mutating func add(_ name: String, _ digest: String) {
        facts.append((name, Self.shortened(digest)))
    }

    private static func shortened(_ digest: String) -> String { String(digest.prefix(16)) }

    /// Compares the facts of all ranks.
    ///
    /// - Parameter ranks: all of them do this.
    /// - Throws: `RanksDiffer`, on every rank; `RankFailure` if a rank has failed.
    public func check(_ ranks: RankGroup) throws {
        guard ranks.link != nil else { return }
        let values = try ranks.gather(facts.map(\.value).joined(separator: "\n"))
            .map { $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
        var differences: [String] = []
        for (place, fact) in facts.enumerated() {
            for rank in 1..<ranks.count where values[rank][place] != values[0][place] {
                differences.append(
                    "\(fact.name): \(values[rank][place]) at rank \(rank) on "
                        + "\(ranks.host(of: rank)), \(values[0][place]) at rank 0 on "
                        + ranks.host(of: 0))
            }
        }
        guard differences.isEmpty else { throw RanksDiffer(differences: differences) }
    }
}

/// Ranks that do not run the same thing.
public struct RanksDiffer: FalconError, Equatable {
    /// What differs, with the ranks and hosts, one line each.
    public let differences: [String]

    /// The message: what differs where, and what to do.
    public var description: String {
        "the ranks do not run the same thing:\n"
            + differences.map { "  \($0)" }.joined(separator: "\n")
            + "\nstart all of them from the same program, recipe, settings and data"
    }

    /// 78: what was asked for is not one thing.
    public var exitStatus: ExitStatus { .badRecipe }
}
