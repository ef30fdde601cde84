import FalconTestSupport
import Foundation
import Testing

/// Lists of duplicates, filters and dry runs on the command line.
@Suite struct CleaningCommandTests {
    let place: Workplace

    init() throws {
        place = try Workplace()
        // Every fifth document again, in capitals and with a word more.
        let lines = tinyDocuments().enumerated().flatMap { number, text in
            let copy = "{\"text\": \"\(text.uppercased()), indeed\"}\n"
            return ["{\"text\": \"unique\(number) \(text)\"}\n"] + (number % 5 == 4 ? [copy] : [])
        }
        try FileManager.default.createDirectory(
            atPath: place.path("in"), withIntermediateDirectories: true)
        for (number, start) in stride(from: 0, to: lines.count, by: 12).enumerated() {
            try place.write(
                "in/\(number).jsonl", lines[start..<min(start + 12, lines.count)].joined())
        }
    }

    private let tokenize = "tokenize --tokenizer tok.model --validation-fraction 0"

    private func index(_ folder: String) throws -> Data { try place.read("\(folder)/index.json") }

    @Test func aListIsObeyedByOneProcessAndByWorkers() throws {
        let found = try place.success("data duplicates in --output near.list --memory 100M --json")
            .json()
        let count = try #require(found["duplicate_documents"] as? Int)
        #expect(count >= 8 && found["documents"] as? Int == 48)
        let one = try place.success("\(tokenize) --output one in --deduplicate near --json").json()
        #expect(one["duplicate_documents"] as? Int == count)
        #expect(one["documents"] as? Int == 48 - count)
        try place.success("\(tokenize) --output two in --leave-out near.list")
        #expect(try index("one") == index("two"))
        for number in 1...2 {
            try place.success(
                "\(tokenize) --output many in --leave-out near.list --shard \(number)/2")
        }
        try place.success("data merge many")
        #expect(try index("one") == index("many"))
        #expect(
            !place.exists("one.duplicates.partial") && !place.exists("near.list.search.partial"))
        try place.failure(
            "data duplicates in --output near.list", status: 73, says: "--overwrite")
        let table = try place.success(
            "data duplicates in --output near.list --overwrite --quiet"
        ).output
        #expect(table.contains("near, about 0.72 similar") && table.contains("of 48,"))
        try place.failure(
            "\(tokenize) --output three in/0.jsonl --leave-out near.list", status: 65,
            says: "near.list was made of other documents: the input is 4 files")
        try place.failure(
            "\(tokenize) --output three in --leave-out near.list --min-length 5", status: 65,
            says: "--min-length is not given, want 5")
        try place.flipBit(in: "near.list")
        try place.failure(
            "\(tokenize) --output three in --leave-out near.list", status: 65,
            says: "near.list: cut short or changed")
    }

    @Test func whatCannotBeDoneIsSaid() throws {
        for (words, status, message) in [
            ("--deduplicate near --shard 1/2", 64, "falcon data duplicates --by near"),
            ("--deduplicate exact --shard 1/2", 64, "give it to every worker with --leave-out"),
            ("--leave-out gone", 66, "gone: no such file"),
            ("--leave-out tok.model", 65, "tok.model: not a list of documents to leave out"),
            ("--leave-out gone --deduplicate near", 64, "leave --deduplicate near out"),
            ("--memory 200M", 64, "--memory goes with --deduplicate near"),
            ("--memory 1M --deduplicate near", 64, "want 64.0 MB or more"),
            ("--memory lots --deduplicate near", 64, "--memory"),
            ("--filter gopher", 64, "want gopher-repetition, gopher-quality, c4"),
            ("--filter c4,", 64, "want gopher-repetition"),
            (
                "--min-length 9 --max-length 8", 64,
                "--min-length is 9, want at most --max-length, 8"
            ),
            ("--max-length=-1", 64, "want 0 to"),
            ("--min-length \(Int.max)", 64, "want 0 to 1000000000000"),
            ("--deduplicate near --memory 9000000T", 64, "--memory"),
            ("--max-length 1", 65, "48 filtered out"),
        ] as [(String, Int32, String)] {
            try place.failure("\(tokenize) --output q in \(words)", status: status, says: message)
        }
        let text = Data("{\"text\": \"a\"}\n".utf8)
        try place.failure(
            "\(tokenize) --output q --deduplicate near -", status: 64,
            says: "standard input can be read only once", "write it to a file first", input: text)
        for (words, message) in [
            ("--by off", "want exact, normalized or near"),
            ("--by exact --rows 3", "go with --by near"),
            ("--rows 0", "--rows is 0"), ("--bands 4000 --rows 2", "at most 4096 hash functions"),
        ] {
            try place.failure("data duplicates in --output q \(words)", status: 64, says: message)
        }
        try place.failure(
            "data duplicates corpus.jsonl --output corpus.jsonl", status: 64, says: "is read")
    }

    /// A list is of documents, not of places: others there are refused, also with the same names and sizes.
    @Test func aListOfOtherDocumentsIsRefused() throws {
        try place.success("data duplicates in --output near.list")
        let text = String(decoding: try place.read("in/3.jsonl"), as: UTF8.self)
        let lines = text.split(separator: "\n").map { $0 + "\n" }
        let last = try #require(lines.lastIndex { $0.contains("indeed") })
        // Another text, two lines that change places, and one fewer, all of the same size.
        var (other, swapped, fewer) = (lines, lines, lines)
        other[last].replace("indeed", with: "really")
        swapped.swapAt(last, last - 1)
        let gone = fewer.remove(at: last)
        fewer[0].insert(
            contentsOf: String(repeating: " ", count: gone.utf8.count), at: fewer[0].startIndex)
        for changed in [other, swapped, fewer] {
            try place.write("in/3.jsonl", changed.joined())
            for share in ["", " --shard 2/2", " --dry-run"] {
                try place.failure(
                    "\(tokenize) --output q in --leave-out near.list\(share)", status: 65,
                    says: "the files have changed since")
            }
        }
        #expect(!place.exists("q"))
    }

    /// What is read is never the output, however it is spelt.
    @Test func inputsAreNotReplaced() throws {
        let before = try place.files()
        for line in [
            "data duplicates in --output in/1.jsonl --overwrite",
            "data duplicates in --output ./in/../in/2.jsonl --overwrite",
            "data duplicates in --decontaminate in --output in/1.jsonl --overwrite",
            "tokenizer train --input in --vocab-size 300 --output in/1.jsonl --overwrite",
        ] {
            try place.failure(line, status: 64, says: "is read")
        }
        #expect(try place.files() == before)
    }

    @Test func aDryRunShowsWhatWouldGo() throws {
        let words = "--deduplicate near --max-length 410 --filter gopher-quality in"
        let before = try place.files()
        let preview = try place.success("\(tokenize) --output q \(words) --dry-run --json").json()
        let table = try place.success("\(tokenize) --output q \(words) --dry-run")
        #expect(try place.files() == before)
        let done = try place.success("\(tokenize) --output q \(words) --json").json()
        #expect(preview["kept_documents"] as? Int == done["documents"] as? Int)
        #expect(preview["kept_bytes"] as? Int == done["text_bytes"] as? Int)
        #expect(preview["documents"] as? Int == 48 && preview["dry_run"] as? Bool == true)
        let reasons = try #require(preview["reasons"] as? [String: [String: Any]])
        let near = try #require(reasons["duplicate_near"])
        #expect(near["documents"] as? Int == done["duplicate_documents"] as? Int)
        let filtered = reasons.filter { $0.key != "duplicate_near" }
            .compactMapValues { $0["documents"] as? Int }
        #expect(filtered == done["filtered_by_rule"] as? [String: Int] && !filtered.isEmpty)
        #expect(table.output.contains("like in/0.jsonl, line "))
        #expect(
            table.output.contains("kept ")
                && table.output.contains(" characters, want 410 or fewer"))
    }
}
