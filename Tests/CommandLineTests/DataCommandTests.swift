import FalconTestSupport
import Foundation
import Testing

/// What the commands on data sets and mixtures show.
@Suite struct DataCommandTests {
    let place: Workplace

    init() throws {
        place = try Workplace()
        try place.write(
            "more.jsonl",
            (0..<30).map { "{\"text\": \"the bank of law \($0) and a tax\"}\n" }.joined())
        try place.success(
            "tokenize --tokenizer tok.model --output more --validation-fraction 0.1 more.jsonl")
        try place.write(
            "mix.yaml",
            """
            extends: tiny.yaml
            data:
              mix: [{path: shards, weight: 0.75}, {path: more, weight: 0.25}]
              stages: [{tokens: 192}, {sequence_length: 12}]

            """)
    }

    private func lines(_ outcome: Outcome) throws -> [[String: Any]] {
        try outcome.output.split(separator: "\n").map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    @Test func theOrderIsTheOneThatIsTrained() throws {
        let order = try lines(try place.success("data order --recipe mix.yaml --steps 1-8"))
        try place.success("pretrain --recipe mix.yaml --run mixed")
        let metrics = try String(decoding: place.read("mixed/metrics.jsonl"), as: UTF8.self)
            .split(separator: "\n").map {
                try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        #expect(metrics.count == 8)
        for line in metrics {
            let step = try #require(line["step"] as? Int)
            let sources = try #require(line["sources"] as? [String: [String: Any]])
            for (place, name) in ["shards", "more"].enumerated() {
                let tokens = order.filter {
                    ($0["step"] as? Int ?? 9) <= step && $0["source"] as? Int == place
                }
                .reduce(0) { $0 + ($1["tokens"] as? Int ?? 0) }
                #expect(sources[name]?["tokens"] as? Int == tokens)
            }
        }
        // Two steps of four sequences of 24, then of eight of 12.
        #expect(order.count == 2 * 4 + 6 * 8)
        #expect(order.last?["tokens"] as? Int == 12 && order.last?["sequence"] as? Int == 4)
        let outcome = try place.success("data order --recipe mixed/recipe.resolved.yaml --steps 3")
        #expect(try lines(outcome).count == 8)
    }

    @Test func theDocumentsOfAStepAreShown() throws {
        let shown = try lines(try place.success("data show --recipe mix.yaml --steps 1-2"))
        #expect(shown.count == 8)
        #expect(Set(shown.compactMap { $0["source"] as? String }) == ["shards", "more"])
        let texts = try String(decoding: place.read("more.jsonl"), as: UTF8.self)
        for line in shown where line["source"] as? String == "more" {
            let documents = try #require(line["documents"] as? [[String: Any]])
            for document in documents {
                let text = try #require(document["text"] as? String)
                #expect(texts.contains(text.trimmingCharacters(in: .whitespaces)))
            }
        }
        try place.failure(
            "data show --recipe mix.yaml --steps 9", status: 64, says: "the run has 8 steps")
        try place.failure("data order --recipe mix.yaml --steps 2-1", status: 64, says: "2-1")
    }

    @Test func aDataSetSaysWhatItHolds() throws {
        let info = try place.success("data info more --json").json()
        let index = try #require(
            JSONSerialization.jsonObject(with: place.read("more/index.json")) as? [String: Any])
        #expect(info["dataset_digest"] as? String == index["dataset_digest"] as? String)
        let (train, held) = try (
            #require(info["train"] as? [String: Any]),
            #require(info["validation"] as? [String: Any])
        )
        #expect((train["documents"] as? Int ?? 0) + (held["documents"] as? Int ?? 0) == 30)
        #expect(try place.success("data info more").output.contains("30 documents") == false)
        try place.failure("data info gone", status: 66, says: "gone/index.json")
    }

    @Test func plansAndEvaluationsKnowMixtures() throws {
        let plan = try place.success("plan --recipe mix.yaml --json").json()
        let sources = try #require(plan["sources"] as? [[String: Any]])
        #expect(sources.compactMap { $0["path"] as? String } == ["shards", "more"])
        #expect(sources.reduce(0) { $0 + ($1["tokens"] as? Int ?? 0) } == 8 * 96)
        #expect(try place.success("plan --recipe mix.yaml").output.contains("# data more"))
        try place.success("pretrain --recipe mix.yaml --run mixed --set evaluation.tokens=null")
        // The same score as the run's own, on all validation parts, each document whole.
        let score = try place.success("eval mixed --json").json()
        let texts = try #require(score["texts"] as? [String: [String: Any]])
        let metrics = try String(decoding: place.read("mixed/metrics.jsonl"), as: UTF8.self)
        let last = try #require(metrics.split(separator: "\n").last)
        let line = try #require(
            JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
        let loss = try #require(texts["validation"]?["loss"] as? Double)
        #expect(abs(loss - (line["validation_loss"] as? Double ?? 0)) < 1e-6)
        let both = try place.success("eval mixed --shards shards --shards more --json").json()
        let given = try #require(both["texts"] as? [String: [String: Any]])
        #expect(given["validation"]?["loss"] as? Double == loss)
        try place.success("report mixed --output report.html")
        let page = try String(decoding: place.read("report.html"), as: UTF8.self)
        #expect(
            page.contains("Validation loss on more") && page.contains("Epochs of each data set"))
    }
}
