import ArgumentParser

@main
struct Falcon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "falcon", abstract: "Raw text to an evaluated, exported language model.")
}
