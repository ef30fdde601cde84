import FalconTensor
import Testing

@Suite struct ParameterShareTests {
    private let share = ParameterShare([40..<48, 0..<16, 16..<32, 64..<65, 50..<50])

    @Test func rangesAreSortedAndJoined() {
        #expect(share.ranges == [0..<32, 40..<48, 64..<65])
        #expect(share.count == 41)
        #expect(ParameterShare([]).count == 0 && ParameterShare([]).parts(of: 0..<9).isEmpty)
    }

    @Test func partsAndPlacesAreThoseOfTheRanges() {
        #expect(share.parts(of: 30..<70) == [30..<32, 40..<48, 64..<65])
        #expect(share.parts(of: 32..<40).isEmpty && share.parts(of: 65..<90).isEmpty)
        #expect(share.contains(5..<32) && !share.contains(31..<33) && !share.contains(48..<50))
        #expect(share.places(of: 0..<32) == 0..<32)
        #expect(share.places(of: 41..<48) == 33..<40 && share.places(of: 64..<65) == 40..<41)
    }
}
