/// A document that has been encoded.
struct EncodedDocument: Sendable {
    /// Its tokens, the one that ends it last.
    var tokens: [Int32]
    /// UTF-8 bytes of its text.
    let textBytes: Int
    /// Its place between 0 and 1: below the validation fraction, it is held out.
    let place: Double
    /// The digest that the same documents share; nil if all are kept.
    var digest: DocumentDigest?
    /// Its text, as long as its end may still be cut off.
    let text: String?

    /// Whether it is held out if so large a share of all documents is.
    func isHeldOut(_ fraction: Double) -> Bool {
        if fraction <= 0 { return false }
        // 2^64; the fraction is compared in double, where 1 - 2^-64 rounds to 1.
        return place < fraction || fraction >= 1
    }
}

/// Makes a validation part if no document falls in it.
///
/// The last documents wait here until one is held out. If none was, the end of every long one gives
/// the share wanted, cut where a paragraph, line or word ends; of short ones, the one with the
/// smallest place is held out whole. The result depends only on the documents and their order.
struct ValidationTail {
    /// Shorter texts are not cut.
    static let smallestCutBytes = 1 << 10
    /// Bytes of text that wait, but for the last document.
    static let usualWaitingBytes = 32 << 20
    // A paragraph or line may end this much earlier than the share wants.
    private static let searchBytes = 1 << 12

    private let fraction: Double
    private let waitingBytes: Int
    private var waiting: [EncodedDocument] = []
    private var byteCount = 0

    /// Nil if none or all documents are held out.
    ///
    /// - Parameters:
    ///   - fraction: the share that is wanted.
    ///   - waitingBytes: bytes of text that wait, but for the last document.
    init?(fraction: Double, waitingBytes: Int = usualWaitingBytes) {
        guard fraction > 0 && fraction < 1 else { return nil }
        (self.fraction, self.waitingBytes) = (fraction, waitingBytes)
    }

    /// Lets a document wait.
    ///
    /// - Returns: documents that need not wait any longer, to learn from.
    mutating func append(_ document: EncodedDocument) -> [EncodedDocument] {
        waiting.append(document)
        byteCount += document.textBytes
        var done = 0
        while done < waiting.count - 1, byteCount - waiting[done].textBytes >= waitingBytes {
            byteCount -= waiting[done].textBytes
            done += 1
        }
        defer { waiting.removeFirst(done) }
        return Array(waiting[..<done])
    }

    /// Lets all documents go because there is one for validation.
    mutating func takeAll() -> [EncodedDocument] {
        defer { (waiting, byteCount) = ([], 0) }
        return waiting
    }

    /// Ends the waiting with a validation part, if there is enough text for one.
    ///
    /// - Parameter encode: gives the tokens of a text, with the one that ends it.
    /// - Returns: the documents to learn from, those held out, and the number of documents cut.
    /// - Throws: what `encode` throws.
    mutating func finish(
        _ encode: (String) throws -> [Int32]
    ) throws -> (train: [EncodedDocument], validation: [EncodedDocument], cutCount: Int) {
        var train: [EncodedDocument] = []
        var validation: [EncodedDocument] = []
        let documents = takeAll()
        for document in documents {
            guard let text = document.text, let cut = Self.cut(text, fraction) else {
                train.append(document)
                continue
            }
            for (part, isTail) in [(text[..<cut], false), (text[cut...], true)] {
                let encoded = EncodedDocument(
                    tokens: try encode(String(part)), textBytes: part.utf8.count,
                    place: document.place, text: nil)
                if isTail { validation.append(encoded) } else { train.append(encoded) }
            }
        }
        let cutCount = validation.count
        if cutCount == 0, train.count > 1,
            let first = train.indices.min(by: { train[$0].place < train[$1].place })
        {
            validation.append(train.remove(at: first))
        }
        return (train, validation, cutCount)
    }

    /// The place where the end of a text begins; nil if the text is short.
    static func cut(_ text: String, _ fraction: Double) -> String.Index? {
        let bytes = text.utf8
        guard bytes.count >= smallestCutBytes else { return nil }
        // At least 64 bytes, a sentence: fewer would say nothing.
        let wanted = min(bytes.count / 2, max(64, Int(Double(bytes.count) * fraction)))
        let place = bytes.index(bytes.endIndex, offsetBy: -wanted)
        let earliest =
            bytes.index(place, offsetBy: -min(searchBytes, wanted), limitedBy: bytes.startIndex)
            ?? bytes.startIndex
        var (line, word): (String.Index?, String.Index?)
        var end = place
        while end > earliest {
            let before = bytes.index(before: end)
            if bytes[before] == 0x0A {
                if before > earliest, bytes[bytes.index(before: before)] == 0x0A { return end }
                line = line ?? end
            } else if bytes[before] != 0x20 && bytes[end] == 0x20 {
                word = word ?? end
            }
            end = before
        }
        if let cut = line ?? word { return cut }
        end = place
        while bytes[end] & 0xC0 == 0x80 { bytes.formIndex(before: &end) }
        return end > bytes.startIndex ? end : nil
    }
}
