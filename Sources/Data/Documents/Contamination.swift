import FalconJSON
import FalconSystem

/// The texts of evaluation sets, to find documents that hold them.
///
/// Texts are runs of words: letters and digits, whatever their case, without punctuation. A document is
/// contaminated if it holds 13 words in a row of any text of a record; of a text of 8 to 12 words, all of
/// them. Shorter texts do not count. Runs are compared by 64-bit hashes: a trillion words meet a false one
/// among three million with probability 0.2.
///
/// - SeeAlso: Brown et al., "Language Models are Few-Shot Learners", arXiv 2005.14165, appendix C, for
///   runs of 8 to 13 words.
public struct Contamination: Sendable {
    /// What a document holds of evaluation sets.
    struct Finding: Equatable {
        /// The sets, each once, in the order in which they were given.
        let tasks: [String]
        /// The first run of words, as it stands in the document.
        let excerpt: String
    }

    static let longestRun = 13
    static let shortestRun = 8

    /// The names of the sets: of a folder, or of a file without its ending.
    public let tasks: [String]
    /// The SHA-256 of the files' contents in order.
    let digest: String
    /// The hashes of runs by the number of their words, each with its set; of a run in several, the first.
    private let runs: [(length: Int, tasks: [UInt64: Int32])]

    /// Reads evaluation sets.
    ///
    /// - Parameter paths: files of JSON lines, all of whose texts count; or folders, in which files of a name that
    ///   begins with `train` are left out, as are folders in them without such files.
    /// - Throws: `FileError`; `DataError.invalidDocument` for a line that is not JSON,
    ///   `DataError.unreadableText` for a folder without files, or if no text has enough words.
    public init(paths: [String]) throws {
        var files: [(task: String, path: String)] = []
        for path in paths {
            let own = try Self.files(at: path)
            guard !own.isEmpty else {
                throw DataError.unreadableText(
                    path: path,
                    reason: "no evaluation set is in it: no file of JSON lines but those of train")
            }
            files += own
        }
        var tasks: [String] = []
        var runs: [Int: [UInt64: Int32]] = [:]
        var digest = SHA256()
        for (task, path) in files {
            if tasks.last != task && !tasks.contains(task) { tasks.append(task) }
            let number = Int32(tasks.firstIndex(of: task) ?? 0)
            let bytes = try InputFile.contents(of: path)
            digest.update(bytes)
            let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
            for (line, record) in lines.enumerated() {
                if record.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
                let value: JSONValue
                do {
                    value = try JSONValue(parsing: Array(record))
                } catch {
                    throw DataError.invalidDocument(
                        path: path, place: .line(line + 1), reason: "not JSON: \(error)")
                }
                Self.eachText(of: value) { text in
                    let words = Words(of: text)
                    let length = min(Self.longestRun, words.hashes.count)
                    guard length >= Self.shortestRun else { return }
                    words.eachRun(of: length) { _, hash in
                        if runs[length, default: [:]][hash] == nil {
                            runs[length, default: [:]][hash] = number
                        }
                    }
                }
            }
        }
        guard !runs.isEmpty else {
            throw DataError.unreadableText(
                path: paths.joined(separator: ", "),
                reason:
                    "no text of \(Self.shortestRun) words or more; give evaluation sets as JSON lines"
            )
        }
        self.tasks = tasks
        self.digest = digest.finalizeHex()
        self.runs = runs.sorted { $0.key > $1.key }.map { ($0.key, $0.value) }
    }

    /// The files of evaluation sets at a path, with the names of the sets; none in a folder without.
    private static func files(at path: String) throws -> [(task: String, path: String)] {
        let path = withoutTrailingSlashes(path)
        let name = String(path.split(separator: "/").last ?? "")
        guard fileKind(of: path) == .folder else {
            let base = name.hasSuffix(".jsonl") ? String(name.dropLast(6)) : name
            return [(base, path)]
        }
        let names = try namesInFolder(path).sorted().filter { !$0.hasPrefix(".") }
        let own = names.filter { $0.hasSuffix(".jsonl") && !$0.hasPrefix("train") }
        var found = own.map { (name, path + "/" + $0) }
        for below in names where fileKind(of: path + "/" + below) == .folder {
            found += try files(at: path + "/" + below)
        }
        return found
    }

    private static func eachText(of value: JSONValue, _ body: (String) -> Void) {
        if let text = value.string {
            body(text)
        } else if let values = value.array {
            for value in values { eachText(of: value, body) }
        } else if let object = value.object {
            for (_, value) in object.members { eachText(of: value, body) }
        }
    }

    /// What a document holds of the sets; nil if nothing.
    func finding(in text: String) -> Finding? {
        let words = Words(of: text)
        var found: Set<Int32> = []
        var first: Range<Int>?
        for (length, tasks) in runs {
            words.eachRun(of: length) { place, hash in
                guard let task = tasks[hash] else { return }
                found.insert(task)
                if place < first?.lowerBound ?? .max { first = place..<place + length }
            }
        }
        guard let first else { return nil }
        return Finding(
            tasks: found.sorted().map { tasks[Int($0)] }, excerpt: words.text(of: first, in: text))
    }
}

/// Counts of documents that were left out because they hold texts of evaluation sets.
public struct ContaminatedDocuments: Sendable, Equatable, Codable {
    /// Documents.
    public private(set) var documents = 0
    /// Their UTF-8 bytes.
    public private(set) var bytes = 0
    /// Documents by set; one that holds texts of several counts for each.
    public private(set) var byTask: [String: Int] = [:]

    enum CodingKeys: String, CodingKey {
        case documents, bytes
        case byTask = "by_task"
    }

    /// Nothing yet.
    public init() {}

    mutating func add(_ finding: Contamination.Finding, textBytes: Int) {
        documents += 1
        bytes += textBytes
        for task in finding.tasks { byTask[task, default: 0] += 1 }
    }

    mutating func add(_ more: ContaminatedDocuments) {
        documents += more.documents
        bytes += more.bytes
        byTask.merge(more.byTask, uniquingKeysWith: +)
    }
}

/// The words of a text.
private struct Words {
    /// A hash of each.
    let hashes: [UInt64]
    /// Where each begins and ends in the UTF-8.
    private let ranges: [Range<Int>]

    init(of text: String) {
        var hashes: [UInt64] = []
        var ranges: [Range<Int>] = []
        let bytes = Array(text.utf8)
        // FNV-1a.
        let basis: UInt64 = 0xCBF2_9CE4_8422_2325
        var (hash, start) = (basis, -1)
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            let isLetter: Bool
            var length = 1
            if byte < 0x80 {
                isLetter =
                    (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte)
            } else {
                // Punctuation beyond ASCII: U+0080 to U+00BF, U+2000 to U+206F, U+3000 to U+303F.
                let second = place + 1 < bytes.count ? bytes[place + 1] : 0
                let isMark =
                    byte == 0xC2 || byte == 0xE2 && (second == 0x80 || second == 0x81)
                    || byte == 0xE3 && second == 0x80
                isLetter = !isMark
                length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            }
            let end = min(bytes.count, place + length)
            if isLetter {
                if start < 0 { start = place }
                for place in place..<end {
                    let byte = bytes[place]
                    let lower = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
                    // Wrapping is meant.
                    hash = (hash ^ UInt64(lower)) &* 0x100_0000_01B3
                }
            } else if start >= 0 {
                hashes.append(hash)
                ranges.append(start..<place)
                (hash, start) = (basis, -1)
            }
            place = end
        }
        if start >= 0 {
            hashes.append(hash)
            ranges.append(start..<bytes.count)
        }
        (self.hashes, self.ranges) = (hashes, ranges)
    }

    /// Calls a function with the place and the hash of every run of a number of words.
    func eachRun(of length: Int, _ body: (Int, UInt64) -> Void) {
        guard hashes.count >= length else { return }
        // Wrapping is meant: the value of a polynomial modulo 2^64.
        let base: UInt64 = 0x9E37_79B9_7F4A_7C15
        var highest: UInt64 = 1
        for _ in 1..<length { highest = highest &* base }
        var value: UInt64 = 0
        for place in hashes.indices {
            if place >= length { value = value &- hashes[place - length] &* highest }
            value = value &* base &+ hashes[place]
            if place >= length - 1 { body(place - length + 1, value) }
        }
    }

    /// The text from the first to the last of some words.
    func text(of words: Range<Int>, in text: String) -> String {
        let bytes = Array(text.utf8)
        return String(
            decoding: bytes[
                ranges[words.lowerBound].lowerBound..<ranges[words.upperBound - 1].upperBound],
            as: UTF8.self)
    }
}
