import FalconSystem

/// Which documents count as the same, so that only the first of them is kept.
public enum Deduplication: String, CaseIterable, Sendable {
    /// None.
    case off
    /// Those with the same bytes.
    case exact
    /// Those with the same letters and digits in the same order, whatever their case; blanks, punctuation and
    /// marks do not count. A letter with its accent and one with the accent behind it differ. A document without letters and digits is compared by its bytes.
    case normalized
    /// Those that share many runs of words; `MinHash` says how many. Only `DuplicateSearch` finds them.
    case near

    /// The digest that the same documents share; nil if none are the same.
    ///
    /// - Parameters:
    ///   - text: a document.
    ///   - own: the digest of its bytes.
    /// - Returns: half of a SHA-256: two of a trillion different documents share one with probability 1e-15.
    func digest(of text: String, own: DocumentDigest?) -> DocumentDigest? {
        switch self {
        case .off, .near: nil
        case .exact: own
        case .normalized: DocumentDigest(of: Self.normalized(text))
        }
    }

    private static func normalized(_ text: String) -> String {
        var kept = String.UnicodeScalarView()
        // Through capitals, so that a sharp s, its capital and two s are one.
        for scalar in text.lowercased().uppercased().lowercased().unicodeScalars {
            // ASCII without its table.
            if scalar.isASCII {
                if (0x61...0x7A).contains(scalar.value) || (0x30...0x39).contains(scalar.value) {
                    kept.append(scalar)
                }
            } else if scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
                kept.append(scalar)
            }
        }
        return kept.isEmpty ? text : String(kept)
    }
}

/// The first 16 bytes of the SHA-256 of a text.
struct DocumentDigest: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    init(of text: String) {
        var digest = SHA256()
        digest.update(text)
        self.init(digest.finalize())
    }

    init(of bytes: [UInt8]) {
        var digest = SHA256()
        digest.update(bytes)
        self.init(digest.finalize())
    }

    private init(_ bytes: [UInt8]) {
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(8).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The first bits.
    var key: DuplicateKey { DuplicateKey(high: high, low: low) }

    /// 63 of the bits.
    var short: Int { Int(high >> 1) }

    /// Its place between 0 and 1.
    var place: Double { Double(high) / 0x1p64 }
}
