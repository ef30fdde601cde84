import FalconConcurrency
import FalconRunRecord
import GRDB

/// A seed in JSON and in SQLite, whose whole numbers end at 2^63 - 1; a larger one is a text.
struct StoredSeed: Codable, Equatable, Sendable, DatabaseValueConvertible {
    let value: UInt64

    init(value: UInt64) { self.value = value }

    init(from decoder: any Decoder) throws {
        value = try decoder.singleValueContainer().decode(UInt64.self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }

    var databaseValue: DatabaseValue {
        // The mark keeps SQLite from turning it into a rounded number.
        Int64(exactly: value)?.databaseValue ?? "#\(value)".databaseValue
    }

    static func fromDatabaseValue(_ stored: DatabaseValue) -> StoredSeed? {
        if let number = Int64.fromDatabaseValue(stored) {
            return UInt64(exactly: number).map { StoredSeed(value: $0) }
        }
        let digits = String.fromDatabaseValue(stored)?.dropFirst()
        return digits.flatMap { UInt64($0) }.map { StoredSeed(value: $0) }
    }
}

/// The runs of a sweep, in SQLite.
///
/// Every change is one transaction, synced before it returns: the writes of a killed sweep stay.
/// Each row has a digest of its record, so that a changed digit is noticed.
struct SweepDatabase {
    private static let digestName = "digest"

    private let queue: DatabaseQueue
    private let path: String

    init(path: String) throws {
        self.path = path
        // The database's library waits for ever if the system gives no thread at all.
        try WorkerThread {}.join()
        do {
            queue = try DatabaseQueue(path: path)
            try queue.write { database in
                try database.create(table: SweepRecord.databaseTableName, ifNotExists: true) {
                    $0.primaryKey("run", .text)
                    for name in ["path", "status", "configuration", "settings", "recipe_sha256"] {
                        $0.column(name, .text).notNull()
                    }
                    for name in ["version", "seed", "starts"] {
                        $0.column(name, .integer).notNull()
                    }
                    $0.column("learning_rate", .double).notNull()
                    for name in ["rungs", "scores", "message"] { $0.column(name, .text) }
                    for name in ["steps", "tokens", "parameters"] {
                        $0.column(name, .integer)
                    }
                    for name in [
                        "loss", "validation_loss", "validation_bits_per_byte", "elapsed_seconds",
                    ] { $0.column(name, .double) }
                    $0.column(Self.digestName, .text)
                }
                // Of an older version.
                let columns = try database.columns(in: SweepRecord.databaseTableName)
                for name in [Self.digestName, "scores"]
                where !columns.contains(where: { $0.name == name }) {
                    try database.alter(table: SweepRecord.databaseTableName) {
                        $0.add(column: name, .text)
                    }
                }
            }
        } catch {
            throw SweepError.database(path: path, reason: "\(error)")
        }
    }

    /// All runs in the order in which they were added.
    func records() throws -> [SweepRecord] {
        let rows = try reporting {
            try queue.read { database in
                try Row.fetchAll(database, SweepRecord.order(Column.rowID)).map { row in
                    (try SweepRecord(row: row), row[Self.digestName] as String?)
                }
            }
        }
        for (record, digest) in rows {
            guard let digest, digest != (try CheckedLine.check(of: record)) else { continue }
            throw SweepError.database(
                path: path, reason: "the record of \(record.run) is not the one that was written")
        }
        return rows.map(\.0)
    }

    /// Adds a run or replaces its record.
    func save(_ record: SweepRecord) throws {
        try reporting {
            try queue.write { database in
                try record.save(database)
                try database.execute(
                    sql: "UPDATE run SET \(Self.digestName) = ? WHERE run = ?",
                    arguments: [try CheckedLine.check(of: record), record.run])
            }
        }
    }

    private func reporting<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch {
            throw SweepError.database(path: path, reason: "\(error)")
        }
    }
}
