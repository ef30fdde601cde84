import FalconTestSupport
import Foundation
import Testing

/// What `--json` prints is one object in one style, whichever command prints it.
@Suite(.serialized) struct JSONStyleTests {
    /// A command with `--json`, on small inputs.
    struct Command: Sendable, CustomTestStringConvertible {
        /// Its words, then the arguments.
        let testDescription: String
        /// Where keys are names that the user has given, or values of the run.
        let named: Set<String>

        init(_ line: String, named: String...) {
            testDescription = line
            self.named = Set(named)
        }
    }

    static let commands = [
        Command("tokenizer train --input corpus.jsonl --vocab-size 285 --output q.model"),
        Command(
            "tokenizer train --model-type byte-level --input corpus.jsonl --vocab-size 285 --output q"
        ),
        Command("tokenizer report tok.model corpus.jsonl"),
        Command("tokenize --tokenizer tok.model --output q corpus.jsonl"),
        Command(
            "tokenize --tokenizer tok.model --output q corpus.jsonl --dry-run --deduplicate near "
                + "--filter gopher-quality,c4"),
        Command("data merge parted"),
        Command("data duplicates corpus.jsonl --output q.list"),
        Command("pretrain --recipe tiny.yaml --run q"),
        // Key paths of the axes; runs by what became of them.
        Command(
            "sweep --recipe sweep.yaml --run q --jobs 1", named: "configurations.configuration",
            "runs"),
        // Key paths of the axes; names of configurations, then of kinds of matrices.
        Command(
            "report run --output q.html", named: "configurations.configuration", "norm_fits",
            "norm_fits.*"),
        Command("plan --recipe tiny.yaml"),
        Command("plan --recipe sweep.yaml", named: "sweep.configurations.configuration"),
        Command(
            "coordcheck --recipe tiny.yaml --widths 16,32 --steps 1 --seeds 1 --tolerance 100"),
        // Paths of texts; names of tasks.
        Command("eval run", named: "texts", "tasks"),
        Command("eval run --tasks hellaswag --data .", named: "texts", "tasks"),
        Command("generate run --prompt state --max-tokens 4"),
        Command("logits run --ids 5"),
        Command("export run --format hf --output q"),
        Command("export run --format gguf --output q --quantize q8_0 --text few.txt"),
        Command("import run --output q"),
        Command("ckpt info run --tensors"),
        Command("ckpt verify run"),
        Command("ckpt diff run run/checkpoints/step-00000006 --tolerance 1000"),
        Command("ckpt average run run/checkpoints/step-00000006 --output q"),
        Command("ckpt convert run --to gguf --output q"),
        Command("ckpt convert run --to checkpoint --output q"),
        Command("verify ops"),
        Command("verify data shards"),
        Command("data info shards"),
        Command("data convert shards --to megatron --output converted"),
        Command("data mix 0.7 shards 0.3 ./shards --from megatron"),
        Command("verify checkpoint run"),
        Command("bench kernels --filter AdamW --repeats 1"),
        Command("bench train --recipe tiny.yaml --steps 1 --warmup 0 --profile"),
        Command("bench generate run --contexts 8 --tokens 2"),
        Command("bench data shards --batch 2 --length 24"),
    ]

    let place: Workplace

    init() throws {
        place = try Workplace()
        try place.write(
            "sweep.yaml",
            "extends: tiny.yaml\nname: swept\ntrain: {steps: 2}\n"
                + "sweep: {grid: {optimizer.kind: [adamw, muon]}, jobs: 1}\n")
        try place.write("few.txt", "the state of the union and the people in war and peace")
        try place.success("tokenize --tokenizer tok.model --output parted corpus.jsonl --shard 1/1")
        try FileManager.default.createDirectory(
            atPath: place.path("hellaswag"), withIntermediateDirectories: true)
        try place.write(
            "hellaswag/validation.jsonl",
            """
            {"activity_label": "War", "ctx_a": "the state", "ctx_b": "of the", \
            "endings": ["union", "law", "tax", "land"], "label": 0}

            """)
    }

    @Test(arguments: commands) func aResultIsOneVersionedObject(_ command: Command) throws {
        let outcome = try place.success(command.testDescription + " --json")
        #expect(outcome.output.hasSuffix("\n") && outcome.output.count { $0 == "\n" } == 1)
        let result = try outcome.json()
        #expect(result["version"] as? Int == 1 && result["falcon"] as? String == "0.1.0")
        check(result, at: [], command)
        #expect(hasSortedKeys(outcome.output))
    }

    /// A new command must be added above.
    @Test func everyCommandWithTheFlagIsTried() throws {
        struct Dump: Decodable {
            struct Argument: Decodable {
                struct Name: Decodable { let name: String }
                let names: [Name]?
            }
            struct Command: Decodable {
                let commandName: String
                let subcommands: [Command]?
                let arguments: [Argument]?

                var withFlag: [String] {
                    let isOne = (arguments ?? []).contains { argument in
                        (argument.names ?? []).contains { $0.name == "json" }
                    }
                    return (isOne ? [commandName] : [])
                        + (subcommands ?? []).flatMap { sub in
                            sub.withFlag.map { commandName + " " + $0 }
                        }
                }
            }
            let command: Command
        }
        let dump = try JSONDecoder().decode(
            Dump.self, from: Data(place.success("--experimental-dump-help").output.utf8))
        let offered = dump.command.withFlag.map { String($0.dropFirst("falcon ".count)) }
        #expect(offered.count >= 24)
        // Needs a launcher.
        for command in offered where command != "bench network" {
            #expect(
                Self.commands.contains { ($0.testDescription + " ").hasPrefix(command + " ") },
                "\(command) is not tried")
        }
    }

    /// Keys at every depth: words of small letters and digits with underscores between them.
    private func check(_ value: Any, at path: [String], _ command: Command) {
        if let list = value as? [Any] {
            for element in list { check(element, at: path, command) }
        }
        guard let object = value as? [String: Any] else { return }
        let isNamed = command.named.contains(path.joined(separator: "."))
        for (key, element) in object {
            #expect(
                isNamed || key.wholeMatch(of: /[a-z][a-z0-9]*(_[a-z0-9]+)*/) != nil,
                "\(command): \(path.joined(separator: ".")) has \(key)")
            check(element, at: path + [isNamed ? "*" : key], command)
        }
    }

    /// Whether the keys of each object in a text of JSON rise.
    private func hasSortedKeys(_ text: String) -> Bool {
        var last: [String] = []
        var rest = text[...]
        while let character = rest.first {
            if character == "{" { last.append("") }
            if character == "}" { last.removeLast() }
            guard let found = rest.prefixMatch(of: /"((?:[^"\\]|\\.)*)"(:?)/) else {
                rest = rest.dropFirst()
                continue
            }
            rest = rest[found.range.upperBound...]
            guard found.2 == ":" else { continue }
            let key = String(found.1)
            if key <= last[last.count - 1] { return false }
            last[last.count - 1] = key
        }
        return last.isEmpty
    }
}
