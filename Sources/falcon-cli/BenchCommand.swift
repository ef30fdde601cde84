import ArgumentParser
import FalconBench

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure speed against what this machine does at best.",
        subcommands: [
            BenchKernels.self, BenchTrain.self, BenchGenerate.self, BenchData.self,
        ])
}

extension BenchSize: ExpressibleByArgument {}

extension BenchArchitecture: ExpressibleByArgument {}
