import FalconTestSupport
import Testing

@testable import FalconTensor

@Suite struct FreeBlocksTests {
    @Test func theSmallestPartThatIsLargeEnoughIsUsed() {
        var blocks = FreeBlocks(byteCount: 1000)
        let places = [100, 10, 50, 10, 100].map { blocks.take($0) }
        #expect(places == [0, 100, 110, 160, 170] && blocks.extent == 270)
        blocks.give(0..<100)
        blocks.give(110..<160)
        #expect(blocks.take(40) == 110)
        #expect(blocks.take(60) == 0)
        #expect(blocks.take(40) == 60)
        #expect(blocks.take(11) == 270 && blocks.extent == 281)
    }

    @Test func neighboursJoinWhateverTheOrder() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            var blocks = FreeBlocks(byteCount: 40)
            let parts = (0..<3).map { _ in blocks.take(10).map { $0..<$0 + 10 } ?? 0..<0 }
            for place in order { blocks.give(parts[place]) }
            #expect(blocks.take(40) == 0 && blocks.take(1) == nil)
        }
    }

    @Test func trimmedEndsDoNotCountAsTouched() {
        var blocks = FreeBlocks(byteCount: 1000)
        for _ in 0..<3 { _ = blocks.take(100) }
        blocks.give(0..<100)
        blocks.give(200..<300)
        #expect(blocks.trim() == [0..<100, 200..<300] && blocks.extent == 200)
    }

    /// Random takes and gives never overlap and lose nothing.
    @Test func whatIsHandedOutIsDisjoint() {
        var blocks = FreeBlocks(byteCount: 1 << 16)
        var owner = [Int](repeating: 0, count: 1 << 16)
        var held: [Range<Int>] = []
        var random = LinearGenerator(seed: 1)
        for turn in 1...2000 {
            if !held.isEmpty && random.below(2) == 0 {
                let range = held.remove(at: random.below(held.count))
                for byte in range { owner[byte] = 0 }
                blocks.give(range)
            } else {
                let byteCount = 1 + random.below(700)
                guard let start = blocks.take(byteCount) else { continue }
                let range = start..<start + byteCount
                #expect(range.allSatisfy { owner[$0] == 0 })
                for byte in range { owner[byte] = turn }
                held.append(range)
            }
        }
        for range in held { blocks.give(range) }
        #expect(blocks.take(1 << 16) == 0)
    }
}
