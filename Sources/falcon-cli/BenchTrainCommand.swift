import ArgumentParser
import FalconBench
import FalconSystem
import FalconTensor
import FalconTrain

extension Recompute: ExpressibleByArgument {}

extension Precision: ExpressibleByArgument {}

struct BenchTrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Time optimizer steps of a model on random tokens.",
        discussion: """
            A step is one micro-batch: forward, backward, clipping and update. FLOPs are those that \
            the mathematics needs; work that is done twice counts once. --lengths, --layers and \
            --widths take lists and measure every combination, one line each. With --widths all \
            widths and numbers of heads grow in proportion.
            """)

    @Option(help: "A quoted size: tiny, small or 0.5b. Default: small.")
    var size: BenchSize?

    @Option(help: "Instead of a size: a recipe file, or the name of a shipped recipe.")
    var recipe: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override one value of the recipe.", valueName: "key.path=value"))
    var overrides: [String] = []

    @Option(help: "falcon-h1, or attention: attention only, with as many parameters.")
    var arch = BenchArchitecture.falconH1

    @Option(help: "Sequences per step. Default: the size's, or the recipe's micro-batch.")
    var batch: Int?

    @Option(help: "Tokens per sequence. Default: the size's or recipe's.")
    var length: Int?

    @Option(help: "Sequence lengths to measure, such as 512,1024.")
    var lengths: CountList?

    @Option(help: "Numbers of blocks to measure, such as 6,12.")
    var layers: CountList?

    @Option(help: "Hidden sizes to measure, such as 256,512.")
    var widths: CountList?

    @Option(help: "none, cheap or block. Default: none for a size, otherwise the recipe's.")
    var recompute: Recompute?

    @Option(help: "The type of the factors in matrix products: f32 or bf16. Default: the recipe's.")
    var precision: Precision?

    @Option(help: "Timed steps.")
    var steps = 8

    @Option(help: "Untimed steps before them.")
    var warmup = 2

    @Flag(help: "Also show every op: its time, its rate and how close it is to its floor.")
    var profile = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if size != nil && recipe != nil {
            throw ValidationError("--size and --recipe exclude each other")
        }
        if length != nil && lengths != nil {
            throw ValidationError("--length and --lengths exclude each other")
        }
        for (name, value, least) in [
            ("batch", batch, 1), ("length", length, 1), ("steps", steps, 1), ("warmup", warmup, 0),
        ] {
            if let value, value < least {
                throw ValidationError("--\(name) is \(value), want at least \(least)")
            }
        }
    }

    /// The output of `--json`.
    private struct Output: Encodable {
        let machine: MachineReport
        let points: [TrainReport]
    }

    /// Every combination of the lists.
    private var subjects: [BenchSubject] {
        var first =
            recipe.map { BenchSubject(recipe: $0, architecture: arch) }
            ?? BenchSubject(size ?? .small, architecture: arch)
        first.sequences = batch ?? first.sequences
        first.sequenceLength = length ?? first.sequenceLength
        first.recompute = recompute ?? first.recompute
        first.precision = precision
        first.settings = overrides
        return first.combined(
            widths: widths?.counts, layers: layers?.counts, lengths: lengths?.counts)
    }

    func run() throws {
        let subjects = subjects
        // Errors in any subject come before the first measurement.
        for subject in subjects { _ = try subject.resolved() }
        let watch = MachineWatch(threadCount: common.threadCount)
        let benchmark = TrainBenchmark(
            warmupSteps: warmup, steps: steps, threadCount: common.threadCount,
            isProfiled: profile)
        var measurements: [TrainMeasurement] = []
        for (place, subject) in subjects.enumerated() {
            let measurement = try benchmark.run(subject)
            measurements.append(measurement)
            common.talk(
                "\(place + 1) of \(subjects.count): \(subject.label), "
                    + "\(shortTime(measurement.medianSeconds)) a step")
        }
        let machine = watch.finish()
        let points = measurements.map { TrainReport($0, machine.peak) }
        warnOfOthers(machine, common)
        if common.json { return try printJSON(Output(machine: machine, points: points)) }
        printMachine(machine)
        print("")
        printPoints(points)
        for point in points { printProfile(point) }
    }

    private func printPoints(_ points: [TrainReport]) {
        var table = Table(
            "model", "parameters", "width", "layers", "batch", "format", "recompute", "median",
            "best", "tokens/s", "GFLOP a step", "GFLOP/s", "of peak", "memory", "tensors")
        for point in points {
            table.add([
                point.model + (point.architecture == "attention" ? ", attention" : ""),
                grouped(point.parameters), "\(point.hiddenSize)", "\(point.layers)",
                "\(point.sequences) x \(point.sequenceLength)", point.precision, point.recompute,
                shortTime(point.medianSeconds), shortTime(point.bestSeconds),
                grouped(Int(point.tokensPerSecond.rounded())), giga(point.flopsPerStep),
                giga(point.flopsPerSecond), percent(point.shareOfPeak),
                point.peakMemoryBytes.map(memory) ?? "unknown", memory(point.peakTensorBytes),
            ])
        }
        table.printed()
    }

    private func printProfile(_ point: TrainReport) {
        guard let rows = point.profile else { return }
        print("")
        print("one step of \(point.model), \(point.sequences) x \(point.sequenceLength) tokens:")
        var table = Table(
            "op", "calls", "time", "of step", "GFLOP", "GB", "GFLOP/s", "GB/s", "floor",
            "of floor", "forks", "pieces")
        for row in rows {
            table.add([
                row.name, decimal(row.calls, places: 0), shortTime(row.seconds),
                percent(row.shareOfStep), row.flops > 0 ? giga(row.flops) : "-",
                decimal(row.bytes / 1e9, places: 3), giga(row.flops / row.seconds),
                giga(row.bytes / row.seconds), shortTime(row.floorSeconds),
                percent(row.shareOfFloor), decimal(row.forks, places: 0),
                decimal(row.pieces, places: 0),
            ])
        }
        func total(_ field: KeyPath<KernelReport, Double>) -> Double {
            rows.reduce(0) { $0 + $1[keyPath: field] }
        }
        let (seconds, floor) = (total(\.seconds), total(\.floorSeconds))
        let step = point.meanSeconds
        table.add([
            "outside kernels", "", shortTime(step - seconds), percent((step - seconds) / step),
        ])
        table.add([
            "step", decimal(total(\.calls), places: 0), shortTime(step), "100.0 %",
            giga(total(\.flops)), decimal(total(\.bytes) / 1e9, places: 3),
            giga(total(\.flops) / step), giga(total(\.bytes) / step), shortTime(floor),
            percent(floor / step), decimal(total(\.forks), places: 0),
            decimal(total(\.pieces), places: 0),
        ])
        table.printed()
        for limit in point.threadLimits ?? [] {
            print(
                "\(limit.threads) threads: at most \(decimal(limit.speedUp, places: 1)) times as "
                    + "fast as one, by the number of pieces")
        }
    }
}

/// Positive whole numbers with commas between them.
struct CountList: ExpressibleByArgument {
    let counts: [Int]

    init(_ counts: [Int]) { self.counts = counts }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        counts = parts.compactMap { Int($0) }
        guard counts.count == parts.count, counts.allSatisfy({ (1...Int(Int32.max)).contains($0) })
        else { return nil }
    }
}
