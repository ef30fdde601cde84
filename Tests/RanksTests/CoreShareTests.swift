import Testing

@testable import FalconRanks

/// How ranks of one host divide its cores.
@Suite struct CoreShareTests {
    private func place(_ host: String, _ cores: [Int], limit: Int? = nil) -> RankPlace {
        RankPlace(
            host: host, processId: 1, cores: cores, coreLimit: limit ?? cores.count,
            hostCoreCount: 8)
    }

    private func shares(_ places: [RankPlace]) -> [CoreShare] {
        places.indices.map { CoreShare(of: $0, places: places) }
    }

    @Test func ranksThatNobodyBoundDivideTheirHost() {
        let all = Array(0..<8)
        let shares = shares([
            place("a", all), place("b", all), place("a", all), place("a", all),
        ])
        #expect(shares.map(\.cores) == [[0, 1], all, [2, 3, 4], [5, 6, 7]])
        #expect(shares.map(\.threadCount) == [2, 8, 2, 2])
        #expect(shares.map(\.isPart) == [true, false, true, true])
    }

    @Test func ranksThatTheLauncherBoundKeepTheirCores() {
        let shares = shares([place("a", [0, 1]), place("a", [2, 3])])
        #expect(shares.map(\.cores) == [[0, 1], [2, 3]] && shares.allSatisfy { !$0.isPart })
        #expect(shares.map(\.threadCount) == [2, 2])
    }

    @Test func moreRanksThanCoresShareThem() {
        let shares = shares(Array(repeating: place("a", [0, 1]), count: 3))
        #expect(shares.allSatisfy { $0.cores == [0, 1] && $0.isShared && $0.threadCount == 1 })
        #expect(shares.allSatisfy { !$0.isPart })
    }

    @Test func limitsOfControlGroupsCount() {
        let all = Array(0..<8)
        #expect(CoreShare(of: 0, places: [place("a", all, limit: 3)]).threadCount == 3)
        let shares = shares([place("a", all, limit: 4), place("a", all, limit: 4)])
        #expect(shares.map(\.threadCount) == [2, 2] && shares[1].cores == [4, 5, 6, 7])
    }
}
