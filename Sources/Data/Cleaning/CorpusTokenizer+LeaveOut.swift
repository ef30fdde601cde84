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

    /// Finds the near duplicates among the documents that will be read, to be left out: a list for this run alone.
    ///
    /// - Parameters:
    ///   - documents: read to the end here; the same must be given to `write` once more.
    ///   - folder: where the data set will be; `FOLDER.duplicates.partial` lies beside it meanwhile.
    ///   - memoryBytes: as for `DuplicateSearch`.
    ///   - progress: called now and then on the calling thread.
    /// - Throws: `DataError.readOnce` for standard input or a pipe; what `DuplicateSearch.write` throws.
    public mutating func findNearDuplicates(
        in documents: sending DocumentReader, for folder: String, memoryBytes: Int,
        progress: ((DuplicateSearch.Counts) -> Void)? = nil
    ) throws {
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
        _ = try search.write(documents, to: path, progress: progress)
        deduplication = .near
        leaveOut = try LeaveOutList(path: path, scratch: LeaveOutList.Scratch(scratch))
    }
}
