import FalconInterchange
import FalconSystem
import FalconTestSupport
import Testing

/// What cannot be compared is an error, never the same.
@Suite struct ComparisonTests {
    @Test func modelsWithoutACommonParameterAreNotCompared() throws {
        let models = try ["/rms_g2_untied", "/mamba_odd_untied"].map {
            try ModelFiles.open(goldenModels + $0)
        }
        let error = #expect(throws: InterchangeError.self) {
            try ModelDifference(models[0], models[1])
        }
        #expect(error?.description.contains("there is nothing to compare") == true)
        #expect(error?.exitStatus == .badData)
    }
}
