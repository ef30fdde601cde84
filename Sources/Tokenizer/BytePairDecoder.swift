/// The way from tokens back to text: the part "decoder" of a `tokenizer.json`.
struct BytePairDecoder: Sendable {
    /// Whether the characters of tokens stand for bytes.
    let mapsBytes: Bool
    /// Whether tokens such as "<0x0A>" stand for bytes.
    private(set) var hasByteFallback = false
    /// Whether the text loses a space at its start.
    private(set) var dropsFirstSpace = false
    private var replacements: [(pattern: [UInt32], content: [UInt32])] = []

    /// Reads the part "decoder".
    ///
    /// - Parameters:
    ///   - field: the part.
    ///   - mapsBytes: whether the pre-tokenizer maps bytes; the decoder must undo it.
    /// - Throws: `TokenizerFault` for an unknown decoder.
    init(_ field: TokenizerField, mapsBytes: Bool) throws(TokenizerFault) {
        self.mapsBytes = mapsBytes
        // Without a decoder `tokenizers` shows tokens as they are spelled, with spaces between. Here
        // decoding gives back the text that was encoded.
        if field.isNull { return }
        var parts = try field.flattened("decoders")[...]
        func type() throws(TokenizerFault) -> String {
            guard let part = parts.first else { return "" }
            return try part["type"].text()
        }
        if mapsBytes {
            guard parts.count == 1, try type() == "ByteLevel" else {
                throw field.fault("a \"ByteLevel\", as the pre-tokenizer has one")
            }
            return
        }
        while let part = parts.first, try type() == "Replace" {
            let (pattern, content) = try TextNormalizer.replacement(part)
            replacements.append(
                (pattern.unicodeScalars.map(\.value), content.unicodeScalars.map(\.value)))
            parts = parts.dropFirst()
        }
        if try type() == "ByteFallback" {
            hasByteFallback = true
            parts = parts.dropFirst()
        }
        // Without it, each token would lose its leading spaces.
        guard try type() == "Fuse" else {
            throw (parts.first ?? field).fault("\"Replace\", \"ByteFallback\" and a \"Fuse\"")
        }
        parts = parts.dropFirst()
        if let part = parts.first, try type() == "Strip" {
            guard try part["content"].text() == " ",
                try part["start"].wholeNumber(below: 2) == 1,
                try part["stop"].wholeNumber(below: 1) == 0
            else { throw part.fault("content \" \", start 1, stop 0") }
            dropsFirstSpace = true
            parts = parts.dropFirst()
        }
        guard parts.isEmpty else { throw parts[parts.startIndex].fault("the end of the list") }
    }

    /// The text or bytes of an ordinary token.
    func surface(of token: String) -> TokenSurface {
        if mapsBytes { return .bytes(ByteAlphabet.bytes(of: token) ?? Array(token.utf8)) }
        if hasByteFallback, let byte = StreamingDecoder.byte(of: token) { return .bytes([byte]) }
        if replacements.isEmpty { return .text(token) }
        var scalars = token.unicodeScalars.map(\.value)
        for (pattern, content) in replacements {
            scalars = TextNormalizer.replaced(scalars, pattern, content)
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars.compactMap(Unicode.Scalar.init))
        return .text(String(text))
    }
}
