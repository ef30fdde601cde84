/// Learns which neighbouring tokens become one: byte-pair encoding over counted words.
///
/// Which pair is merged when, and under which id, is what `BpeTrainer` of Hugging Face's `tokenizers` does,
/// down to pairs that give a text which is a token already: the count of a merged pair is not taken back there,
/// so such a pair may be merged once more, and the last time counts.
///
/// - SeeAlso: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units".
struct MergeLearner {
    /// What was learnt.
    struct Result {
        /// The bytes of the tokens from `firstID` on.
        let tokens: [[UInt8]]
        /// Pairs of ids, the first to be merged first, each once.
        let merges: [(left: Int32, right: Int32)]
    }

    /// The id of the first of the 256 bytes, which stand in the order of their characters.
    let firstID: Int
    /// The number of ids to reach, those before `firstID` included.
    let vocabularyCount: Int
    /// The least count of a pair that is merged.
    let minimumCount: Int
    /// Texts that no token may have.
    let forbidden: Set<[UInt8]>

    // Symbols of all words, one word after the other; a word keeps its place when it gets shorter.
    private var symbols: [Int32] = []
    private var starts: [Int] = []
    private var lengths: [Int32] = []
    private var wordCounts: [Int] = []
    private var pairs = PairCounts()
    private var queue = MergeQueue()
    // Words that hold a pair, by the list's number.
    private var lists: [[UInt32]] = []
    // Lists of the pairs that the current merge makes, by the pair's number; -1: none.
    private var openLists: [Int32] = []
    private var opened: [Int] = []

    /// A learner that knows no words.
    init(
        firstID: Int, vocabularyCount: Int, minimumCount: Int, forbidden: Set<[UInt8]>
    ) {
        self.firstID = firstID
        self.vocabularyCount = vocabularyCount
        self.minimumCount = minimumCount
        self.forbidden = forbidden
    }

    /// The bytes in the order of the characters that stand for them.
    static let alphabet: [UInt8] = (0..<256).sorted {
        ByteAlphabet.scalars[$0] < ByteAlphabet.scalars[$1]
    }.map { UInt8($0) }

    /// Learns from words.
    ///
    /// - Parameters:
    ///   - words: emptied as soon as it was read.
    ///   - progress: called after every merge with the number of tokens.
    /// - Returns: fewer tokens than wanted if no pair is left.
    mutating func learn(
        from words: inout WordCounts, progress: ((Int) -> Void)? = nil
    ) -> Result {
        take(&words)
        findPairs()
        var tokens = Self.alphabet.map { [$0] }
        var idOfText = Dictionary(
            uniqueKeysWithValues: tokens.enumerated().map { ($1, Int32(firstID + $0)) })
        var merges: [UInt64] = []
        while tokens.count + firstID < vocabularyCount, var best = queue.pop() {
            let count = pairs.counts[pairs.index(of: best.key)]
            if best.count != count {
                best.count = count
                queue.push(best)
                continue
            }
            if count < max(1, minimumCount) { break }
            let left = Int32(truncatingIfNeeded: best.key >> 32)
            let right = Int32(truncatingIfNeeded: best.key)
            let text = tokens[Int(left) - firstID] + tokens[Int(right) - firstID]
            if forbidden.contains(text) { continue }
            let id = idOfText[text] ?? Int32(firstID + tokens.count)
            if idOfText.updateValue(id, forKey: text) == nil { tokens.append(text) }
            merges.append(best.key)
            merge(left, right, into: id, list: best.list)
            progress?(firstID + tokens.count)
        }
        return Result(tokens: tokens, merges: Self.lastOfEach(merges))
    }

    private static func lastOfEach(_ merges: [UInt64]) -> [(left: Int32, right: Int32)] {
        var seen = Set<UInt64>()
        return merges.reversed().filter { seen.insert($0).inserted }.reversed().map {
            (Int32(truncatingIfNeeded: $0 >> 32), Int32(truncatingIfNeeded: $0))
        }
    }

    private mutating func take(_ words: inout WordCounts) {
        var idOfByte = [Int32](repeating: 0, count: 256)
        for (index, byte) in Self.alphabet.enumerated() {
            idOfByte[Int(byte)] = Int32(firstID + index)
        }
        var symbolCount = 0
        words.forEach { word, _ in if word.count > 1 { symbolCount += word.count } }
        symbols.reserveCapacity(symbolCount)
        words.forEach { word, count in
            // A byte alone has no neighbour.
            if word.count == 1 { return }
            starts.append(symbols.count)
            lengths.append(Int32(word.count))
            wordCounts.append(count)
            for index in word.indices { symbols.append(idOfByte[Int(word[index])]) }
        }
        words = WordCounts()
    }

    private mutating func findPairs() {
        for word in starts.indices {
            let start = starts[word]
            for place in start..<start + Int(lengths[word]) - 1 {
                let index = pairs.index(of: Self.key(symbols[place], symbols[place + 1]))
                pairs.counts[index] += wordCounts[word]
                note(word, holds: index)
            }
        }
        queueOpened()
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Adds a word to the open list of a pair; words come in rising order.
    private mutating func note(_ word: Int, holds pair: Int) {
        while openLists.count <= pair { openLists.append(-1) }
        if openLists[pair] < 0 {
            openLists[pair] = Int32(lists.count)
            lists.append([])
            opened.append(pair)
        }
        let list = Int(openLists[pair])
        if lists[list].last != UInt32(word) { lists[list].append(UInt32(word)) }
    }

    private mutating func queueOpened() {
        for pair in opened {
            let list = Int(openLists[pair])
            openLists[pair] = -1
            if pairs.counts[pair] > 0 {
                queue.push(.init(count: pairs.counts[pair], key: pairs.keys[pair], list: list))
            } else {
                lists[list] = []
            }
        }
        opened.removeAll(keepingCapacity: true)
    }

    private mutating func merge(_ left: Int32, _ right: Int32, into id: Int32, list: Int) {
        let words = lists[list]
        lists[list] = []
        for word in words {
            let word = Int(word)
            let count = wordCounts[word]
            let start = starts[word]
            let end = start + Int(lengths[word])
            var (read, write) = (start, start)
            while read < end {
                guard symbols[read] == left, read + 1 < end, symbols[read + 1] == right else {
                    symbols[write] = symbols[read]
                    read += 1
                    write += 1
                    continue
                }
                if write > start {
                    let before = symbols[write - 1]
                    pairs.counts[pairs.index(of: Self.key(before, left))] -= count
                    add(Self.key(before, id), count, word)
                }
                if read + 2 < end {
                    let behind = symbols[read + 2]
                    pairs.counts[pairs.index(of: Self.key(right, behind))] -= count
                    add(Self.key(id, behind), count, word)
                }
                symbols[write] = id
                read += 2
                write += 1
            }
            lengths[word] = Int32(write - start)
        }
        queueOpened()
    }

    private mutating func add(_ key: UInt64, _ count: Int, _ word: Int) {
        let index = pairs.index(of: key)
        pairs.counts[index] += count
        note(word, holds: index)
    }
}
