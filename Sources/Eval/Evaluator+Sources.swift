import FalconData
import FalconJSON
import FalconSystem

// Scores with the data that they were measured on.
extension Evaluator {
    /// Scores the validation split of a data set.
    ///
    /// - Parameters:
    ///   - folder: written by `falcon tokenize` with the model's tokenizer.
    ///   - sequenceLength: tokens that see each other.
    /// - Returns: the score, and the digest of the data set.
    /// - Throws: `DataError` if the split is too short or was made with another tokenizer, or if it
    ///   cannot be read; `FileError`.
    public func result(
        ofShards folder: String, sequenceLength: Int
    ) throws -> EvaluationResult.Text {
        let dataset = try TokenDataset(path: folder)
        try dataset.requireTokenizer(tokenizer)
        let batches = try ValidationBatches(
            dataset: dataset, sequenceLength: sequenceLength, sequencesPerBatch: 1)
        let iterator = batches.makeIterator()
        guard let score = try score({ try iterator.next() }) else {
            throw DataError.splitTooShort(
                path: folder, split: .validation, tokenCount: dataset.index.validation.tokens,
                wanted: 2)
        }
        return EvaluationResult.Text(
            score: score, dataDigest: dataset.index.datasetDigest, sequenceLength: sequenceLength)
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
