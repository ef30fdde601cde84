import FalconData
import FalconSystem

/// What `tokenize --dry-run` says.
struct PreviewReport {
    let preview: CleaningPreview
    let seconds: Double

    /// Prints it for people: a table of reasons, then examples of each.
    func printTable() {
        func line(_ name: String, _ documents: Int, _ bytes: Int) -> [String] {
            [
                name, grouped(documents), share(documents, preview.documents), grouped(bytes),
                share(bytes, preview.bytes),
            ]
        }
        let reasons = preview.reasons.sorted {
            ($1.value.documents, $0.key) < ($0.value.documents, $1.key)
        }
        var table = Table("reason", "documents", "share", "bytes", "share")
        for (name, reason) in reasons { table.add(line(name, reason.documents, reason.bytes)) }
        if preview.changedDocuments > 0 {
            table.add(line("lines taken out of", preview.changedDocuments, preview.removedBytes))
        }
        table.add(line("kept", preview.keptDocuments, preview.keptBytes))
        table.add(line("all", preview.documents, preview.bytes))
        table.printed()
        for (name, reason) in reasons {
            print("\n\(name)")
            for example in reason.examples {
                let place = example.path + (example.place.map { ", \($0)" } ?? "")
                print("  " + place + (example.keptInstead.map { ", like \($0)" } ?? ""))
                if let finding = example.finding { print("    " + finding) }
                if let beginning = example.beginning { print("    " + quoted(beginning)) }
            }
        }
    }

    private func share(_ part: Int, _ whole: Int) -> String {
        percent(Double(part) / Double(max(1, whole)))
    }

    /// A text on one line.
    private func quoted(_ text: String) -> String {
        let words = text.split { $0.isWhitespace || $0.isNewline }
        return "\"" + words.joined(separator: " ") + "\""
    }

    /// The output of `--json`.
    var result: some Encodable { Result(self) }

    private struct Result: Encodable {
        struct Reason: Encodable {
            let documents: Int
            let document_share: Double
            let bytes: Int
            let byte_share: Double
            let examples: [CleaningPreview.Example]
        }

        let dry_run = true
        let documents: Int
        let text_bytes: Int
        let kept_documents: Int
        let kept_bytes: Int
        let changed_documents: Int
        let removed_bytes: Int
        let reasons: [String: Reason]
        let skipped_files: Int
        let elapsed_seconds: Double

        init(_ report: PreviewReport) {
            let preview = report.preview
            documents = preview.documents
            text_bytes = preview.bytes
            kept_documents = preview.keptDocuments
            kept_bytes = preview.keptBytes
            changed_documents = preview.changedDocuments
            removed_bytes = preview.removedBytes
            reasons = preview.reasons.mapValues { reason in
                Reason(
                    documents: reason.documents,
                    document_share: Double(reason.documents) / Double(max(1, preview.documents)),
                    bytes: reason.bytes,
                    byte_share: Double(reason.bytes) / Double(max(1, preview.bytes)),
                    examples: reason.examples)
            }
            skipped_files = preview.unreadable.count
            elapsed_seconds = report.seconds
        }
    }
}
