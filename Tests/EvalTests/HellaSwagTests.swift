import FalconSystem
import FalconTestSupport
import Foundation
import Testing

@testable import FalconEval

/// SHA-256 over context, 0x1F, continuation, 0x1E of every request in order.
func promptDigest(_ documents: [TaskDocument], after prefix: String = "") -> String {
    var digest = SHA256()
    for document in documents {
        for (context, continuation) in document.pairs(after: prefix) {
            digest.update("\(context)\u{1F}\(continuation)\u{1E}")
        }
    }
    return digest.finalizeHex()
}

extension TaskDocument {
    /// The places of the right answers.
    var right: Set<Int> {
        if case .choices(_, _, let right) = request { right } else { [] }
    }
}

/// The prompts are those of lm-evaluation-harness 0.4, byte for byte.
@Suite struct HellaSwagTests {
    static let fixture =
        testsFolder + "/EvalTests/Fixtures/hellaswag-200.jsonl"

    /// The folder with hellaswag/validation.jsonl, if it is here.
    static let dataFolder = ProcessInfo.processInfo.environment["FALCON_EVAL_DATA"]

    private func items(_ path: String, limit: Int = .max) throws -> [TaskDocument] {
        try readBytes(ofFile: path).split(separator: 0x0A).prefix(limit).map {
            try HellaSwag().document(from: Record($0))
        }
    }

    @Test func theFirstHundredDocumentsGiveTheHarnessesRequests() throws {
        let items = try items(Self.fixture, limit: 100)
        #expect(items.reduce(0) { $0 + $1.pairs(after: "").count } == 400)
        #expect(
            promptDigest(items)
                == "c30ef03e0d8842d119c007b5a08e7ee1660f00215a60c02cf625e66093ee9f6a")
    }

    @Test(.enabled(if: dataFolder != nil, "FALCON_EVAL_DATA names no folder with the data"))
    func theWholeFileGivesTheHarnessesRequests() throws {
        let items = try items(try #require(Self.dataFolder) + "/hellaswag/validation.jsonl")
        #expect(items.reduce(0) { $0 + $1.pairs(after: "").count } == 40_168)
        #expect(
            promptDigest(items)
                == "02eaa389180251d1668bdef7a920cbb353cfc9b9dd7d56b8a3eed76777a801c3")
    }

    @Test func theFirstDocumentReadsAsItShould() throws {
        let item = try #require(try items(Self.fixture, limit: 1).first)
        let pairs = item.pairs(after: "")
        #expect(
            pairs.allSatisfy {
                $0.context == "Roof shingle removal: A man is sitting on a roof. He"
            })
        #expect(
            pairs.map(\.continuation) == [
                " is using wrap to wrap a pair of skis.", " is ripping level tiles off.",
                " is holding a rubik's cube.", " starts pulling up roofing on a roof.",
            ])
        #expect(item.right == [3])
    }

    private func record(_ label: String, more: String = "") -> [UInt8] {
        Array(
            (#"{"activity_label": "Roof", "ctx_a": "A man sits.", "ctx_b": "he", "#
                + #""endings": ["a", "b", "c", "d"], "label": \#(label)\#(more)}"#).utf8)
    }

    @Test func labelsAreTextsOrNumbers() throws {
        for label in ["3", "\"3\""] {
            let item = try HellaSwag().document(
                from: Record(record(label, more: #", "x": NaN"#)[...]))
            #expect(item.right == [3])
            #expect(item.pairs(after: "")[0].context == "Roof: A man sits. He")
        }
        for (label, message) in [
            ("4", "label is 4, want a number from 0 to 3"), ("-1", "label is -1"),
            ("\"\"", "label is"),
            ("null", "label is null"), ("1.5", "label is 1.5"),
        ] {
            let error = #expect(throws: (any Error).self) {
                try HellaSwag().document(from: Record(record(label)[...]))
            }
            #expect("\(String(describing: error))".contains(message), "\(label)")
        }
    }

    /// Python's `str.capitalize`, computed with Python 3.11.
    @Test(arguments: [
        ("", ""), ("he", "He"), ("the Lady's BAR", "The lady's bar"), ("élan", "Élan"),
        ("ßa", "Ssa"), ("1A", "1a"), (" He", " he"), ("ǆABC", "ǅabc"),
    ]) func capitalizingIsPythons(_ text: String, _ wanted: String) {
        #expect(text.capitalizedAsPython() == wanted)
    }

    /// `text.strip().replace(" [title]", ". ")`, then `re.sub("\\[.*?\\]", "", text)`, then
    /// `text.replace("  ", " ")`, computed with Python 3.11.
    @Test(arguments: [
        ("  a b \n", "a b"), ("a  b", "a b"), ("a   b", "a  b"), ("a    b", "a  b"),
        ("How to [title] do it", "How to. do it"),
        ("a [title] b [step] c", "a. b c"), ("a [x] b", "a b"), ("[x]a", "a"),
        ("a [x\ny] b", "a [x\ny] b"),
        ("a [x [y] z] b", "a z] b"),
        ("a [b", "a [b"), ("a ] b", "a ] b"), ("naïve [é] café", "naïve café"),
        ("\u{A0}a\u{3000}", "a"),
    ]) func cleaningIsTheHarnesses(_ text: String, _ wanted: String) {
        #expect(HellaSwag.cleaned(text) == wanted)
    }

    @Test(arguments: ["4", "-1", "x", ""]) func aLabelOutsideTheEndingsIsAnError(_ label: String) {
        let record =
            "{\"activity_label\":\"a\",\"ctx_a\":\"b\",\"ctx_b\":\"c\",\"endings\":[\"d\",\"e\"],"
            + "\"label\":\"\(label)\"}"
        #expect(throws: RecordError.self) {
            try HellaSwag().document(from: Record(Array(record.utf8)[...]))
        }
    }
}
