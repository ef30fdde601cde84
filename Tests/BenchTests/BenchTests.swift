import FalconData
import FalconModel
import FalconProfiling
import FalconTensor
import FalconTrain
import Testing

@testable import FalconBench

/// A geometry as the transformers baseline writes it, and its count of FLOPs.
///
/// - SeeAlso: the training-step baseline for transformers: sizes tiny, small and real05 there.
struct BaselineSize: Sendable {
    let size: BenchSize
    let vocabulary, width, inner, layers, heads, keyHeads, headSize: Int
    let scanWidth, scanHeads, scanHeadSize, state, length, batch: Int
    /// GFLOP of a step as it prints them.
    let gigaFLOPs: Double

    static let all = [
        BaselineSize(
            size: .tiny, vocabulary: 4096, width: 256, inner: 768, layers: 6, heads: 4,
            keyHeads: 2, headSize: 64, scanWidth: 384, scanHeads: 12, scanHeadSize: 32, state: 64,
            length: 512, batch: 4, gigaFLOPs: 113),
        BaselineSize(
            size: .small, vocabulary: 32768, width: 512, inner: 768, layers: 24, heads: 8,
            keyHeads: 2, headSize: 64, scanWidth: 768, scanHeads: 24, scanHeadSize: 32, state: 64,
            length: 1024, batch: 1, gigaFLOPs: 667),
        BaselineSize(
            size: .halfBillion, vocabulary: 32784, width: 1024, inner: 2048, layers: 36, heads: 8,
            keyHeads: 2, headSize: 64, scanWidth: 1536, scanHeads: 24, scanHeadSize: 64,
            state: 128, length: 512, batch: 1, gigaFLOPs: 1594),
    ]

    private var attentionWeights: Int { 2 * width * headSize * (heads + keyHeads) }
    private var attentionFLOPs: Int { 2 * length * length * heads * headSize }

    /// The baseline's formula, one group, chunks of 128.
    var stepFLOPs: Int {
        let scanWeights = width * (2 * scanWidth + 2 * state + scanHeads) + scanWidth * width
        let weights =
            layers * (scanWeights + attentionWeights + 3 * width * inner) + width * vocabulary
        let scan = 2 * 128 * state + 2 * 128 * scanWidth + 4 * state * scanWidth
        let convolution = 2 * 4 * (scanWidth + 2 * state)
        return 6 * weights * length * batch + 3 * layers * batch
            * (attentionFLOPs + length * (scan + convolution))
    }

    /// The baseline's width of a Llama's MLP with as many parameters.
    var attentionInner: Int {
        let block =
            width * (2 * scanWidth + 2 * state + scanHeads) + scanWidth * width
            + attentionWeights + 3 * width * inner + (scanWidth + 2 * state) * 5 + 3 * scanHeads
        let exact = Double(block - attentionWeights) / Double(3 * width) / 32
        return Int(exact.rounded(.toNearestOrEven)) * 32
    }

    var attentionStepFLOPs: Int {
        let weights =
            layers * (attentionWeights + 3 * width * attentionInner) + width * vocabulary
        return 6 * weights * length * batch + 3 * layers * batch * attentionFLOPs
    }
}

@Suite struct BenchSubjectTests {
    @Test(arguments: BaselineSize.all)
    func theSizesAreTheBaselines(_ baseline: BaselineSize) throws {
        let recipe = try BenchSubject(baseline.size).resolved()
        let model = try #require(recipe.model.falconH1)
        #expect(model.vocabSize == baseline.vocabulary && model.hiddenSize == baseline.width)
        #expect(
            model.intermediateSize == baseline.inner && model.numHiddenLayers == baseline.layers)
        #expect(
            model.numAttentionHeads == baseline.heads
                && model.numKeyValueHeads == baseline.keyHeads
                && model.headDim == baseline.headSize)
        #expect(
            model.mambaDSsm == baseline.scanWidth && model.mambaNHeads == baseline.scanHeads
                && model.mambaDHead == baseline.scanHeadSize && model.mambaDState == baseline.state
                && model.mambaNGroups == 1 && model.mambaDConv == 4 && model.mambaChunkSize == 128)
        #expect(!model.mambaRmsNorm && model.tieWordEmbeddings == (baseline.size != .halfBillion))
        #expect(recipe.data.sequenceLength == baseline.length)
        #expect(
            recipe.train.microBatchSequences == baseline.batch && recipe.train.recompute == .none)
        let plan = RunPlan(recipe)
        #expect(plan.microBatches == 1)
        let flops = plan.flopsPerToken * Double(plan.stepTokens)
        #expect(flops == Double(baseline.stepFLOPs))
        #expect((flops / 1e9).rounded() == baseline.gigaFLOPs)
    }

    @Test(arguments: BaselineSize.all)
    func theAttentionOnlyFormHasAsManyParameters(_ baseline: BaselineSize) throws {
        let hybrid = RunPlan(try BenchSubject(baseline.size).resolved())
        let recipe = try BenchSubject(baseline.size, architecture: .attention).resolved()
        let plan = RunPlan(recipe)
        #expect(recipe.model.falconH1?.mixers == .attention)
        #expect(recipe.model.falconH1?.intermediateSize == baseline.attentionInner)
        #expect(
            plan.flopsPerToken * Double(plan.stepTokens) == Double(baseline.attentionStepFLOPs))
        let ratio = Double(plan.parameterCount) / Double(hybrid.parameterCount)
        #expect(abs(ratio - 1) < 0.01)
    }

    @Test func widthsScaleEverythingButHeads() throws {
        var subject = BenchSubject(.tiny)
        subject.width = 128
        let model = try #require(try subject.resolved().model.falconH1)
        #expect(
            [
                model.hiddenSize, model.intermediateSize, model.numAttentionHeads,
                model.numKeyValueHeads, model.mambaDSsm, model.mambaNHeads,
            ] == [128, 384, 2, 1, 192, 6])
        #expect(model.headDim == 64 && model.mambaDHead == 32 && model.mambaDState == 64)
        subject.width = 192
        #expect(throws: TrainError.widthDoesNotScale(width: 192, hiddenSize: 256)) {
            try subject.resolved()
        }
    }

    @Test func settingsOfTheCallerWin() throws {
        var subject = BenchSubject(.tiny)
        subject.layers = 3
        subject.sequenceLength = 8192
        subject.settings = ["train.batch_tokens=65536"]
        let recipe = try subject.resolved()
        #expect(recipe.model.numHiddenLayers == 3 && recipe.data.sequenceLength == 8192)
        #expect(RunPlan(recipe).microBatches == 2)
    }
}

@Suite struct TrainBenchmarkTests {
    /// One block of the tiny size on 2 sequences of 40 tokens.
    private func subject(_ recompute: Recompute = .none) -> BenchSubject {
        var subject = BenchSubject(.tiny)
        subject.layers = 1
        subject.sequences = 2
        subject.sequenceLength = 40
        subject.recompute = recompute
        subject.settings = ["model.mamba_chunk_size=20"]
        return subject
    }

    private func run(_ subject: BenchSubject, isProfiled: Bool = true) throws -> TrainMeasurement {
        try TrainBenchmark(
            warmupSteps: 1, steps: 2, threadCount: 2, isProfiled: isProfiled
        ).run(subject)
    }

    @Test func theProfiledFLOPsAreThePlans() throws {
        let measurement = try run(subject())
        let model = try #require(measurement.recipe.model.falconH1)
        let counted = measurement.profile.reduce(0) { $0 + $1.cost.flops } / 2
        // The plan takes half of T² pairs for the causal ones of attention, the kernels T(T + 1)/2.
        let diagonal =
            3.0 * Double(model.numHiddenLayers * measurement.plan.stepTokens)
            * Double(2 * model.numAttentionHeads * model.headDim)
        #expect(counted == measurement.flopsPerStep + diagonal)
        let products = measurement.profile.filter { $0.name.hasPrefix("product") }
        #expect(
            products.reduce(0) { $0 + $1.cost.flops } / 2
                == 6 * Double(model.productParameterCount * measurement.plan.stepTokens))
        #expect(products.allSatisfy { $0.calls > 0 })
    }

    @Test func recomputingIsNoWorkOfTheModel() throws {
        let (kept, again) = (try run(subject()), try run(subject(.block)))
        #expect(kept.losses == again.losses)
        #expect(kept.flopsPerStep == again.flopsPerStep)
        func flops(_ measurement: TrainMeasurement) -> Double {
            measurement.profile.reduce(0) { $0 + $1.cost.flops }
        }
        #expect(flops(again) > flops(kept))
    }

    @Test func profilingChangesNoLoss() throws {
        let (profiled, plain) = (try run(subject()), try run(subject(), isProfiled: false))
        #expect(profiled.losses == plain.losses && plain.losses.allSatisfy(\.isFinite))
        #expect(plain.profile.isEmpty && !profiled.profile.isEmpty)
        #expect(plain.peakTensorBytes == profiled.peakTensorBytes)
        let peak = MachinePeak(threadCount: 2, arrayByteCount: 1 << 16)
        let report = TrainReport(profiled, peak)
        let rows = try #require(report.profile)
        #expect(rows.reduce(0) { $0 + $1.seconds } <= report.meanSeconds)
        #expect(abs(report.shareOfPeak - report.flopsPerSecond / peak.float32.allThreads) < 1e-12)
        #expect(TrainReport(plain, peak).profile == nil)
        let limits = try #require(report.threadLimits)
        #expect(limits.map(\.threads) == [4, 16, 64])
        #expect(limits.allSatisfy { (1...Double($0.threads)).contains($0.speedUp) })
    }

    @Test func everyKernelOfATrainingStepCanBeTimedAlone() throws {
        let steps = Set(try run(subject()).profile.map(\.name))
        let recipe = try subject().resolved()
        let alone = KernelCase.all(
            of: try #require(recipe.model.falconH1), parameterCount: 1000, rows: 80, length: 40
        ).flatMap(\.kernels)
        #expect(steps.subtracting(alone).isEmpty)
    }

    @Test func kernelsAreTimedAtTheShapesOfTheSizes() throws {
        let benchmark = KernelBenchmark(repeats: 2, threadCount: 2, filter: "Tiny residual")
        let lines = try benchmark.run().map {
            KernelLine($0, MachinePeak(threadCount: 1, arrayByteCount: 1 << 16))
        }
        let line = try #require(lines.first)
        #expect(lines.count == 1 && line.size == "tiny" && line.kernel == "residual sum")
        #expect(line.shape == "2048 x 256" && line.bytes == 4 * 4 * 2048 * 256)
        #expect(line.seconds > 0 && line.shareOfPeak == nil)
        #expect(throws: BenchError.self) {
            try KernelBenchmark(repeats: 1, threadCount: 1, filter: "no such").check()
        }
    }

    @Test func theMedianOfAnEvenCountIsBetweenTheMiddleTwo() {
        #expect(median([3, 1, 2]) == 2 && median([4, 1, 3, 2]) == 2.5)
    }
}
