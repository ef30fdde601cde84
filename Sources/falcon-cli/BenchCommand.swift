import ArgumentParser
import FalconBench

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure speed against the best that this machine can do.",
        subcommands: [
            BenchKernels.self, BenchTrain.self, BenchGenerate.self, BenchData.self,
            BenchNetwork.self,
        ])
}

extension BenchSize: ExpressibleByArgument {}

extension BenchArchitecture: ExpressibleByArgument {}
