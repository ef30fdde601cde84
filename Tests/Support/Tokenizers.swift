/// A file among the fixtures of the tokenizers.
///
/// - Parameter name: its path below their folder.
/// - Returns: its path.
package func tokenizerFixture(_ name: String) -> String {
    testsFolder + "/TokenizerTests/Fixtures/" + name
}

/// The file of Mistral's third tokenizer among the fixtures.
package let mistralModel = "mistral_instruct_tokenizer_240323.model.v3"

/// Texts that tokenizers and file formats get wrong.
package let oddTexts = [
    "", " ", "\n", "\n\n", "a\n\n  indented\n\tTab", "  two  leading", "trailing  ", "\r\n\r\n",
    "a\tb\t\tc", "Größe naïve café", "日本語 😀 한국어", "👩‍👩‍👧‍👦 flags 🇮🇹🇯🇵", "12345 3.14 0x1F",
    "<s> literal </s> <unk> <pad> [INST]", "\u{0}nul\u{0}", "\u{FEFF}bom", "e\u{301} combining",
    String(repeating: " ", count: 100), String(repeating: "-", count: 77), "\u{2585} reserved",
    "\u{FFFD} replacement \u{FFFF} \u{10FFFF}", "line\u{2028}separator\u{85}next",
]
