/// Finds tokens by their whole text, before anything else is done to a text.
///
/// - Complexity: at most `longestText` steps for every character of the text.
struct AddedTokens: Sendable {
    /// Texts are no longer than this, in characters.
    static let longestText = 512

    /// A part of a text.
    enum Part: Equatable {
        case token(Int32)
        case text(Range<Int>)
    }

    // A tree of characters: from a node (upper half of the key) with a character to another node.
    private var children: [UInt64: Int32] = [:]
    private var idOfNode: [Int32] = [-1]
    private var startsInASCII = [Bool](repeating: false, count: 128)

    var isEmpty: Bool { idOfNode.count == 1 }

    /// Adds a token with a text of 1 to `longestText` characters.
    mutating func insert(_ text: [UInt32], id: Int32) {
        var node: Int32 = 0
        for scalar in text {
            let key = Self.key(node, scalar)
            if let next = children[key] {
                node = next
            } else {
                let next = Int32(idOfNode.count)
                idOfNode.append(-1)
                children[key] = next
                node = next
            }
        }
        idOfNode[Int(node)] = id
        if let first = text.first, first < 128 { startsInASCII[Int(first)] = true }
    }

    private static func key(_ node: Int32, _ scalar: UInt32) -> UInt64 {
        UInt64(UInt32(bitPattern: node)) << 32 | UInt64(scalar)
    }

    /// Cuts a text at tokens: the leftmost first, of several at one place the longest.
    func parts(of text: [UInt32]) -> [Part] {
        if isEmpty { return text.isEmpty ? [] : [.text(0..<text.count)] }
        var parts: [Part] = []
        var start = 0
        var place = 0
        while place < text.count {
            let (id, end) = match(text, place)
            if end > place {
                if start < place { parts.append(.text(start..<place)) }
                parts.append(.token(id))
                start = end
                place = end
            } else {
                place += 1
            }
        }
        if start < text.count { parts.append(.text(start..<text.count)) }
        return parts
    }

    private func match(_ text: [UInt32], _ start: Int) -> (id: Int32, end: Int) {
        if text[start] < 128 && !startsInASCII[Int(text[start])] { return (-1, start) }
        var found: (id: Int32, end: Int) = (-1, start)
        var node: Int32 = 0
        var place = start
        while place < text.count, let next = children[Self.key(node, text[place])] {
            node = next
            place += 1
            if idOfNode[Int(node)] >= 0 { found = (idOfNode[Int(node)], place) }
        }
        return found
    }
}
