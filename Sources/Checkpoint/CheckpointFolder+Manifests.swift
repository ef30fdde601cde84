import FalconSystem

extension CheckpointFolder {
    /// The manifest of the newest checkpoint; nothing else of it is read or verified.
    ///
    /// - Returns: nil if no checkpoint has a manifest that can be read.
    public func newestManifest() -> CheckpointManifest? {
        let steps = (try? steps()) ?? []
        return steps.reversed().lazy.compactMap { step in
            let path = path(ofStep: step)
            return try? CheckpointManifest(
                bytes: InputFile.contents(of: path + "/" + CheckpointManifest.fileName), path: path)
        }.first
    }
}
