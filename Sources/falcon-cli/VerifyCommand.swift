import ArgumentParser
import FalconCheckpoint
import FalconData
import FalconSystem
import FalconTensor

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Prove a promise; the exit status tells.",
        subcommands: [VerifyData.self, VerifyCheckpoint.self])
}

struct VerifyData: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Read every byte of a folder of shards and check its digests.")

    @Argument(help: "A folder written by falcon tokenize.")
    var path: String

    @OptionGroup var common: CommonOptions

    func run() throws {
        let dataset = try TokenDataset(path: path)
        try dataset.verify(threadCount: common.threadCount)
        print("\(path): whole; \(dataset.index.datasetDigest)")
    }
}

struct VerifyCheckpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "Check sizes and digests of a checkpoint's files.")

    @Argument(help: "A checkpoint folder.")
    var path: String

    func run() throws {
        let checkpoint = try Checkpoint.open(path)
        print("\(path): whole; step \(checkpoint.manifest.step)")
    }
}
