import ArgumentParser
import FalconJSON
import FalconTokenizer

extension TokenizerCommand {
    /// Turns lines into token ids.
    struct Encode: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Encode texts from standard input: one JSON string per line gives one list of ids.")

        @Option(help: "A tokenizer.model or tokenizer.json, or a folder with one.")
        var tokenizer: String

        func run() throws {
            let tokenizer = try openTokenizer(path: tokenizer)
            var number = 0
            while let line = readLine() {
                number += 1
                guard let text = try? decodedJSON(String.self, from: line.utf8)
                else {
                    throw ValidationError("standard input, line \(number): want a JSON string")
                }
                let ids = try tokenizer.encode(text)
                print("[" + ids.map { "\($0)" }.joined(separator: ",") + "]")
            }
        }
    }
}
