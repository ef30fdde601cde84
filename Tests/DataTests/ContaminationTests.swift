import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Foundation
import Testing

@testable import FalconData

@Suite struct ContaminationTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        let question =
            "Which statement best explains why photosynthesis is the foundation of most food webs in the sea?"
        try folder.write(
            "tasks/arc/test.jsonl",
            "{\"question\": \"\(question)\", \"choices\": {\"text\": [\"Plants make food out of light, every day.\"]}}\n"
        )
        try folder.write(
            "tasks/arc/train.jsonl",
            "{\"question\": \"One two three four five six seven eight nine ten\"}\n")
        try folder.write(
            "tasks/quiz/part/validation.jsonl",
            "\n{\"ctx\": \"A man sits down at a piano and begins to play a slow song for her\", \"n\": 5}\n"
        )
    }

    private func sets() throws -> Contamination {
        try Contamination(paths: [folder.file("tasks")])
    }

    @Test func runsOfThirteenWordsAndWholeShortTextsAreFound() throws {
        let sets = try sets()
        #expect(sets.tasks == ["arc", "part"])
        func tasks(_ text: String) -> [String]? { sets.finding(in: text)?.tasks }
        // 13 of its 16 words, in another case and with other marks.
        let run = "best explains why PHOTOSYNTHESIS — is the “foundation” of most food\nwebs in the"
        #expect(sets.finding(in: "So: \(run) lake.")?.excerpt == run)
        #expect(tasks(run.replacingOccurrences(of: "webs", with: "nets")) == nil)
        #expect(tasks(String(run.dropFirst(5))) == nil)
        // Eight words, all of a short text; seven are not enough.
        #expect(tasks("plants make food out of light every day") == ["arc"])
        #expect(tasks("plants make food out of light every") == nil)
        // Examples do not count.
        #expect(tasks("one two three four five six seven eight nine ten") == nil)
        #expect(
            tasks("\(run), and a man sits down at a piano and begins to play a slow song") == [
                "arc", "part",
            ])
        #expect(tasks("") == nil && tasks("é ü ö") == nil)
    }

    @Test func onlyTheFirstOfOverlappingRunsIsShown() throws {
        let text = "a man sits down at a piano and begins to play a slow song for her"
        #expect(
            try sets().finding(in: "once " + text)?.excerpt
                == "a man sits down at a piano and begins to play a slow")
    }

    @Test func contaminatedDocumentsAreLeftOutAndListed() throws {
        let clean = tinyDocuments(30)
        let held = "They say: a man sits down at a piano and begins to play a slow song, again."
        let lines = clean.enumerated().flatMap { number, text in
            number % 10 == 4 ? [text, held] : [text]
        }
        try folder.write(
            "all.jsonl", lines.map { "{\"text\": \"\($0)\"}\n" }.joined())
        try folder.write("clean.jsonl", clean.map { "{\"text\": \"\($0)\"}\n" }.joined())
        let trained = try TokenizerTrainer(vocabularyCount: 300).train(
            on: DocumentTexts(DocumentReader(paths: [folder.file("clean.jsonl")])).next)
        var corpus = CorpusTokenizer(
            tokenizer: try SentencePieceTokenizer(modelBytes: trained.modelBytes))
        let (wanted, _) = try corpus.write(
            DocumentReader(paths: [folder.file("clean.jsonl")]), to: folder.file("clean"))
        corpus.cleaning.contamination = try sets()
        for threads in [1, 3] {
            corpus.threadCount = threads
            let output = folder.file("out-\(threads)")
            let (index, counts) = try corpus.write(
                DocumentReader(paths: [folder.file("all.jsonl")]), to: output)
            #expect(index.datasetDigest == wanted.datasetDigest)
            #expect(counts.contaminated.documents == 3 && counts.contaminated.byTask == ["part": 3])
            #expect(counts.contaminated.bytes == 3 * held.utf8.count)
            let list = String(
                decoding: try InputFile.contents(of: output + "/" + RejectedItem.fileName),
                as: UTF8.self
            ).split(separator: "\n")
            #expect(list.count == 3 && list[0].contains("\"line\":6"))
            #expect(list.allSatisfy { $0.contains("holds words of part: a man sits down") })
        }
    }

    @Test func setsThatCannotBeReadAreNamed() throws {
        try folder.write("broken/test.jsonl", "{\"a\": \"b\"}\n{\"a\": \n")
        let broken = folder.file("broken")
        let error = #expect(throws: DataError.self) { try Contamination(paths: [broken]) }
        #expect("\(try #require(error))".contains("broken/test.jsonl, line 2: not JSON"))
        try folder.write("short.jsonl", "{\"a\": \"too few words\"}\n")
        let short = folder.file("short.jsonl")
        let few = #expect(throws: DataError.self) { try Contamination(paths: [short]) }
        #expect("\(try #require(few))".contains("no text of 8 words or more"))
        try folder.write("none/train.jsonl", "{}\n")
        let none = folder.file("none")
        let empty = #expect(throws: DataError.self) { try Contamination(paths: [none]) }
        #expect("\(try #require(empty))".contains("no evaluation set is in it"))
        let gone = folder.file("gone")
        #expect(throws: FileError.self) { try Contamination(paths: [gone]) }
    }
}
