/// A word of any length, encoded with the memory of a short one.
///
/// Merges depend on neighbours only. So tokens are those of a word if and only if every two neighbours
/// among them are those of their own two texts: a pair that is not merged in the whole never meets more
/// than the two, and the first merge across a border would happen in the two alone just as well. So a
/// part of the word is encoded, tokens near its end are dropped, the next part begins where the last one
/// that is kept ends, and the two tokens at the border are looked at alone.
struct LongWord {
    // A merge takes about 40 bytes per character.
    private static let partCount = 1 << 15
    // Tokens end this far before the end of a part.
    private static let margin = 1 << 10
    /// Ends of a part that are tried before the part is made longer.
    private static let mostTries = 16

    private let text: [UInt32]
    private let pieces: [BytePairTokenizer.Piece]
    private let model: BytePairModel

    /// Tokens, and the place in the text where each ends.
    private struct Part {
        var ids: [Int32] = []
        /// The same place for all bytes of one character; empty where it cannot be told.
        var ends: [Int] = []
    }

    init(_ text: [UInt32], _ pieces: [BytePairTokenizer.Piece], _ model: BytePairModel) {
        self.text = text
        self.pieces = pieces
        self.model = model
    }

    /// Appends the tokens of the word that lies in `start..<end`.
    func encode(
        _ start: Int, _ end: Int, _ merger: inout BytePairMerger, into ids: inout [Int32]
    ) {
        guard end - start > Self.partCount else {
            return model.encode(text, start, end, &merger, into: &ids)
        }
        var first = start
        var length = Self.partCount
        var last = first + length
        var part = cut(first, last, &merger)
        while last < end {
            if part.ends.isEmpty {
                model.encode(text, first, end, &merger, isPart: true, into: &ids)
                return
            }
            if let (count, next) = joint(part, first, last, length, end, &merger) {
                ids += part.ids[..<count]
                first = part.ends[count - 1]
                last = min(end, first + length)
                part = next
            } else {
                length *= 2
                last = min(end, first + length)
                part = cut(first, last, &merger)
            }
        }
        ids += part.ids
    }

    /// The number of tokens of a part to keep, and the part that follows them.
    private func joint(
        _ part: Part, _ first: Int, _ last: Int, _ length: Int, _ end: Int,
        _ merger: inout BytePairMerger
    ) -> (count: Int, next: Part)? {
        var tries = 0
        var count = part.ends.count
        while count > 0 && tries < Self.mostTries {
            let border = part.ends[count - 1]
            // All bytes of a character, or none.
            let isWhole = count == part.ends.count || part.ends[count] > border
            if last - border >= Self.margin && isWhole {
                tries += 1
                let next = cut(border, min(end, border + length), &merger)
                if next.ends.isEmpty { return nil }
                let left = part.ends[..<count].firstIndex(of: border) ?? count - 1
                let start = left > 0 ? part.ends[left - 1] : first
                let right = next.ends.firstIndex { $0 > next.ends[0] } ?? next.ends.count
                var alone: [Int32] = []
                model.encode(text, start, next.ends[0], &merger, isPart: true, into: &alone)
                if alone.elementsEqual(Array(part.ids[left..<count]) + next.ids[..<right]) {
                    return (count, next)
                }
            }
            count -= 1
        }
        return nil
    }

    private func cut(_ start: Int, _ end: Int, _ merger: inout BytePairMerger) -> Part {
        var part = Part()
        model.encode(text, start, end, &merger, isPart: true, into: &part.ids)
        var place = start
        var index = 0
        while index < part.ids.count {
            let piece = pieces[Int(part.ids[index])]
            if piece.kind == .byte {
                guard place < end, let character = Unicode.Scalar(text[place]) else { break }
                let count = UTF8.width(character)
                place += 1
                part.ends += Array(repeating: place, count: count)
                index += count
            } else {
                let characters = piece.text.unicodeScalars
                guard end - place >= characters.count,
                    zip(characters, text[place...]).allSatisfy({ $0.value == $1 })
                else { break }
                place += characters.count
                part.ends.append(place)
                index += 1
            }
        }
        if place != end || part.ends.count != part.ids.count { part.ends = [] }
        return part
    }
}
