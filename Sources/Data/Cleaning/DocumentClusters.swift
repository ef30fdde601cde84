/// Documents in clusters: union-find over their numbers, in which the first of a cluster stands for it.
///
/// Four bytes a document.
///
/// - SeeAlso: Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms", 1984, for path halving.
struct DocumentClusters {
    /// The most documents.
    static let countLimit = Int(UInt32.max)

    /// An earlier document of the same cluster, or itself.
    private var parents: [UInt32]

    /// Every document alone.
    ///
    /// - Parameter count: at most `countLimit`.
    init(count: Int) { parents = (0..<UInt32(count)).map { $0 } }

    /// Puts two documents, with all that are with them, into one cluster.
    mutating func join(_ a: Int, _ b: Int) {
        let (a, b) = (first(of: a), first(of: b))
        if a < b { parents[b] = UInt32(a) } else { parents[a] = UInt32(b) }
    }

    /// The first document of a document's cluster.
    mutating func first(of document: Int) -> Int {
        var place = document
        while parents[place] != place {
            parents[place] = parents[Int(parents[place])]
            place = Int(parents[place])
        }
        return place
    }
}
