import FalconModel
import FalconProfiling
import FalconTensor
import FalconTrain

/// Times single kernels at the shapes of the quoted sizes.
public struct KernelBenchmark: Sendable {
    /// The number of times that each kernel runs; the median time counts.
    public var repeats: Int
    /// Threads of the device.
    public var threadCount: Int
    /// The type of the factors in products; float32 if bfloat16 is not available.
    public var precision: Precision
    /// A part of the titles of the wanted kernels, in any case; nil for all.
    public var filter: String?

    /// A benchmark.
    ///
    /// - Parameters:
    ///   - repeats: at least 1.
    ///   - threadCount: at least 1.
    ///   - precision: the type of the factors in products.
    ///   - filter: part of a title such as "0.5b head: cross-entropy"; nil for all.
    public init(
        repeats: Int, threadCount: Int, precision: Precision = .f32, filter: String? = nil
    ) {
        self.repeats = repeats
        self.threadCount = threadCount
        self.precision = precision
        self.filter = filter
    }

    private func isWanted(_ title: String) -> Bool {
        filter.map { title.lowercased().contains($0.lowercased()) } ?? true
    }

    /// The kernels that match the filter, by size.
    private func cases() throws -> [(size: BenchSize, cases: [KernelCase])] {
        var names: [String] = []
        var wanted: [(size: BenchSize, cases: [KernelCase])] = []
        for size in BenchSize.allCases {
            let recipe = try BenchSubject(size).resolved()
            guard let sizes = recipe.model.falconH1 else {
                preconditionFailure("\(size.recipe): the quoted sizes are of Falcon-H1")
            }
            let all = KernelCase.all(
                of: sizes, parameterCount: RunPlan(recipe).parameterCount,
                rows: size.sequences * size.sequenceLength, length: size.sequenceLength)
            names = all.map(\.name)
            wanted.append(
                (
                    size,
                    all.filter { $0.titles.contains { isWanted("\(size.rawValue) \($0)") } }
                ))
        }
        if let filter, wanted.allSatisfy(\.cases.isEmpty) {
            throw BenchError.noSuchKernel(filter: filter, names: names)
        }
        return wanted
    }

    /// Checks that any kernel matches the filter.
    ///
    /// - Throws: `BenchError.noSuchKernel` if not.
    public func check() throws { _ = try cases() }

    /// Runs the kernels of each size in turn, once each and then again, so that a disturbance
    /// affects all of them, and none finds its data in a cache because it ran last.
    ///
    /// - Returns: times, in the order of the model.
    /// - Throws: `BenchError.noSuchKernel` if no kernel matches the filter.
    public func run() throws -> [KernelMeasurement] {
        var measurements: [KernelMeasurement] = []
        for (size, cases) in try cases() {
            let profile = Profile()
            let device = Device(
                profiling: Device(threadCount: threadCount, precision: precision), in: profile)
            let bodies = cases.map { $0.prepare(device) }
            var samples: [[[ProfileRow]]] = cases.map { _ in [] }
            for round in 0...repeats {
                for (place, body) in bodies.enumerated() {
                    profile.reset()
                    body()
                    // The first round allocates memory.
                    if round > 0 { samples[place].append(profile.rows) }
                }
            }
            for (place, one) in cases.enumerated() {
                for (kernel, title) in zip(one.kernels, one.titles)
                where isWanted("\(size.rawValue) \(title)") {
                    let rows = samples[place].compactMap { rows in
                        rows.first { $0.name == kernel }
                    }
                    guard let row = rows.first else { continue }
                    measurements.append(
                        KernelMeasurement(
                            size: size, title: title, shape: one.shape,
                            elementCount: one.elementCount, row: row,
                            seconds: median(rows.map(\.seconds))))
                }
            }
        }
        return measurements
    }
}

/// The time of one kernel.
public struct KernelMeasurement: Sendable {
    /// The size whose shape is used.
    public let size: BenchSize
    /// Op and kernel.
    public let title: String
    /// The sizes that matter.
    public let shape: String
    /// The number of elements by which the time is divided.
    public let elementCount: Int
    /// Calls and cost of one run.
    let row: ProfileRow
    /// The median time of a run.
    public let seconds: Double
}

/// One line of the kernel benchmark, as `--json` prints it; units are in the names.
public struct KernelLine: Encodable, Sendable {
    /// The size whose shape is used.
    public let size: String
    /// Op and kernel.
    public let kernel: String
    /// The sizes that matter.
    public let shape: String
    /// The label of the format that its products run in.
    public let precision: String
    /// The median time.
    public let seconds: Double
    /// Floating-point operations of products.
    public let flops: Double
    /// Bytes that must be moved.
    public let bytes: Double
    /// The share of the product peak measured in the same run; nil without products.
    public let shareOfPeak: Double?
    /// The least possible time by the machine's peaks.
    public let floorSeconds: Double
    /// Floor divided by time: 1 is perfect; more means that data came from a cache.
    public let shareOfFloor: Double
    /// Seconds per element of the op's output.
    public let secondsPerElement: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case size, kernel, shape, precision, flops, bytes
        case seconds = "median_seconds"
        case shareOfPeak = "share_of_peak"
        case floorSeconds = "floor_seconds"
        case shareOfFloor = "share_of_floor"
        case secondsPerElement = "seconds_per_element"
    }

    /// The line of a measurement.
    ///
    /// - Parameters:
    ///   - measurement: of one kernel.
    ///   - peak: of the machine, measured in the same run.
    public init(_ measurement: KernelMeasurement, _ peak: MachinePeak) {
        let row = measurement.row
        size = measurement.size.rawValue
        kernel = measurement.title
        shape = measurement.shape
        precision = row.precision
        seconds = measurement.seconds
        flops = row.cost.flops
        bytes = Double(row.cost.bytes)
        shareOfPeak =
            flops > 0 ? flops / seconds / peak.productRate(precision: row.precision) : nil
        floorSeconds = row.floorSeconds(peak)
        shareOfFloor = floorSeconds / seconds
        secondsPerElement = seconds / Double(measurement.elementCount)
    }
}
