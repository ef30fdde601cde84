import ArgumentParser
import FalconBench
import FalconSystem
import FalconTensor

struct BenchKernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Time every kernel at the shapes of the three quoted sizes.",
        discussion: """
            The kernels of a size run one after the other, --repeats times; the median time \
            counts. FLOPs are those of products; bytes count every tensor once. The floor is the \
            least time that either can take on this machine.
            """)

    @Option(
        help: ArgumentHelp(
            "Only kernels with this in their title, such as \"tiny\" or \"0.5b head\".",
            valueName: "name"))
    var filter: String?

    @Option(help: "The type of the factors in matrix products: f32 or bf16.")
    var precision = Precision.f32

    @Option(help: "How many times each kernel runs.")
    var repeats = 9

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if repeats < 1 { throw ValidationError("--repeats is \(repeats), want at least 1") }
    }

    /// The output of `--json`.
    private struct Output: Encodable {
        let machine: MachineReport
        let kernels: [KernelLine]
    }

    func run() throws {
        let benchmark = KernelBenchmark(
            repeats: repeats, threadCount: common.threadCount, precision: precision, filter: filter)
        try benchmark.check()
        let watch = MachineWatch(threadCount: common.threadCount)
        let measurements = try benchmark.run()
        let machine = watch.finish()
        let lines = measurements.map { KernelLine($0, machine.peak) }
        warnOfOthers(machine, common)
        if common.json { return try printJSON(Output(machine: machine, kernels: lines)) }
        printMachine(machine)
        print("")
        var table = Table(
            "kernel", "shape", "format", "median", "GFLOP/s", "of peak", "GB/s", "floor",
            "of floor", "ns an element")
        for line in lines {
            table.add([
                line.size + " " + line.kernel, line.shape, line.precision,
                shortTime(line.seconds), giga(line.flops / line.seconds),
                line.shareOfPeak.map(percent) ?? "-", giga(line.bytes / line.seconds),
                shortTime(line.floorSeconds), percent(line.shareOfFloor),
                decimal(line.secondsPerElement * 1e9, places: 3),
            ])
        }
        table.printed()
    }
}
