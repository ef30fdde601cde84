import FalconJSON
import FalconParquet
import FalconSystem
import FalconTestSupport
import Foundation

/// The samples, and what pyarrow reads in them; `scripts/fixtures/parquet_samples.py` made them with pyarrow 26.0.1,
/// DuckDB 2.0.1, polars 2.1.0 and fastparquet 2026.9.0.
enum Samples {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures").path

    /// What stands in a column.
    struct Column: Codable, Equatable, Sendable {
        let column: String
        let rows: Int
        let nulls: Int
        let sha256: String
    }

    static func path(_ name: String) -> String { "\(folder)/\(name).parquet" }

    static func bytes(_ name: String) throws -> [UInt8] {
        try InputFile.contents(of: path(name))
    }

    static let expected: [String: [Column]] = {
        let bytes = (try? InputFile.contents(of: folder + "/expected.json")) ?? []
        return (try? decodedJSON([String: [Column]].self, from: bytes)) ?? [:]
    }()
}

/// All values of a column.
func values(
    _ path: String, _ column: String = "text", limit: Int = 1 << 26, pageLimit: Int = 1 << 30
) throws -> [ParquetValue] {
    let reader = try ParquetReader(
        InputFile(path: path), column: column, valueLimitBytes: limit, pageLimitBytes: pageLimit)
    var values: [ParquetValue] = []
    while let value = try reader.next() { values.append(value) }
    return values
}

/// What the script says of values: counts, and the digest of lengths and bytes.
func summary(_ values: [ParquetValue], of column: String) -> Samples.Column {
    var digest = SHA256()
    var nulls = 0
    for value in values {
        switch value {
        case .bytes(let bytes):
            digest.update((0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) })
            digest.update(bytes)
        case .null:
            nulls += 1
            digest.update([UInt8](repeating: 0xFF, count: 8))
        case .tooLarge: digest.update([1])
        }
    }
    return Samples.Column(
        column: column, rows: values.count, nulls: nulls, sha256: digest.finalizeHex())
}
