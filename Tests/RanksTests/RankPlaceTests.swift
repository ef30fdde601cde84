import Testing

@testable import FalconRanks

/// Which cores ranks have, and what is said about it.
@Suite struct RankPlaceTests {
    @Test func aPlaceComesBackFromItsBytes() {
        let place = RankPlace(
            host: "node-17", processId: 4_000_000_000, cores: [0, 7, 8, 130, 2047], coreLimit: 3,
            hostCoreCount: 2048)
        #expect(place.bytes.count == RankPlace.byteCount)
        #expect(RankPlace(bytes: place.bytes[...]) == place)
        let own = RankPlace.own()
        #expect(own.processId > 0 && own.coreLimit >= 1 && own.hostCoreCount >= own.cores.count)
        #expect(RankPlace(bytes: ([9] + own.bytes)[1...]) == own)
    }

    private func place(
        _ host: String, _ cores: [Int], limit: Int? = nil, of hostCores: Int = 8
    ) -> RankPlace {
        RankPlace(
            host: host, processId: 1, cores: cores, coreLimit: limit ?? cores.count,
            hostCoreCount: hostCores)
    }

    @Test func ranksWithCoresEnoughLackNothing() {
        let all = Array(0..<8)
        #expect(CoreShortage.all(of: [place("a", all), place("a", all)], threadCount: 4).isEmpty)
        #expect(
            CoreShortage.all(of: [place("a", [0, 1]), place("a", [2, 3])], threadCount: 2).isEmpty)
        // A machine of one core; a system that does not tell.
        #expect(CoreShortage.all(of: [place("a", [0], of: 1)], threadCount: 1).isEmpty)
        #expect(CoreShortage.all(of: [place("a", [], limit: 1)], threadCount: 9).isEmpty)
    }

    @Test func boundRanksAreNamedByHost() {
        let places = [
            place("a", Array(0..<8)), place("b", [0]), place("b", [1]), place("b", [2]),
        ]
        let found = CoreShortage.all(of: places, threadCount: 4)
        #expect(found == [.bound(host: "b", ranks: [1, 2, 3], cores: 1, threads: 4)])
        #expect(found.first?.description.contains("ranks 1 to 3 are on b bound to 1 core") == true)
        #expect(found.first?.description.contains("--bind-to none or --map-by slot:PE=4") == true)
    }

    @Test func ranksOfOneThreadAndOneCoreLeaveOthersIdle() {
        let found = CoreShortage.all(of: [place("a", [0]), place("a", [4])], threadCount: 1)
        #expect(found == [.idle(host: "a", ranks: [0, 1], hostCores: 8)])
        #expect(found.first?.description.contains("6 of its 8 cores stay idle") == true)
        #expect(found.first?.description.contains("PE=4") == true)
    }

    @Test func ranksShareTheCoresOfTheirHost() {
        let all = Array(0..<8)
        let places = [place("a", all), place("b", all), place("a", all)]
        #expect(
            CoreShortage.all(of: places, threadCount: 5)
                == [.shared(host: "a", ranks: [0, 2], cores: 8, threads: 10)])
        #expect(
            CoreShortage.all(of: places, threadCount: 5).first?.description.contains("--threads 4")
                == true)
        // What control groups give counts.
        #expect(
            CoreShortage.all(of: [place("a", all, limit: 2)], threadCount: 3)
                == [.shared(host: "a", ranks: [0], cores: 2, threads: 3)])
    }
}
