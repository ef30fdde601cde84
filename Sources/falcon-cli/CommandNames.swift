import ArgumentParser
import FalconSystem

/// The error for a word that is not a command, where a command is wanted.
struct UnknownCommandError: FalconError {
    let description: String
    var exitStatus: ExitStatus { .usage }
}

/// Guesses at the meaning of a wrong command.
enum CommandNames {
    /// The names that other programs give to the commands of this one.
    private static let elsewhere: [(names: [String], command: String)] = [
        (["train", "fit", "finetune", "fine-tune", "continue", "pretraining"], "pretrain"),
        (["resume", "restart"], "pretrain --resume"),
        (["branch", "fork"], "pretrain --branch"),
        (["evaluate", "evaluation", "score", "test", "validate", "perplexity", "ppl"], "eval"),
        (["convert", "conversion"], "ckpt convert"),
        (["average", "merge", "soup"], "ckpt average"),
        (["info", "inspect", "show", "describe"], "ckpt info"),
        (["compare"], "ckpt diff"),
        (["checkpoint", "checkpoints", "model"], "ckpt"),
        (["sample", "infer", "inference", "complete", "chat", "run", "text"], "generate"),
        (["search", "tune", "grid", "hpo", "experiment"], "sweep"),
        (["prepare", "preprocess", "dataset", "shard", "shards", "pack"], "tokenize"),
        (["train-tokenizer", "vocab", "bpe"], "tokenizer train"),
        (["quantize", "quantise", "gguf", "hf", "save"], "export"),
        (["load"], "import"),
        (["benchmark", "profile", "speed"], "bench"),
        (["check", "doctor"], "verify"),
        (["cost", "estimate", "resolve", "recipe", "config", "dry-run"], "plan"),
        (["dashboard", "plot", "summary"], "report"),
    ]

    /// The error in the command of a command line.
    ///
    /// - Parameter arguments: without the program's name.
    /// - Returns: nil if the words name a command, or if options come first.
    static func problem(in arguments: [String]) -> UnknownCommandError? {
        var command: any ParsableCommand.Type = Falcon.self
        var path: [String] = []
        for word in arguments {
            let configuration = command.configuration
            let isChoice =
                !configuration.subcommands.isEmpty && configuration.defaultSubcommand == nil
            guard isChoice, !word.hasPrefix("-"), word != "help" else { return nil }
            guard let next = configuration.subcommands.first(where: { name(of: $0) == word })
            else { return UnknownCommandError(description: message(word, below: path, command)) }
            path.append(word)
            command = next
        }
        return nil
    }

    private static func name(of command: any ParsableCommand.Type) -> String {
        command._commandName
    }

    /// The words of all commands below one, itself left out.
    private static func paths(below command: any ParsableCommand.Type) -> [[String]] {
        command.configuration.subcommands.flatMap { next in
            [[name(of: next)]] + paths(below: next).map { [name(of: next)] + $0 }
        }
    }

    private static func message(
        _ word: String, below path: [String], _ command: any ParsableCommand.Type
    ) -> String {
        let here = paths(below: command).map { path + $0 }
        let everywhere = here + paths(below: Falcon.self)
        let lower = word.lowercased()
        var meant: String?
        if path.isEmpty { meant = elsewhere.first { $0.names.contains(lower) }?.command }
        meant = meant ?? everywhere.first { $0.last == lower }?.joined(separator: " ")
        if meant == nil,
            let near = suggestion(for: word, among: everywhere.compactMap(\.last))
        {
            meant = everywhere.first { $0.last == near }?.joined(separator: " ")
        }
        let names = command.configuration.subcommands.map { name(of: $0) }
        let above = (["falcon"] + path).joined(separator: " ")
        return "there is no command \(above) \(word)" + didYouMean(meant.map { "falcon " + $0 })
            + "\ncommands: \(names.joined(separator: ", ")); \(above) --help says what they do"
    }
}
