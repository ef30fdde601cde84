import FalconJSON
import FalconSystem

/// Writes documents as MosaicML's `streaming` reads them: one sample each, with a column `tokens`.
struct MosaicWriter: ~Copyable {
    /// Bytes of a shard, as `streaming` sets it; a document that is larger has one for itself.
    private static let usualShardBytes = 1 << 26
    private static let column = "tokens"

    private let folder: String
    private let end: Int32
    private let tokenBytes: Int
    private let shardBytes: Int
    /// What every shard and the index tell.
    private let settings: JSONObject
    private let settingsText: [UInt8]
    private let compressor: ZstdFrameEncoder?
    private var samples: [[UInt8]] = []
    private var sampleBytes = 0
    private var shards: [JSONValue] = []

    /// - Parameters:
    ///   - folder: where `index.json` and the shards will be; made with the first document.
    ///   - endOfDocumentID: the token that ends a document.
    ///   - tokenBytes: bytes of a token.
    ///   - isCompressed: whether shards are compressed with zstd.
    ///   - shardBytes: bytes of a shard, at most; tests ask for less.
    init(
        folder: String, endOfDocumentID: Int32, tokenBytes: Int, isCompressed: Bool,
        shardBytes: Int = usualShardBytes
    ) {
        self.shardBytes = shardBytes
        self.folder = folder
        end = endOfDocumentID
        self.tokenBytes = tokenBytes
        compressor = isCompressed ? ZstdFrameEncoder(level: 3) : nil
        settings = [
            "column_encodings": .array([
                .string(tokenBytes == 2 ? "ndarray:uint16" : "ndarray:int32")
            ]),
            "column_names": .array([.string(Self.column)]), "column_sizes": .array([.null]),
            "compression": isCompressed ? .string("zstd") : .null, "format": .string("mds"),
            "hashes": .array([.string("sha256")]), "size_limit": .integer(shardBytes),
            "version": .integer(MosaicIndex.version),
        ]
        settingsText = Array(JSONValue.object(settings).serialized().utf8)
    }

    /// Appends a document, given without the token that ends it.
    mutating func append(_ document: [Int32]) throws {
        let value = MosaicColumn.value(document + [end], bytes: tokenBytes)
        var sample: [UInt8] = []
        appendLittleEndian(UInt32(value.count), to: &sample)
        sample += value
        if !samples.isEmpty
            && headBytes(samples: samples.count + 1) + sampleBytes + sample.count > shardBytes
        {
            try endShard()
        }
        sampleBytes += sample.count
        samples.append(sample)
    }

    /// Writes the last shard and the index, if there was a document.
    consuming func finish() throws {
        if !samples.isEmpty { try endShard() }
        guard !shards.isEmpty else { return }
        let index = JSONValue.object([
            "shards": .array(shards), "version": .integer(MosaicIndex.version),
        ])
        try writeFile("\(folder)/\(MosaicIndex.fileName)", Array(index.serialized().utf8))
    }

    /// Bytes before the samples of a shard.
    private func headBytes(samples count: Int) -> Int { 4 + 4 * (count + 1) + settingsText.count }

    private mutating func endShard() throws {
        if shards.isEmpty { try createFolder(folder) }
        let head = headBytes(samples: samples.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(head + sampleBytes)
        appendLittleEndian(UInt32(samples.count), to: &bytes)
        var place = UInt32(head)
        appendLittleEndian(place, to: &bytes)
        for sample in samples {
            place += UInt32(sample.count)
            appendLittleEndian(place, to: &bytes)
        }
        bytes += settingsText
        for sample in samples { bytes += sample }
        let number = String(shards.count)
        let padded = String(repeating: "0", count: max(0, 5 - number.count)) + number
        let name = "shard.\(padded).mds"
        var shard = settings
        shard["raw_data"] = Self.information(name, bytes)
        shard["samples"] = .integer(samples.count)
        shard["zip_data"] = .null
        if let compressor {
            let zip = compressor.frame(of: bytes)
            shard["zip_data"] = Self.information(name + ".zstd", zip)
            try writeFile("\(folder)/\(name).zstd", zip)
        } else {
            try writeFile("\(folder)/\(name)", bytes)
        }
        shards.append(.object(shard))
        (samples, sampleBytes) = ([], 0)
    }

    private static func information(_ name: String, _ bytes: [UInt8]) -> JSONValue {
        .object([
            "basename": .string(name), "bytes": .integer(bytes.count),
            "hashes": .object(["sha256": .string(SHA256.hex(of: bytes))]),
        ])
    }
}
