import FalconConcurrency

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
        let shardCount = index[split].shards.count
        let (tokenCount, shardTokens) = (index[split].tokens, index.tokensPerShard)
        if tokenCount == 0 { return [] }
        let jobs = BoundedQueue<Int>(capacity: shardCount)
        for shard in 0..<shardCount { jobs.push(shard) }
        jobs.finish()
        let results = OrderedResults<Result<[Int], any Error>>(capacity: shardCount)
        results.finish(total: shardCount)
        let workers = try WorkerThread.some(min(shardCount, Self.threadLimit)) {
            let reader = self.reader(of: split)
            while let shard = jobs.pop() {
                let range = shard * shardTokens..<min(tokenCount, (shard + 1) * shardTokens)
                results.put(Result { try self.documentEnds(in: range, reader) }, number: shard)
            }
        }
        defer {
            jobs.cancel()
            results.cancel()
            for worker in workers { worker.join() }
        }
        var ends: [Int] = []
        while let result = results.take() { ends += try result.get() }
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
