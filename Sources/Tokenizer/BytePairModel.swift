import FalconJSON

/// Vocabulary and merges: the part "model" of a `tokenizer.json`.
struct BytePairModel: Sendable {
    /// Ids are below this: four times the largest vocabulary known, and small enough for a table.
    static let idLimit = 1 << 20

    /// The text of every id in the vocabulary, with the ids.
    let entries: [(text: String, id: Int32)]
    /// Pairs of ids in the order of the file.
    let mergeList: [(left: Int32, right: Int32)]
    /// The token for characters that the vocabulary does not have.
    let unknownID: Int32?
    /// Whether characters outside the vocabulary become tokens for their bytes.
    let hasByteFallback: Bool
    /// Whether a word that is a token is taken whole, though merges may not lead to it.
    let ignoresMerges: Bool
    private let merges: MergeTable
    let fusesUnknown: Bool
    private let idOfScalar: [UInt32: Int32]
    private let idOfByteScalar: [Int32]
    private let idOfFallbackByte: [Int32]
    private let idOfWord: [[UInt32]: Int32]

    /// Appends the tokens of a word, or of a part of one.
    func encode(
        _ text: [UInt32], _ start: Int, _ end: Int, _ merger: inout BytePairMerger,
        isPart: Bool = false, into ids: inout [Int32]
    ) {
        if !isPart, !idOfWord.isEmpty, let id = idOfWord[Array(text[start..<end])] {
            ids.append(id)
            return
        }
        merger.removeAll()
        var hasUnknown = false
        for place in start..<end {
            let scalar = text[place]
            let id =
                scalar < UInt32(idOfByteScalar.count)
                ? idOfByteScalar[Int(scalar)] : idOfScalar[scalar] ?? -1
            if id >= 0 {
                if hasUnknown, let unknownID { merger.append(unknownID) }
                hasUnknown = false
                merger.append(id)
            } else if !appendBytes(of: scalar, to: &merger) && unknownID != nil {
                if hasUnknown && !fusesUnknown, let unknownID { merger.append(unknownID) }
                hasUnknown = true
            }
        }
        if hasUnknown, let unknownID { merger.append(unknownID) }
        merger.merge(merges, into: &ids)
    }

    /// Appends the bytes of a character, if the vocabulary has a token for each of them.
    private func appendBytes(of value: UInt32, to merger: inout BytePairMerger) -> Bool {
        guard hasByteFallback, let scalar = Unicode.Scalar(value) else { return false }
        let tokens = UTF8.encode(scalar).map { $0.map { idOfFallbackByte[Int($0)] } } ?? []
        guard tokens.allSatisfy({ $0 >= 0 }) else { return false }
        for token in tokens { merger.append(token) }
        return true
    }
}

extension BytePairModel {
    /// Reads the part "model".
    init(_ field: TokenizerField) throws(TokenizerFault) {
        // Files of older versions name no type: one with merges is of this type.
        let type = field["type"]
        let isBytePairs =
            type.isNull ? !field["merges"].isNull : try type.text() == "BPE"
        guard isBytePairs else { throw type.fault("\"BPE\"") }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            let affix = field[name]
            if !affix.isNull, try !affix.text().isEmpty { throw affix.fault("null or \"\"") }
        }
        let dropout = field["dropout"]
        if !dropout.isNull && dropout.value.number != 0 { throw dropout.fault("null") }
        let vocabulary = try field["vocab"].object()
        entries = try Self.entries(vocabulary, field["vocab"])
        (mergeList, merges) = try Self.merges(field["merges"], vocabulary)
        fusesUnknown = try field["fuse_unk"].flag(missing: false)
        hasByteFallback = try field["byte_fallback"].flag(missing: false)
        let unknown = field["unk_token"]
        // Older files say "" for none.
        let unknownText = unknown.isNull ? "" : try unknown.text()
        if unknownText.isEmpty && vocabulary[""] == nil {
            unknownID = nil
        } else if let id = vocabulary[unknownText]?.integer {
            unknownID = Int32(id)
        } else {
            throw unknown.fault("a token of the vocabulary")
        }
        var scalars: [UInt32: Int32] = [:]
        var words: [[UInt32]: Int32] = [:]
        ignoresMerges = try field["ignore_merges"].flag(missing: false)
        for (text, id) in entries {
            let scalarsOfText = text.unicodeScalars
            if scalarsOfText.count == 1, let scalar = scalarsOfText.first {
                scalars[scalar.value] = id
            }
            if ignoresMerges { words[scalarsOfText.map(\.value)] = id }
        }
        idOfScalar = scalars
        idOfByteScalar = (UInt32(0)..<0x200).map { scalars[$0] ?? -1 }
        idOfWord = words
        idOfFallbackByte = (0..<256).map { byte in
            vocabulary[Self.fallbackText(UInt8(byte))]?.integer.map { Int32($0) } ?? -1
        }
    }

    /// The spelling of a byte: "<0x0A>".
    static func fallbackText(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x" + (byte < 16 ? "0" : "") + digits + ">"
    }

    private static func entries(
        _ vocabulary: JSONObject, _ field: TokenizerField
    ) throws(TokenizerFault) -> [(text: String, id: Int32)] {
        var entries: [(text: String, id: Int32)] = []
        var seen = Set<Int32>()
        for (text, value) in vocabulary.members {
            let entry = TokenizerField(value: value, place: "\(field.place)[\"\(text)\"]")
            let id = Int32(try entry.wholeNumber(below: idLimit))
            guard seen.insert(id).inserted else { throw entry.fault("an id of its own") }
            entries.append((text, id))
        }
        return entries
    }

    private static func merges(
        _ field: TokenizerField, _ vocabulary: JSONObject
    ) throws(TokenizerFault) -> ([(left: Int32, right: Int32)], MergeTable) {
        var list: [(left: Int32, right: Int32, id: Int32)] = []
        guard let elements = field.value.array else { throw field.fault("a list") }
        for (rank, value) in elements.enumerated() {
            func fault(_ wanted: String) -> TokenizerFault {
                TokenizerField(value: value, place: "\(field.place)[\(rank)]").fault(wanted)
            }
            guard let (left, right) = pair(value) else {
                throw fault("\"LEFT RIGHT\" or [\"LEFT\", \"RIGHT\"]")
            }
            guard let leftID = vocabulary[left]?.integer, let rightID = vocabulary[right]?.integer,
                let id = vocabulary[left + right]?.integer
            else { throw fault("two tokens of the vocabulary that make a third one") }
            list.append((Int32(leftID), Int32(rightID), Int32(id)))
        }
        // Of a pair that occurs twice, the last one counts, as in tokenizers.
        return (list.map { ($0.left, $0.right) }, MergeTable(list))
    }

    private static func pair(_ value: JSONValue) -> (left: String, right: String)? {
        let parts: [String]
        if let text = value.string {
            parts = text.utf8.split(separator: 0x20, omittingEmptySubsequences: false)
                .map { String(Substring($0)) }
        } else {
            parts = value.array?.compactMap(\.string) ?? []
            if value.array?.count != parts.count { return nil }
        }
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
}
