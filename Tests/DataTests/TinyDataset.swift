import FalconSystem
import FalconTestSupport
import FalconTokenizer

@testable import FalconData

/// Writes a data set of given tokens; every document must end with `endOfDocumentID`.
func writeDataset(
    _ folder: String, train: [[Int32]], validation: [[Int32]] = [], vocabularyCount: Int = 1000,
    endOfDocumentID: Int32 = 2, tokensPerFrame: Int = 8, tokensPerShard: Int = 32
) throws -> TokenDataset {
    try createFolder(folder)
    let layout = ShardLayout(
        vocabularyCount: vocabularyCount, tokensPerFrame: tokensPerFrame,
        tokensPerShard: tokensPerShard)
    let shards = try [(Split.train, train), (.validation, validation)].map { split, documents in
        let writer = ShardWriter(folder: folder, split: split, layout: layout)
        for document in documents { try writer.append(document, textBytes: 3 * document.count) }
        try writer.finish()
        return writer.shards
    }
    let index = DatasetIndex(
        tokenizerDigest: SHA256.hex(of: Array("tiny".utf8)), vocabularyCount: vocabularyCount,
        endOfDocumentID: endOfDocumentID, layout: layout, validationFraction: 0,
        train: shards[0], validation: shards[1])
    var model = try AtomicFile(path: folder + "/" + TokenizerFiles.modelName)
    try model.write("tiny")
    try model.commit()
    var file = try AtomicFile(path: folder + "/index.json")
    try file.write(index.encoded())
    try file.commit()
    return try TokenDataset(path: folder)
}

/// Documents of pseudo-random lengths and tokens, each ended by 2.
func randomDocuments(_ count: Int, tokens bound: Int = 1000, seed: UInt64 = 1) -> [[Int32]] {
    var random = LinearGenerator(seed: seed)
    return (0..<count).map { _ in
        (0..<random.below(23)).map { _ in Int32(3 + random.below(bound - 3)) } + [2]
    }
}
