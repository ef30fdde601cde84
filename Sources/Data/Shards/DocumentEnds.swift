extension TokenDataset {
    private static let threadLimit = 8

    /// The places behind the documents of a split, found by reading all of it.
    ///
    /// The last is the end of the split, also where nothing ends the last document.
    ///
    /// - Parameter split: which split.
    /// - Returns: ascending.
    /// - Throws: `DataError.damagedShard` or `FileError` if the shards cannot be read.
    func documentEnds(of split: Split) throws -> [Int] {
        let (tokenCount, shardTokens) = (index[split].tokens, index.tokensPerShard)
        if tokenCount == 0 { return [] }
        var ends: [Int] = []
        try inOrder(index[split].shards.count, threadCount: Self.threadLimit) {
            let reader = self.reader(of: split)
            return { shard in
                let range = shard * shardTokens..<min(tokenCount, (shard + 1) * shardTokens)
                return try self.documentEnds(in: range, reader)
            }
        } consuming: {
            ends += $0
        }
        if ends.last != tokenCount { ends.append(tokenCount) }
        return ends
    }

    private func documentEnds(in range: Range<Int>, _ reader: TokenReader) throws -> [Int] {
        var ends: [Int] = []
        for start in stride(from: range.lowerBound, to: range.upperBound, by: index.tokensPerFrame)
        {
            let tokens = try reader.tokens(
                in: start..<min(range.upperBound, start + index.tokensPerFrame))
            for (place, token) in tokens.enumerated() where token == index.endOfDocumentID {
                ends.append(start + place + 1)
            }
        }
        return ends
    }
}
