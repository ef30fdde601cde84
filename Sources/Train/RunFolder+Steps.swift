import FalconSystem

extension RunFolder {
    /// What `metrics.jsonl` tells, in its order; what cannot be read is left out.
    ///
    /// - Returns: empty where there is no such file.
    /// - Throws: `FileError` if it is there and cannot be read.
    public func steps() throws(FileError) -> [StepMetrics] {
        guard fileKind(of: metricsPath) != .missing else { return [] }
        return MetricsFile.steps(in: try InputFile.contents(of: metricsPath))
    }
}
