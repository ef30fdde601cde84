/// The generator of Python's `random.Random`, so that examples are those that the harness draws.
///
/// - SeeAlso: Matsumoto & Nishimura, Mersenne Twister, ACM TOMACS 8 (1998), and their `init_by_array`
///   of 2002; `random.sample` and `random.choices` of CPython 3.11.
public struct PythonRandom {
    private static let size = 624
    private var state: [UInt32]
    private var index = PythonRandom.size

    /// A generator.
    ///
    /// - Parameter seed: of `random.seed`.
    public init(seed: UInt32) {
        state = [UInt32](repeating: 0, count: Self.size)
        state[0] = 19_650_218
        for i in 1..<Self.size {
            state[i] = 1_812_433_253 &* (state[i - 1] ^ (state[i - 1] >> 30)) &+ UInt32(i)
        }
        // init_by_array with one word.
        var i = 1
        for _ in 0..<Self.size {
            state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) &* 1_664_525)) &+ seed
            i += 1
            if i == Self.size { (state[0], i) = (state[Self.size - 1], 1) }
        }
        for _ in 1..<Self.size {
            state[i] =
                (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) &* 1_566_083_941)) &- UInt32(i)
            i += 1
            if i == Self.size { (state[0], i) = (state[Self.size - 1], 1) }
        }
        state[0] = 0x8000_0000
    }

    /// The next 32 random bits.
    public mutating func next() -> UInt32 {
        if index == Self.size { refill() }
        var y = state[index]
        index += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C_5680
        y ^= (y << 15) & 0xEFC6_0000
        return y ^ (y >> 18)
    }

    private mutating func refill() {
        let (size, shift) = (Self.size, 397)
        var words = state.mutableSpan
        for k in 0..<size {
            let y = (words[k] & 0x8000_0000) | (words[(k + 1) % size] & 0x7FFF_FFFF)
            let twist: UInt32 = y & 1 == 0 ? 0 : 0x9908_B0DF
            words[k] = words[(k + shift) % size] ^ (y >> 1) ^ twist
        }
        index = 0
    }

    /// `random.random()`: 53 random bits, in [0, 1).
    public mutating func unit() -> Double {
        let (high, low) = (next() >> 5, next() >> 6)
        return (Double(high) * 67_108_864 + Double(low)) / 9_007_199_254_740_992
    }

    /// A number below another one, from as many random bits as that has.
    private mutating func below(_ count: Int) -> Int {
        let bits = UInt32(Int.bitWidth - count.leadingZeroBitCount)
        while true {
            let value = Int(next() >> (32 - bits))
            if value < count { return value }
        }
    }

    /// `random.shuffle(values)`.
    ///
    /// - Parameter values: brought into another order.
    public mutating func shuffle<Value>(_ values: inout [Value]) {
        for place in values.indices.dropFirst().reversed() {
            values.swapAt(place, below(place + 1))
        }
    }

    /// `random.sample(range(population), count)`.
    ///
    /// - Parameters:
    ///   - count: from 0 to `population`.
    ///   - population: below 2³².
    /// - Returns: different places, in the order in which they are drawn.
    public mutating func sample(_ count: Int, of population: Int) -> [Int] {
        precondition((0...population).contains(count), "sample: \(count) of \(population)")
        // Python chooses between two ways by what a set of the chosen ones takes in memory.
        var setSize = 21
        if count > 5 {
            var power = 1
            while power < count * 3 { power *= 4 }
            setSize += power
        }
        var chosen: [Int] = []
        if population <= setSize {
            var pool = Array(0..<population)
            for drawn in 0..<count {
                let place = below(population - drawn)
                chosen.append(pool[place])
                pool[place] = pool[population - drawn - 1]
            }
            return chosen
        }
        var seen = Set<Int>()
        while chosen.count < count {
            let place = below(population)
            if seen.insert(place).inserted { chosen.append(place) }
        }
        return chosen
    }
}
