import CKernels
import FoundationEssentials

/// Keys of texts of which similar texts share one: MinHash in bands.
///
/// The similarity of two texts is the Jaccard index s of their sets of runs of words. Each of bands * rows hash
/// functions has the same smallest value over both sets with probability s; a band is shared if all of its rows
/// are, and texts are near duplicates if they share any band: with probability 1 - (1 - s^rows)^bands. With 14
/// bands of 8 rows that is 0.05 at s = 0.5, 0.21 at 0.6, 0.56 at 0.7, 0.77 at 0.75, 0.92 at 0.8 and 0.9996 at 0.9.
///
/// - SeeAlso: Broder, "On the resemblance and containment of documents", 1997; Leskovec, Rajaraman and Ullman,
///   "Mining of Massive Datasets", section 3.4, for bands; Penedo et al., "The FineWeb datasets", arXiv
///   2406.17557, section 3.4, for 5 words, 14 bands and 8 rows; Dietzfelbinger et al., "A reliable randomized
///   algorithm for the closest-pair problem", 1997, for the hash functions.
public struct MinHash: Sendable {
    /// The numbers that decide which texts are near duplicates.
    public struct Parameters: Codable, Equatable, Sendable {
        /// Words in a run; a text of fewer words is one run.
        public var words = 5
        /// Bands, of which near duplicates share one.
        public var bands = 14
        /// Hash functions of a band.
        public var rows = 8

        /// FineWeb's.
        public init() {}

        /// The similarity at which the probability rises most steeply, about: (1 / bands)^(1 / rows).
        public var threshold: Double { pow(1 / Double(bands), 1 / Double(rows)) }

        /// The most hash functions.
        public static let hashLimit = 1 << 12

        /// Checks the numbers.
        ///
        /// - Throws: `DataError.invalidOption` for one that is out of range.
        public func check() throws(DataError) {
            func check(_ name: String, _ value: Int, _ limit: Int) throws(DataError) {
                guard (1...limit).contains(value) else {
                    throw .invalidOption(name: name, got: "\(value)", wanted: "1 to \(limit)")
                }
            }
            try check("--run-words", words, 1000)
            try check("--bands", bands, Self.hashLimit)
            try check("--rows", rows, Self.hashLimit)
            guard bands * rows <= Self.hashLimit else {
                throw .invalidOption(
                    name: "--bands", got: "\(bands) with \(rows) rows each",
                    wanted: "at most \(Self.hashLimit) hash functions in all")
            }
        }
    }

    /// The numbers that decide.
    public let parameters: Parameters
    private let factors: [UInt64]
    private let offsets: [UInt64]

    /// Draws the hash functions, always the same.
    ///
    /// - Parameter parameters: within their ranges.
    public init(_ parameters: Parameters) {
        self.parameters = parameters
        var state: UInt64 = 0
        func next() -> UInt64 {
            // SplitMix64; wrapping is meant.
            state = state &+ 0x9E37_79B9_7F4A_7C15
            return WordHashes.mixed(state)
        }
        let count = parameters.bands * parameters.rows
        factors = (0..<count).map { _ in next() | 1 }
        offsets = (0..<count).map { _ in next() }
    }

    /// The smallest values of all hash functions over the runs of words of a text.
    ///
    /// - Parameter text: any text.
    /// - Returns: one value a function; none for a text without words.
    func minima(of text: String) -> [Int64] {
        let runs = WordHashes.runs(of: WordHashes.of(text), length: parameters.words)
        if runs.isEmpty { return [] }
        var minima = [Int64](repeating: .max, count: factors.count)
        unsafe factors.withUnsafeBufferPointer { factors in
            unsafe offsets.withUnsafeBufferPointer { offsets in
                let functions = unsafe fk_hash_functions(
                    factors: factors.baseAddress, offsets: offsets.baseAddress,
                    count: factors.count)
                unsafe fk_minhash(&minima, runs, runs.count, functions)
            }
        }
        return minima
    }

    /// The keys of a text, of which a near duplicate shares one.
    ///
    /// - Parameter text: any text.
    /// - Returns: one key a band; none for a text without words.
    func keys(of text: String) -> [DuplicateKey] {
        let minima = minima(of: text)
        if minima.isEmpty { return [] }
        return (0..<parameters.bands).map { band in
            // The number of the band is hashed too: bands never meet.
            var high = WordHashes.mixed(UInt64(band) &+ 0x9E37_79B9_7F4A_7C15)
            var low = ~high
            for value in minima[band * parameters.rows..<(band + 1) * parameters.rows] {
                high = WordHashes.mixed(high ^ UInt64(bitPattern: value))
                low = WordHashes.mixed(low &+ high)
            }
            return DuplicateKey(high: high, low: low)
        }
    }
}

/// 88 bits of a hash: two of a billion different ones are the same with probability 2e-9.
struct DuplicateKey: Hashable, Sendable {
    let high: UInt64
    /// 24 bits.
    let low: UInt32

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = UInt32(low >> 40)
    }
}
