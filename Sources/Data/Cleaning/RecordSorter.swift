import FalconSystem

/// A key and the number of the document that has it.
struct KeyRecord: Comparable, BitwiseCopyable, Sendable {
    /// Bits of the number.
    static let documentBits = 40

    private let high: UInt64
    /// 24 bits of the key, then the number.
    private let low: UInt64

    init(_ key: DuplicateKey, document: Int) {
        high = key.high
        low = UInt64(key.low) << Self.documentBits | UInt64(document)
    }

    /// The number of the document.
    var document: Int { Int(low & (1 << Self.documentBits - 1)) }

    /// Whether another record has the same key.
    func hasKey(of other: KeyRecord) -> Bool {
        high == other.high && low >> Self.documentBits == other.low >> Self.documentBits
    }

    /// By key, then by number.
    static func < (a: KeyRecord, b: KeyRecord) -> Bool {
        a.high != b.high ? a.high < b.high : a.low < b.low
    }
}

/// Sorts more records than fit in memory: sorted runs go to a file and are merged.
struct RecordSorter {
    private static let recordBytes = MemoryLayout<KeyRecord>.stride
    /// Bytes that are read from a run at a time, at most.
    private static let mostBytesOfRun = 1 << 20

    private let path: String
    private let memoryBytes: Int
    private let capacity: Int
    private var records: [KeyRecord] = []
    private var runs: [Range<Int>] = []

    /// No records yet.
    ///
    /// - Parameters:
    ///   - path: the file of runs; made when it is needed, and removed by its owner.
    ///   - memoryBytes: taken by records at most, those that sorting needs beside them included.
    init(path: String, memoryBytes: Int) {
        (self.path, self.memoryBytes) = (path, memoryBytes)
        // The library's sort takes half as much again.
        capacity = max(1024, memoryBytes * 2 / 3 / Self.recordBytes)
    }

    /// The number of sorted runs in the file.
    var runCount: Int { runs.count }

    /// Takes a record.
    ///
    /// - Throws: `FileError`, for instance when the disk is full.
    mutating func append(_ record: KeyRecord) throws {
        if records.count == capacity { try writeRun() }
        // An array that doubles would take more than its share.
        if records.count == records.capacity {
            records.reserveCapacity(min(capacity, max(1024, 2 * records.count)))
        }
        records.append(record)
    }

    /// Gives all records in order, and none is left.
    ///
    /// - Parameter body: takes one.
    /// - Throws: `FileError`; what `body` throws.
    mutating func finish(_ body: (KeyRecord) throws -> Void) throws {
        if runs.isEmpty {
            records.sort()
            for record in records { try body(record) }
            records = []
            return
        }
        try writeRun()
        records = []
        try merge(body)
    }

    private mutating func writeRun() throws {
        records.sort()
        let start = runs.last?.upperBound ?? 0
        var written = 0
        while written < records.count {
            let end = min(records.count, written + Self.mostBytesOfRun / Self.recordBytes)
            // As they lie in memory: only this process reads them.
            let bytes = unsafe records[written..<end].withUnsafeBytes { unsafe Array($0) }
            try appendToFile(path: path, bytes)
            written = end
        }
        runs.append(start..<start + written * Self.recordBytes)
        records.removeAll(keepingCapacity: true)
    }

    private func merge(_ body: (KeyRecord) throws -> Void) throws {
        let file = try InputFile(path: path)
        let share = memoryBytes / 2 / runs.count / Self.recordBytes * Self.recordBytes
        let bytes = max(256 * Self.recordBytes, min(Self.mostBytesOfRun, share))
        var heads: [RunReader] = []
        for run in runs {
            if let head = try RunReader(file, run, bytesAtATime: bytes) { heads.append(head) }
        }
        // A heap whose first has the smallest record.
        for place in heads.indices.reversed() { Self.sink(&heads, place) }
        while !heads.isEmpty {
            try body(heads[0].record)
            if try !heads[0].advance() {
                let last = heads.removeLast()
                if heads.isEmpty { break }
                heads[0] = last
            }
            Self.sink(&heads, 0)
        }
    }

    private static func sink(_ heads: inout [RunReader], _ start: Int) {
        var place = start
        while true {
            var smallest = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < heads.count && heads[child].record < heads[smallest].record {
                smallest = child
            }
            if smallest == place { return }
            heads.swapAt(smallest, place)
            place = smallest
        }
    }
}

/// Reads a sorted run of records.
private struct RunReader {
    private static let recordBytes = MemoryLayout<KeyRecord>.stride

    private let file: InputFile
    private var rest: Range<Int>
    private let bytesAtATime: Int
    private var records: [KeyRecord] = []
    private var place = 0
    /// The one that is next.
    private(set) var record: KeyRecord

    /// Nil for a run without records.
    init?(_ file: InputFile, _ range: Range<Int>, bytesAtATime: Int) throws {
        (self.file, rest, self.bytesAtATime) = (file, range, bytesAtATime)
        guard let first = try Self.read(file, &rest, bytesAtATime, &records) else { return nil }
        record = first
    }

    /// Goes to the next record; false if there is none.
    mutating func advance() throws -> Bool {
        place += 1
        if place == records.count {
            place = 0
            guard try Self.read(file, &rest, bytesAtATime, &records) != nil else { return false }
        }
        record = records[place]
        return true
    }

    private static func read(
        _ file: InputFile, _ rest: inout Range<Int>, _ limit: Int, _ records: inout [KeyRecord]
    ) throws -> KeyRecord? {
        let count = min(limit, rest.count)
        let bytes = try file.bytes(at: rest.lowerBound, count: count)
        guard bytes.count == count else {
            throw DataError.unreadableText(
                path: file.path, reason: "cut short while it was used; run again")
        }
        rest = rest.lowerBound + count..<rest.upperBound
        records = unsafe bytes.withUnsafeBytes { bytes in
            (0..<count / recordBytes).map {
                unsafe bytes.loadUnaligned(fromByteOffset: $0 * recordBytes, as: KeyRecord.self)
            }
        }
        return records.first
    }
}
