import FalconTestSupport
import Foundation

/// Runs a program of the system and gives what it wrote to standard output.
func output(of program: String, _ arguments: [String]) throws -> [UInt8] {
    let outcome = try Program.start(
        [program] + arguments, of: "/usr/bin/env", in: FileManager.default.currentDirectoryPath
    ).outcome()
    guard outcome.status == 0 else { throw ProgramFailure(program: program, outcome.errors) }
    return outcome.outputBytes
}

struct ProgramFailure: Error {
    let program: String
    let errors: String

    init(program: String, _ errors: String) { (self.program, self.errors) = (program, errors) }
}

/// A file of the test bundle.
func fixture(_ name: String) -> String {
    Bundle.module.bundlePath + "/Fixtures/" + name
}

let mistralModel = "mistral_instruct_tokenizer_240323.model.v3"

/// Texts that tokenizers and file formats get wrong.
let oddTexts = [
    "", " ", "\n", "\n\n", "a\n\n  indented\n\tTab", "  two  leading", "trailing  ", "\r\n\r\n",
    "a\tb\t\tc", "Größe naïve café", "日本語 😀 한국어", "👩‍👩‍👧‍👦 flags 🇮🇹🇯🇵", "12345 3.14 0x1F",
    "<s> literal </s> <unk> <pad> [INST]", "\u{0}nul\u{0}", "\u{FEFF}bom", "e\u{301} combining",
    String(repeating: " ", count: 100), String(repeating: "-", count: 77), "\u{2585} reserved",
    "\u{FFFD} replacement \u{FFFF} \u{10FFFF}", "line\u{2028}separator\u{85}next",
]
