import FalconSystem
import Foundation

/// A folder that lives as long as a test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/falcon-data-" + UUID().uuidString
        try createFolder(path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and gives its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        if let slash = file.lastIndex(of: "/") { try createFolder(String(file[..<slash])) }
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }

    func file(_ name: String) -> String { path + "/" + name }
}

/// Runs a program of the system and gives what it wrote to standard output.
func output(of program: String, _ arguments: [String]) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let bytes = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ProgramFailure(program: program) }
    return Array(bytes)
}

struct ProgramFailure: Error {
    let program: String
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
