/// The place of a document in the whole input, the same for one process and for any number of workers.
struct DocumentPosition: Comparable, Hashable, Sendable, CustomStringConvertible {
    /// The file, by its place among all inputs, from 0.
    var file = 0
    /// The line or row at which it begins, from 1; 0 where the whole file is the document.
    var line = 0
    /// Which of the documents that begin there, from 0.
    var copy = 0

    static func < (a: DocumentPosition, b: DocumentPosition) -> Bool {
        (a.file, a.line, a.copy) < (b.file, b.line, b.copy)
    }

    /// The position of a document behind this one.
    func next(_ place: DocumentPlace?, file: Int) -> DocumentPosition {
        let line =
            switch place {
            case .line(let number), .row(let number): number
            case nil: 0
            }
        let isSame = line == self.line && file == self.file
        return DocumentPosition(file: file, line: line, copy: isSame ? copy + 1 : 0)
    }

    /// As a list holds it: three numbers.
    var description: String { "\(file) \(line) \(copy)" }
}
