import FalconTestSupport
import Foundation
import Testing

/// Mixtures of other trainers as part of a recipe.
@Suite struct DataMixTests {
    let place: Workplace

    init() throws {
        place = try Workplace()
        for (name, share) in [("web", 0.1), ("code", 0.3)] {
            try place.success(
                "tokenize --tokenizer tok.model --validation-fraction \(share) --output sets/\(name) "
                    + "corpus.jsonl")
        }
    }

    private func tokens(_ name: String) throws -> Int {
        let info = try place.success("data info sets/\(name) --json").json()
        return try #require((info["train"] as? [String: Any])?["tokens"] as? Int)
    }

    @Test func aBlendBecomesTheMixtureOfARecipe() throws {
        let wanted = """
            data:
              mix:
                - {path: "sets/web", weight: 0.7}
                - {path: "sets/code", weight: 0.3}

            """
        let flags = "--from megatron --datasets sets"
        #expect(
            try place.success("data mix 0.7 /old/web 0.3 old/code \(flags)").output == wanted)
        try place.write("blend", "0.7 /old/web\n\t0.3\nold/code\n")
        #expect(try place.success("data mix blend \(flags)").output == wanted)
        let blend = try place.read("blend")
        #expect(try place.success("data mix - \(flags)", input: blend).output == wanted)
        // The recipe is one, and its shares are those.
        try place.write("mixed.yaml", "extends: tiny.yaml\n" + wanted)
        let plan = try place.success("plan --recipe mixed.yaml").output
        #expect(plan.contains("sets/web") && plan.contains("sets/code"))
    }

    @Test func withoutWeightsSizesDecide() throws {
        let counts = try [tokens("web"), tokens("code"), tokens("web")]
        for blend in ["sets/web sets/code", "sets/web sets/code ./sets/web"] {
            let mix = try place.success("data mix \(blend) --from megatron --json").json()["mix"]
            let weights = try #require(mix as? [[String: Any]]).compactMap { $0["weight"] as? Int }
            #expect(weights == Array(counts.prefix(weights.count)) && weights.count >= 2)
        }
        try place.write(
            "mix.txt", "# a comment\n\nweb,a/{TOKENIZER}/1.npy\r\ncode,b.npy\n  web,a/2.npy \n")
        let flags = "--from olmo-core --datasets sets"
        let mix = try place.success("data mix mix.txt \(flags) --json").json()["mix"]
        let parts = try #require(mix as? [[String: Any]])
        #expect(parts.map { $0["path"] as? String } == ["sets/web", "sets/code"])
        #expect(parts.map { $0["weight"] as? Int } == counts.prefix(2).map(Optional.init))
        try place.failure(
            "data mix mix.txt --from olmo-core --datasets gone", status: 65,
            says: "2 of 2 data sets are not there",
            "falcon data convert 'a/{TOKENIZER}/1.npy' ... (2 files) --from olmo-core",
            "--output gone/web")
    }

    @Test func weightsOfMoreDigitsAreRounded() throws {
        let outcome = try place.success(
            "data mix 0.123456789012 web 0.3 code 0 absent --from megatron --datasets sets --json")
        #expect(outcome.errors.contains("rounded the weights to nine digits"))
        #expect(outcome.errors.contains("left out absent, whose weight is 0"))
        let result = try outcome.json()
        let parts = try #require(result["mix"] as? [[String: Any]])
        let weights = parts.compactMap { $0["weight"] as? Double }
        let share = weights[0] / (weights[0] + weights[1])
        #expect(abs(share - 0.123456789012 / 0.423456789012) < 2e-9)
        let change = try #require(result["largest_share_change"] as? Double)
        #expect(change > 0 && change < 2e-9)
    }

    @Test func whatCannotBeMappedIsRefused() throws {
        for (blend, words) in [
            ("0.7 old/web x old/code", "\"x\" is no weight"), ("-1 a 2 b", "\"-1\" is no weight"),
            ("nan a 2 b", "\"nan\" is no weight"), ("1 web 2 web", "web is there twice"),
            ("1 a/web 2 b/web", "two data sets would lie in sets/web"), ("0 a 0 b", "are 0"),
            ("1 a/gone 1 web", "--output sets/gone"),
        ] {
            try place.failure(
                ["data", "mix", "--from", "megatron", "--datasets", "sets", "--"]
                    + blend.split(separator: " ").map(String.init), status: 65, says: [words])
        }
        try place.write("bad.txt", "web\n")
        try place.failure(
            "data mix bad.txt --from olmo-core", status: 65, says: "line 1: want a label")
        try place.failure(
            "data mix empty.txt --from megatron", status: 65, says: "names no data set")
        try place.failure("data mix gone --from megatron", status: 66, says: "gone")
        try place.failure("data mix a b --from olmo-core", status: 64, says: "takes one file")
    }
}
