import FalconJSON
import Testing

@Suite struct JSONTextTests {
    private struct Score: Codable, Equatable {
        let loss: Double
        let list: [Float]
    }

    @Test func numbersThatJSONLacksAreTexts() throws {
        let score = Score(loss: .infinity, list: [-.infinity, 0.1])
        let text = try jsonText(score)
        #expect(text == #"{"list":["-Infinity",0.1],"loss":"Infinity"}"#)
        #expect(try decodedJSON(Score.self, from: text.utf8) == score)
        #expect(try jsonText(["a/b": Double.nan]) == #"{"a/b":"NaN"}"#)
    }
}
