import FalconData
import FalconJSON
import FalconSystem

// Scores with the data that they were measured on.
extension Evaluator {
    /// Scores the validation splits of data sets, all together.
    ///
    /// - Parameters:
    ///   - folders: written by `falcon tokenize` with the model's tokenizer; at least one.
    ///   - sequenceLength: tokens that see each other.
    /// - Returns: the score, and the digest of the data.
    /// - Throws: `DataError` if no split is long enough or one was made with another tokenizer, or if it
    ///   cannot be read; `FileError`.
    public func result(
        ofShards folders: [String], sequenceLength: Int
    ) throws -> EvaluationResult.Text {
        var digests: [String] = []
        var scores: [TextScore] = []
        for folder in folders {
            let dataset = try TokenDataset(path: folder)
            try dataset.requireTokenizer(tokenizer)
            let digest = dataset.index.datasetDigest
            // Data that lies at two places counts once.
            if digests.contains(digest) { continue }
            digests.append(digest)
            guard dataset.hasValidation || folders.count == 1 else { continue }
            let batches = try ValidationBatches(
                dataset: dataset, sequenceLength: sequenceLength, sequencesPerBatch: 1)
            let iterator = batches.makeIterator()
            if let score = try score({ try iterator.next() }) { scores.append(score) }
        }
        guard let score = TextScore(combining: scores) else {
            throw DataError.splitTooShort(
                path: folders.joined(separator: ", "), split: .validation, tokenCount: 0, wanted: 2)
        }
        return EvaluationResult.Text(
            score: score, dataDigest: combinedDigest(digests), sequenceLength: sequenceLength)
    }

    /// Scores a text file.
    ///
    /// - Parameters:
    ///   - path: UTF-8 text, scored as one document.
    ///   - sequenceLength: tokens that see each other.
    /// - Returns: the score, and the SHA-256 of the file.
    /// - Throws: as `score(textFile:sequenceLength:)`.
    public func result(
        ofText path: String, sequenceLength: Int
    ) throws -> EvaluationResult.Text {
        EvaluationResult.Text(
            score: try score(textFile: path, sequenceLength: sequenceLength),
            // A pipe can be read only once.
            dataDigest: fileKind(of: path) == .file && !isStream(path)
                ? try SHA256.hex(ofFile: path) : nil,
            sequenceLength: sequenceLength)
    }
}
