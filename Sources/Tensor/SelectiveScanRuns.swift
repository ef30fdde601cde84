import CKernels

/// The CPU's division of a selective scan's rows: documents one after the other in runs.
///
/// A run holds the rows that one piece of work scans for its channels. Runs of several short
/// documents keep the partial gradients of parameters, one per run, few.
struct SelectiveScanRuns {
    /// One document.
    struct Document {
        /// Its rows in the batch.
        let rows: Range<Int>
        /// The place of the first of its border states.
        let state: Int
    }

    /// Rows after which a run ends with its current document.
    private static let runRows = 256

    /// The documents, in row order.
    let documents: [Document]
    /// The documents of each run.
    let all: [Range<Int>]
    /// The number of border states: one before every chunk of a document but its first.
    let stateCount: Int

    /// Splits the rows.
    ///
    /// - Parameter segments: documents among the rows.
    init(segments: Segments) {
        var documents: [Document] = []
        var all: [Range<Int>] = []
        var (states, first) = (0, 0)
        for rows in segments.ranges {
            documents.append(Document(rows: rows, state: states))
            states += (rows.count - 1) / FK_SCAN_ROWS
            guard rows.upperBound - documents[first].rows.lowerBound >= Self.runRows else {
                continue
            }
            all.append(first..<documents.count)
            first = documents.count
        }
        if first < documents.count { all.append(first..<documents.count) }
        self.documents = documents
        self.all = all
        stateCount = states
    }
}
