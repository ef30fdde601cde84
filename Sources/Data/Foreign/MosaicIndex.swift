import FalconJSON
import FalconSystem

/// The `index.json` of a folder that MosaicML's `streaming` wrote.
struct MosaicIndex {
    /// One shard.
    struct Shard {
        /// The file to read, whose bytes may be compressed.
        let path: String
        /// The compression that the index names; nil if the file is as it is.
        let compression: String?
        /// Bytes of the shard, without compression.
        let byteCount: Int
        /// The SHA-256 of those bytes, if the index tells it.
        let digest: String?
        let samples: Int
        let columns: [MosaicColumn]
    }

    /// The name of the file.
    static let fileName = "index.json"
    /// The version of the format.
    static let version = 2

    /// The file.
    let path: String
    let shards: [Shard]

    /// Reads an index.
    ///
    /// - Parameter path: the folder, or its `index.json`.
    /// - Throws: `FileError`; `DataError.unreadableText` if it cannot be right.
    init(path: String) throws {
        let folder: String
        if fileKind(of: path) == .folder {
            folder = path
            self.path = path + "/" + Self.fileName
        } else {
            folder = RawPath(path).parent
            self.path = path
        }
        let reader = Reader(path: self.path, folder: folder)
        shards = try reader.shards(of: try InputFile.contents(of: self.path))
    }
}

/// Takes an index apart.
private struct Reader {
    let path: String
    let folder: String

    private func invalid(_ reason: String) -> DataError {
        .unreadableText(path: path, reason: reason)
    }

    func shards(of bytes: [UInt8]) throws -> [MosaicIndex.Shard] {
        let root: JSONValue
        do throws(JSONError) {
            root = try JSONValue(parsing: bytes)
        } catch {
            throw invalid(error.description)
        }
        guard let object = root.object, let list = object["shards"]?.array else {
            throw invalid("it is no index of MosaicML's streaming: it has no list of shards")
        }
        guard object["version"]?.integer == MosaicIndex.version else {
            throw invalid("want version \(MosaicIndex.version) of the format")
        }
        return try list.enumerated().map { number, value in
            try shard(value.object ?? JSONObject(), "shard \(number)")
        }
    }

    private func shard(_ object: JSONObject, _ place: String) throws -> MosaicIndex.Shard {
        guard object["format"]?.string == "mds",
            object["version"]?.integer == MosaicIndex.version
        else { throw invalid("\(place) is not of the format mds, version \(MosaicIndex.version)") }
        guard let raw = object["raw_data"]?.object, let byteCount = raw["bytes"]?.integer,
            // Places in a shard have 32 bits.
            (8...Int(UInt32.max)).contains(byteCount)
        else { throw invalid("\(place) has no possible size in raw_data.bytes") }
        guard let samples = object["samples"]?.integer, (0...(byteCount / 4)).contains(samples)
        else { throw invalid("\(place) has no possible number of samples") }
        let file = try file(object, raw, place)
        return MosaicIndex.Shard(
            path: file.path, compression: file.compression, byteCount: byteCount,
            digest: raw["hashes"]?.object?["sha256"]?.string, samples: samples,
            columns: try columns(object, place))
    }

    /// The uncompressed file if it is there, else the compressed one.
    private func file(
        _ object: JSONObject, _ raw: JSONObject, _ place: String
    ) throws -> (path: String, compression: String?) {
        func path(_ object: JSONObject) throws -> String {
            guard let name = object["basename"]?.string, !name.isEmpty, !name.contains("/"),
                name != ".", name != "..", !name.contains("\0")
            else { throw invalid("\(place) has no name of a file in this folder") }
            return folder + "/" + name
        }
        let rawPath = try path(raw)
        guard let zip = object["zip_data"]?.object, fileKind(of: rawPath) == .missing else {
            return (rawPath, nil)
        }
        guard let compression = object["compression"]?.string else {
            throw invalid("\(place) has zip_data and names no compression")
        }
        guard ["zstd", "gz", "bz2"].contains(compression.prefix { $0 != ":" }) else {
            throw invalid(
                "\(place) is compressed with \(compression), want zstd, gz or bz2; decompress it, or "
                    + "write it with one of these")
        }
        return (try path(zip), compression)
    }

    private func columns(_ object: JSONObject, _ place: String) throws -> [MosaicColumn] {
        let names = object["column_names"]?.array?.map(\.string) ?? []
        let encodings = object["column_encodings"]?.array?.map(\.string) ?? []
        let sizes = object["column_sizes"]?.array ?? []
        guard !names.isEmpty, names.count == encodings.count, names.count == sizes.count else {
            throw invalid("\(place) has no columns, or not as many names, encodings and sizes")
        }
        return try names.indices.map { index in
            let size = sizes[index].integer
            guard let name = names[index], let encoding = encodings[index],
                sizes[index] == .null || (0...Int(UInt32.max)).contains(size ?? -1)
            else { throw invalid("\(place), column \(index): want a name, an encoding and a size") }
            // To streaming, 0 is no size.
            return MosaicColumn(name: name, encoding: encoding, byteCount: size == 0 ? nil : size)
        }
    }
}
