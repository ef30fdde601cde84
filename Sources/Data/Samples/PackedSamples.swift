/// Documents packed into samples of T tokens, so that as few as possible are cut.
///
/// A document of n tokens, the one that ends it included, needs n - 1 rows: nothing is learnt behind its end. From
/// one that needs more than T, whole samples are cut from the front; what is left of it is packed like a
/// short one. The pieces go, from the longest to the shortest, each into the sample with the least room that it fits in (best fit
/// decreasing), or into a new one. So every token but the first of a document is a target once an epoch.
///
/// Takes 12 bytes of memory for each document and 8 for each sample.
/// - SeeAlso: Ding et al., "Fewer Truncations Improve Language Modeling", ICML 2024, arXiv 2404.10830, section 3.
public struct PackedSamples: Sendable {
    /// T.
    public let sequenceLength: Int
    /// Documents that do not fit into a sample.
    public let cutDocuments: Int
    /// Rows of all samples that learn something.
    public let rowCount: Int
    /// The first inputs of all pieces, by sample.
    private let firstTokens: [Int]
    /// Their numbers of inputs.
    private let counts: [Int32]
    /// The number of pieces up to the end of each sample.
    private let ends: [Int]

    /// Samples of an epoch.
    public var sampleCount: Int { ends.count }

    /// The share of the rows of all samples that is padded.
    public var paddingShare: Double {
        sampleCount == 0 ? 0 : 1 - Double(rowCount) / (Double(sampleCount) * Double(sequenceLength))
    }

    /// Packs documents.
    ///
    /// - Parameters:
    ///   - documentEnds: the places behind the documents of a split, ascending.
    ///   - sequenceLength: T, 1 to `Int32.max`.
    init(documentEnds: [Int], sequenceLength: Int) {
        self.sequenceLength = sequenceLength
        // Pieces of T rows fill a sample each; the others are packed.
        var full: [Int] = []
        var rests: [(firstToken: Int, count: Int32)] = []
        var (start, rows, cut) = (0, 0, 0)
        for end in documentEnds {
            var first = start
            let needed = end - start - 1
            start = end
            if needed < 1 { continue }
            rows += needed
            if needed > sequenceLength { cut += 1 }
            while end - first - 1 >= sequenceLength {
                full.append(first)
                first += sequenceLength
            }
            if end - first > 1 { rests.append((first, Int32(end - first - 1))) }
        }
        (rowCount, cutDocuments) = (rows, cut)
        // Stable: those of one length in the order of the split.
        let order = rests.indices.sorted {
            (-rests[$0].count, $0) < (-rests[$1].count, $1)
        }
        var bins = OpenSamples(sequenceLength: sequenceLength)
        let sampleOfPiece = order.map { bins.place(Int(rests[$0].count)) }
        // The pieces by sample, in the order in which they were placed.
        var ends = [Int](repeating: 0, count: bins.count)
        for sample in sampleOfPiece { ends[sample] += 1 }
        var total = 0
        for sample in ends.indices {
            total += ends[sample]
            ends[sample] = total
        }
        var firstTokens = [Int](repeating: 0, count: order.count)
        var counts = [Int32](repeating: 0, count: order.count)
        var next = [0] + ends.dropLast()
        for (piece, sample) in zip(order, sampleOfPiece) {
            (firstTokens[next[sample]], counts[next[sample]]) = rests[piece]
            next[sample] += 1
        }
        self.firstTokens = full + firstTokens
        self.counts = full.map { _ in Int32(sequenceLength) } + counts
        self.ends = Array(1..<full.count + 1) + ends.map { full.count + $0 }
    }

    /// What a sample consists of.
    ///
    /// - Parameter sample: from 0 to `sampleCount - 1`.
    /// - Returns: parts of different documents, at least one, with T rows together at most.
    public func pieces(ofSample sample: Int) -> [SamplePiece] {
        let first = sample == 0 ? 0 : ends[sample - 1]
        return (first..<ends[sample]).map {
            SamplePiece(firstToken: firstTokens[$0], count: Int(counts[$0]))
        }
    }
}

/// Samples with room left, found by it.
private struct OpenSamples {
    /// Samples so far.
    private(set) var count = 0
    private let sequenceLength: Int
    /// The latest sample with so much room; -1 for none.
    private var latest: [Int]
    /// The one before it with the same room.
    private var earlier: [Int] = []
    /// A bit for each room that a sample has, and one for each word of these.
    private var rooms: [UInt64]
    private var words: [UInt64]

    init(sequenceLength: Int) {
        self.sequenceLength = sequenceLength
        latest = Array(repeating: -1, count: sequenceLength)
        rooms = Array(repeating: 0, count: sequenceLength / 64 + 1)
        words = Array(repeating: 0, count: rooms.count / 64 + 1)
    }

    /// Puts a piece into the sample with the least room that it fits in.
    ///
    /// - Parameter rows: of the piece, 1 to T - 1.
    /// - Returns: the sample.
    mutating func place(_ rows: Int) -> Int {
        guard let room = smallestRoom(atLeast: rows) else {
            count += 1
            earlier.append(-1)
            put(count - 1, withRoom: sequenceLength - rows)
            return count - 1
        }
        let sample = latest[room]
        latest[room] = earlier[sample]
        if latest[room] < 0 {
            rooms[room / 64] &= ~(1 << UInt64(room % 64))
            if rooms[room / 64] == 0 { words[room / 4096] &= ~(1 << UInt64(room / 64 % 64)) }
        }
        put(sample, withRoom: room - rows)
        return sample
    }

    private mutating func put(_ sample: Int, withRoom room: Int) {
        if room == 0 { return }
        earlier[sample] = latest[room]
        latest[room] = sample
        rooms[room / 64] |= 1 << UInt64(room % 64)
        words[room / 4096] |= 1 << UInt64(room / 64 % 64)
    }

    private func smallestRoom(atLeast wanted: Int) -> Int? {
        let first = rooms[wanted / 64] >> UInt64(wanted % 64)
        if first != 0 { return wanted + first.trailingZeroBitCount }
        guard let word = Self.firstBit(in: words, from: wanted / 64 + 1) else { return nil }
        return word * 64 + rooms[word].trailingZeroBitCount
    }

    private static func firstBit(in words: [UInt64], from start: Int) -> Int? {
        var place = start / 64
        guard place < words.count else { return nil }
        var word = words[place] & ~0 << UInt64(start % 64)
        while word == 0 {
            place += 1
            if place == words.count { return nil }
            word = words[place]
        }
        return place * 64 + word.trailingZeroBitCount
    }
}
