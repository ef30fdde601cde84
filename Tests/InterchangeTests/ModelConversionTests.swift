import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor
import FalconTestSupport
import FalconTokenizer
import FoundationEssentials
import Testing

@testable import FalconInterchange

/// Conversions, and the gate that they must pass.
@Suite struct ModelConversionTests {
    private let device = Device(threadCount: 1)

    private func check(relative: Double, largest: Double) throws -> ExportCheck {
        try decodedJSON(
            ExportCheck.self,
            from: """
                {"tokens": 9, "relative_difference": \(relative), "top1_agreement": 1,
                 "largest_difference": \(largest)}
                """.utf8)
    }

    private func model(in folder: String) throws -> String {
        try RoundTripShape.all[0].writeCheckpoint(folder + "/model").path
    }

    @Test(arguments: ExportType.allCases) func aGateAllowsWhatRoundingExplains(
        _ type: ExportType
    ) throws {
        let gate = ExportTolerance(type, isFolded: false)
        #expect(gate.allows(try check(relative: 0, largest: 0)))
        #expect(gate.allows(try check(relative: gate.relative, largest: 1e-5)))
        #expect(!gate.allows(try check(relative: gate.relative * 1.01, largest: 0)))
        let far = try check(relative: 0, largest: 0.6)
        #expect(gate.allows(far) == (type.elementType == nil))
        #expect(ExportTolerance(type, isFolded: true).allows(far))
        #expect(ExportTolerance(type, isFolded: true).relative == gate.relative)
    }

    @Test func coarserTypesHaveWiderGates() {
        let order: [ExportType] = [.f32, .f16, .bf16, .q80, .q6K, .q4KM]
        let limits = order.map { ExportTolerance($0, isFolded: false).relative }
        #expect(limits == limits.sorted() && Set(limits).count == limits.count)
    }

    @Test func whatIsNotANumberDoesNotPass() throws {
        let infinite = try decodedJSON(
            ExportCheck.self,
            from: """
                {"tokens": 9, "relative_difference": "NaN", "top1_agreement": 1,
                 "largest_difference": "Infinity"}
                """.utf8)
        for type in ExportType.allCases {
            #expect(!ExportTolerance(type, isFolded: true).allows(infinite))
        }
    }

    @Test func aRefusalNamesDifferencesAndLimits() throws {
        let error = InterchangeError.differs(
            model: "run", check: try check(relative: 0.25, largest: 3),
            tolerance: ExportTolerance(.q80, isFolded: true))
        #expect(error.exitStatus == .checkFailed)
        #expect(
            error.description
                == "the export differs from run: the logits by 2.50e-1 of their deviation (want at "
                + "most 0.2) and by 3.00e0 at most (limit inf); nothing was written")
    }

    @Test func aFolderIsWrittenAndCompared() throws {
        try withTemporaryFolder { folder in
            let output = folder + "/hf"
            var conversion = ModelConversion(to: .hf, .f32)
            conversion.shardByteLimit = 9000
            let report = try conversion.convert(model(in: folder), to: output, on: device)
            #expect(report.output == output && report.tensors.isEmpty && report.worst == nil)
            #expect(report.check.topAgreement == 1 && report.perplexity == nil)
            let files = try FileManager.default.contentsOfDirectory(atPath: output)
            let sizes = try files.map { try load(output + "/" + $0).count }
            #expect(report.byteCount == sizes.reduce(0, +))
            #expect(files.count { $0.hasSuffix(".safetensors") } > 1)
            #expect(throws: FileError.self) {
                try conversion.convert(folder + "/model", to: output, on: device)
            }
        }
    }

    @Test func aTextNeedsATokenizerBeforeAnythingIsWritten() throws {
        try withTemporaryFolder { folder in
            var conversion = ModelConversion(to: .hf, .bf16)
            conversion.textPath = folder + "/text.txt"
            let path = try model(in: folder)
            #expect(throws: InterchangeError.noTokenizer(path: path, origin: .checkpoint(step: 0)))
            {
                try conversion.convert(path, to: folder + "/hf", on: device)
            }
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder) == ["model"])
        }
    }

    @Test func aTextIsScoredBeforeAndAfter() throws {
        try withTemporaryFolder { folder in
            try makeFolder(folder + "/model", tokenizer: true)
            let text = folder + "/text.txt"
            try Data("The people of the United States".utf8).write(to: URL(filePath: text))
            var conversion = ModelConversion(to: .gguf, .q80)
            conversion.textPath = text
            let report = try conversion.convert(
                folder + "/model", to: folder + "/out.gguf", on: device)
            let perplexity = try #require(report.perplexity)
            let original = try #require(report.originalPerplexity)
            #expect(perplexity != original && abs(perplexity / original - 1) < 0.1)
            let worst = try #require(report.worst)
            #expect(report.tensors.contains(worst) && worst.relativeRootMeanSquare < 0.1)
            #expect(try load(folder + "/out.gguf").count == report.byteCount)
        }
    }

    @Test func aPromptHasTokensOfTheModel() throws {
        try withTemporaryFolder { folder in
            try makeFolder(folder + "/model", tokenizer: true)
            let loaded = try LoadedModel(path: folder + "/model", on: device)
            let tokenizer = try loaded.requireTokenizer()
            let text = "The people"
            #expect(
                try loaded.promptTokens(text)
                    == tokenizer.promptPrefix + tokenizer.encode(text))
            #expect(try loaded.promptTokens("").count == 1)
            #expect(loaded.writableTokens?.count == loaded.model.configuration.vocabSize)
            try makeFolder(folder + "/bare", tokenizer: false)
            let bare = try LoadedModel(path: folder + "/bare", on: device)
            #expect(bare.writableTokens == nil)
            #expect(throws: InterchangeError.self) { try bare.promptTokens(text) }
        }
    }

    @Test func aDamagedCheckpointIsNamed() throws {
        try withTemporaryFolder { folder in
            let path = try model(in: folder)
            let audit = try CheckpointAudit(path)
            #expect(audit.whole == [.init(path: path, step: 0)] && audit.damaged.isEmpty)
            try FileManager.default.createDirectory(
                atPath: folder + "/run/checkpoints", withIntermediateDirectories: true)
            #expect(throws: InterchangeError.noCheckpoint(path: folder + "/run", reasons: [])) {
                try CheckpointAudit(folder + "/run")
            }
            for step in ["step-00000000", "step-00000005"] {
                try FileManager.default.copyItem(
                    atPath: path, toPath: folder + "/run/checkpoints/" + step)
            }
            try FileManager.default.removeItem(
                atPath: folder + "/run/checkpoints/step-00000005/manifest.json")
            let run = try CheckpointAudit(folder + "/run")
            #expect(run.whole.map(\.path) == [folder + "/run/checkpoints/step-00000000"])
            #expect(run.damaged.count == 1)
        }
    }
}
