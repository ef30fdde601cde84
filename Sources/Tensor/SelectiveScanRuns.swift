import CKernels

/// How a selective scan's rows are split: documents one after the other in runs.
///
/// A run is what one piece of work goes through for its channels. Runs of several short documents keep
/// the partial gradients of parameters, one a run, few.
package struct SelectiveScanRuns {
    /// One document.
    package struct Document {
        /// Its rows in the batch.
        package let rows: Range<Int>
        /// Where the first of its border states is kept.
        package let state: Int
    }

    /// Rows after which a run ends with its current document.
    private static let runRows = 256

    /// The documents, in row order.
    package let documents: [Document]
    /// The documents of each run.
    package let all: [Range<Int>]
    /// The number of border states: one before every chunk of a document but its first.
    package let stateCount: Int

    /// Splits the rows.
    ///
    /// - Parameter segments: documents among the rows.
    package init(segments: Segments) {
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

/// The arguments of a selective scan, shapes checked.
package struct SelectiveScanInputs {
    package let x: Tensor
    package let delta: Tensor
    package let b: Tensor
    package let c: Tensor
    package let deltaBias: Tensor
    package let aLog: Tensor
    package let d: Tensor

    /// N.
    package var stateSize: Int { b.columnCount }
}

/// Where the gradients of a selective scan's inputs are left; those of its parameters are added.
package struct SelectiveScanGradients {
    package let x: GradientTarget
    package let delta: GradientTarget
    package let b: GradientTarget
    package let c: GradientTarget
    package let deltaBias: Tensor
    package let aLog: Tensor
    package let d: Tensor
}
