import ArgumentParser
import FalconData
import FalconInterchange
import FalconSystem
import FalconTensor
import FalconVerification

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check a promise; the exit status is 0 if it holds.",
        subcommands: [VerifyOps.self, VerifyData.self, VerifyCheckpoint.self])
}

struct VerifyOps: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ops",
        abstract: "Compare every op with its specification on this machine.",
        discussion: """
            Forward results are compared with a plain double-precision version written from the \
            papers, gradients with central differences of it. Errors are relative to the largest entry.
            """)

    @Option(help: "The type of the factors in matrix products: f32 or bf16.")
    var precision: Precision = .f32

    @OptionGroup var common: CommonOptions

    /// The output of `--json`.
    private struct Output: Encodable {
        struct Op: Encodable {
            let op: String
            let cases: Int
            let worst_forward: Double
            let worst_backward: Double
        }
        let ops: [Op]
        let passed: Bool
    }

    func run() throws {
        guard precision.isAvailable else {
            throw ValidationError("--precision bf16: this processor has no AVX512-BF16")
        }
        let summaries = OpCase.summaries(
            on: common.makeDevice(precision: precision))
        let passed = summaries.allSatisfy { $0.isWithinLimits(precision) }
        if common.json {
            let ops = summaries.map {
                Output.Op(
                    op: $0.op, cases: $0.caseCount, worst_forward: $0.forward,
                    worst_backward: $0.backward)
            }
            try printJSON(Output(ops: ops, passed: passed))
        } else {
            func row(_ cells: [String]) -> String {
                zip(cells, [22, 7, 15, 15]).map { cell, width in
                    cell + String(repeating: " ", count: max(1, width - cell.count))
                }.joined()
            }
            print(row(["op", "cases", "worst forward", "worst backward"]))
            for summary in summaries {
                print(
                    row([
                        summary.op, "\(summary.caseCount)", scientific(summary.forward, places: 1),
                        scientific(summary.backward, places: 1),
                    ])
                        + (summary.isWithinLimits(precision)
                            ? "" : "FAILED, worst at \(summary.worstLabel)"))
            }
        }
        if !passed { throw ExitCode(ExitStatus.checkFailed.rawValue) }
    }
}

struct VerifyData: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract:
            "Read every byte of a folder of shards, tokenizer included, and check its digests.")

    @Argument(help: "A folder written by falcon tokenize.")
    var path: String

    @OptionGroup var common: CommonOptions

    /// The output of `--json`.
    private struct Output: Encodable {
        let path: String
        let dataset_digest: String
        let tokenizer_sha256: String
        let train_tokens: Int
        let validation_tokens: Int
        let shards: Int
    }

    func run() throws {
        let dataset = try TokenDataset(path: path)
        try dataset.verify(threadCount: common.threadCount)
        let index = dataset.index
        guard common.json else {
            return print("\(path): whole; \(index.datasetDigest)")
        }
        try printJSON(
            Output(
                path: path, dataset_digest: index.datasetDigest,
                tokenizer_sha256: index.tokenizerDigest, train_tokens: index.train.tokens,
                validation_tokens: index.validation.tokens,
                shards: index.train.shards.count + index.validation.shards.count))
    }
}

struct VerifyCheckpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract:
            "Check sizes and digests of the files of a checkpoint, or of all checkpoints of a run.",
        discussion:
            "`falcon ckpt verify` also reads models of other kinds, and checks every weight.")

    @Argument(help: "A checkpoint or a run folder.")
    var path: String

    @OptionGroup var common: CommonOptions

    /// The output of `--json`.
    private struct Output: Encodable {
        let checkpoints: [CheckpointAudit.Entry]
        let damaged: [String]
    }

    func run() throws {
        let audit = try CheckpointAudit(path)
        if common.json {
            try printJSON(
                Output(checkpoints: audit.whole, damaged: audit.damaged.map(\.description)))
        } else {
            for entry in audit.whole { print("\(entry.path): whole; step \(entry.step)") }
        }
        for error in audit.damaged { writeToStandardError("falcon: \(error)\n") }
        if let first = audit.damaged.first { throw ExitCode(first.exitStatus.rawValue) }
    }
}
