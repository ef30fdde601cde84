import ArgumentParser
import FalconReport
import FalconSystem

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write the results of runs and sweeps as one HTML file that needs no network.")

    @Argument(help: "Folders of runs and sweeps.")
    var paths: [String]

    @Option(help: "The file to write; an existing one is replaced.")
    var output = "report.html"

    @Flag(help: "Also print the numbers as one JSON object.")
    var json = false

    @Flag(help: "Print results and errors only.")
    var quiet = false

    func run() throws {
        let report = try Report(paths: paths)
        var file = try AtomicFile(path: output)
        try file.write(report.html(version: Falcon.configuration.version))
        try file.commit()
        let summary = report.summary
        if !quiet {
            for warning in summary.warnings { writeToStandardError("\(warning)\n") }
        }
        if json { return try printJSON(summary) }
        for verdict in summary.verdicts { print(verdict.text) }
        if !quiet { writeToStandardError("wrote \(output)\n") }
    }
}
