import FalconSystem

extension CorpusTokenizer {
    /// Checks that the list of documents to leave out is of the documents that will be read.
    ///
    /// - Throws: `DataError.otherInput`.
    func checkLeaveOut(_ input: PartSettings.Input) throws {
        precondition(
            deduplication != .near || leaveOut != nil,
            "CorpusTokenizer: near duplicates need a list")
        try leaveOut?.check(input, cleaning.settings, skipsBadDocuments: skipsBadDocuments)
    }

    /// Finds the near duplicates among the documents that will be read, to be left out.
    ///
    /// - Parameters:
    ///   - documents: read to the end here; the same must be given to `write` once more.
    ///   - folder: where the data set will be; `FOLDER.duplicates.partial` lies beside it meanwhile.
    ///   - memoryBytes: as for `DuplicateSearch`.
    ///   - progress: called now and then on the calling thread.
    /// - Returns: what was found; `leaveOut` is its list, which is gone when this value dies.
    /// - Throws: `DataError.readOnce` for standard input or a pipe; what `DuplicateSearch.write` throws.
    public mutating func findNearDuplicates(
        in documents: sending DocumentReader, for folder: String, memoryBytes: Int,
        progress: ((DuplicateSearch.Counts) -> Void)? = nil
    ) throws -> FoundDuplicates {
        if let path = documents.onceReadable {
            throw DataError.readOnce(
                path: path,
                advice: "--deduplicate near reads the input twice; write it to a file first")
        }
        let folder = withoutTrailingSlashes(folder)
        if !overwrites && fileKind(of: "\(folder)/\(DatasetIndex.fileName)") != .missing {
            throw DataError.outputExists(path: folder)
        }
        try createFolder(RawPath(folder).parent)
        let scratch = try AtomicFolder(path: folder + ".duplicates")
        var search = DuplicateSearch(by: .near)
        search.memoryBytes = memoryBytes
        search.threadCount = threadCount
        search.skipsBadDocuments = skipsBadDocuments
        search.cleaning = cleaning
        let path = scratch.partialPath + "/list"
        let counts = try search.write(documents, to: path, progress: progress)
        deduplication = .near
        leaveOut = try LeaveOutList(path: path)
        return FoundDuplicates(counts: counts, scratch: scratch)
    }
}

/// Near duplicates that were found for one run; their list lasts as long as this.
public struct FoundDuplicates: ~Copyable {
    /// What was found.
    public let counts: DuplicateSearch.Counts
    private let scratch: AtomicFolder

    fileprivate init(counts: DuplicateSearch.Counts, scratch: consuming AtomicFolder) {
        self.counts = counts
        self.scratch = scratch
    }
}
