import FalconTestSupport
import Foundation
import Testing

/// Runs whose numbers are not finite, and steps that are skipped, as a shell sees them.
@Suite struct DivergenceTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    /// Every way to blow a run up ends with the same status, and a word.
    @Test(arguments: [
        "model.lm_head_multiplier=1e20", "optimizer.learning_rate=1e20",
        "optimizer.learning_rate=100.0 parametrization.kind=learnable",
        "optimizer.learning_rate=100.0 parametrization.kind=mup",
        "optimizer.learning_rate=100.0 monitor.every_steps=1",
    ]) func aDivergedRunEndsWithStatusOne(_ settings: String) throws {
        let words = (settings + " train.steps=24 schedule.decay_tokens=0").split(separator: " ")
        let outcome = try place.falcon(
            ["pretrain", "--recipe", "tiny.yaml", "--run", "hot"]
                + words.flatMap { ["--set", String($0)] })
        #expect(outcome.status == 1 && !outcome.endedBySignal && outcome.output == "")
        #expect(outcome.errors.contains("falcon: stopped at step "))
        #expect(outcome.errors.contains("the last good save is "))
        // What was saved can be used.
        let saved = try place.files().filter { $0.hasPrefix("hot/checkpoints/") }
        if !saved.isEmpty { try place.success("eval hot --json") }
    }

    @Test func aHugeZLossIsPrinted() throws {
        let outcome = try place.success(
            "pretrain --recipe tiny.yaml --run z --set train.z_loss=1e30")
        #expect(outcome.errors.contains("e31"))
    }

    @Test func numbersThatFloat32DoesNotHaveAreRefusedByKey() throws {
        try place.failure(
            "pretrain --recipe tiny.yaml --run r --set optimizer.epsilon=1e-50 --set "
                + "model.rms_norm_eps=1e-60 --set model.key_multiplier=1e200 --set "
                + "optimizer.learning_rate=1e39 --set train.z_loss=1e60 --set "
                + "optimizer.betas=[0.9,0.999999999999]",
            status: 78, says: "optimizer.epsilon: got 1e-50, which is 0.0 in float32",
            "model.rms_norm_eps: got 1e-60", "model.key_multiplier: got 1e+200, which is inf",
            "optimizer.learning_rate: got 1e+39", "train.z_loss: got 1e+60",
            "optimizer.betas: got 0.999999999999, which is 1.0 in float32")
    }

    @Test func whatTheRunIsTooShortForIsNoted() throws {
        let short = "--recipe tiny.yaml --set train.steps=3"
        let note = "schedule.decay_tokens is 192, but only 96 of the run's 288 tokens"
        #expect(try place.success("plan \(short)").output.contains("# note: \(note)"))
        #expect(try place.success("pretrain \(short) --run s").errors.contains("note: \(note)"))
        let plan = try place.success("plan --json --recipe tiny.yaml --set train.steps=1").json()
        let notes = (plan["plan"] as? [String: Any])?["notes"] as? [String]
        #expect(notes?.first?.hasPrefix("schedule.warmup_tokens is 192") == true)
    }

    /// There is no token to predict in documents of nothing but the token that ends them.
    @Test func emptyDocumentsMakeNoTrainingData() throws {
        try place.write("empty.jsonl", String(repeating: "{\"text\": \"\"}\n", count: 900))
        try place.failure(
            "tokenize --tokenizer tok.model --validation-fraction 0 --output none empty.jsonl",
            status: 65, says: "no training document: 900 documents were empty")
    }

    @Test func documentsArePrintedByTheirTokens() throws {
        let all = try place.success("documents shards 0 5 200").output.split(separator: "\n")
        let texts = try all.map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        }
        #expect(texts.count == 3 && texts[0]?["first_token"] as? Int == 0)
        #expect(texts[0]?["text"] as? String == texts[1]?["text"] as? String)
        let corpus = String(decoding: try place.read("corpus.jsonl"), as: UTF8.self)
        for text in texts {
            #expect(corpus.contains("\"\(text?["text"] as? String ?? "?")\""))
        }
        try place.failure(
            "documents shards 999999", status: 64, says: "999999 is not in the train split")
    }
}
