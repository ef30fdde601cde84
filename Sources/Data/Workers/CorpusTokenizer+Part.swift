import FalconSystem

extension CorpusTokenizer {
    /// What a worker did.
    public struct WrittenPart: Sendable {
        /// The folder of the part.
        public let path: String
        /// The data set that it is.
        public let index: DatasetIndex
        /// What was read and written.
        public let counts: Progress
        /// Whether the part was there already, made of the same files with the same settings.
        public let isUnchanged: Bool
    }

    /// Writes one worker's part of a data set, unless it is there already.
    ///
    /// The part lies at `FOLDER.parts/2-of-3`, whole or not at all; `DataMerge` makes a data set of all parts. Files
    /// are the same if they have the same names and sizes.
    ///
    /// - Parameters:
    ///   - documents: a reader of all files, of which the share is read.
    ///   - share: of which worker.
    ///   - folder: where the data set will be.
    ///   - progress: called now and then on the calling thread.
    /// - Returns: what was written or found.
    /// - Throws: `PartError` for options that one worker cannot follow, and for a part that was made otherwise;
    ///   what `write` throws.
    public func writePart(
        of documents: sending DocumentReader, share: InputShare, to folder: String,
        progress: ((Progress) -> Void)? = nil
    ) throws -> WrittenPart {
        try checkShare(share)
        let settings = PartSettings(self, documents.settings)
        try checkLeaveOut(documents.settings)
        try documents.keep(share)
        let path = CorpusPart.path(of: share, of: folder)
        if fileKind(of: path) != .missing {
            guard fileKind(of: path + "/" + CorpusPart.fileName) == .file else {
                throw FileError.exists(path: path, advice: "it is not a part; move it away")
            }
            if !overwrites { return try existingPart(share, at: path, settings) }
        }
        try createFolder(CorpusPart.folder(of: folder))
        let output = try AtomicFolder(path: path, replacing: overwrites)
        let (index, counts, tail) = try writeFiles(
            of: documents, in: output.partialPath, asPart: true, progress)
        try CorpusPart.write(share, settings, counts, tail: tail, in: output.partialPath)
        try output.commit()
        return WrittenPart(path: path, index: index, counts: counts, isUnchanged: false)
    }

    /// Refuses options that a worker cannot follow.
    ///
    /// - Throws: `PartError.cannotShare`.
    func checkShare(_ share: InputShare) throws(PartError) {
        if share.count > 1 && deduplication != .off {
            throw PartError.cannotShare(
                share: share,
                reason:
                    "--deduplicate \(deduplication) compares all documents, and a worker sees only its "
                    + "share; write a list first, falcon data duplicates --by \(deduplication) with the "
                    + "same files, and give it to every worker with --leave-out")
        }
    }

    private func existingPart(
        _ share: InputShare, at path: String, _ settings: PartSettings
    ) throws -> WrittenPart {
        let part = try CorpusPart(share, path: path)
        var differences = part.record.settings.differences(from: settings)
        if settings.input.bytes == nil {
            differences.append("a pipe cannot be compared with what was read before")
        }
        guard differences.isEmpty else {
            throw PartError.otherSettings(path: path, differences: differences)
        }
        return WrittenPart(
            path: path, index: try TokenDataset(path: path).index, counts: part.record.counts,
            isUnchanged: true)
    }
}
