import FalconSystem

/// A Parquet file that cannot be read.
public enum ParquetError: FalconError, Equatable {
    /// Some bytes are not what the format, or another part of the file, says; `place` is nil for the file as
    /// a whole.
    case damaged(path: String, place: String?, reason: String)
    /// The file has something that is not read.
    case unsupported(path: String, place: String?, reason: String, remedy: String)
    /// The column is not there, or holds no texts.
    case wrongColumn(path: String, reason: String)

    /// The file.
    public var path: String {
        switch self {
        case .damaged(let path, _, _), .unsupported(let path, _, _, _), .wrongColumn(let path, _):
            path
        }
    }

    /// The finding: what failed, what was found and wanted, where.
    public var finding: String {
        switch self {
        case .damaged(let path, let place, let reason):
            "\(path): \(place.map { $0 + ": " } ?? "")damaged Parquet: \(reason)"
        case .unsupported(let path, let place, let reason, _):
            "\(path): \(place.map { $0 + ": " } ?? "")\(reason)"
        case .wrongColumn(let path, let reason): "\(path): \(reason)"
        }
    }

    /// What to do about it.
    public var remedy: String {
        switch self {
        case .damaged: "copy or write the file again"
        case .unsupported(_, _, _, let remedy): remedy
        case .wrongColumn: "name the right one with --field"
        }
    }

    /// The message: what failed, what was found and wanted, where, and what to do.
    public var description: String { finding + "; " + remedy }

    /// 65: the data are bad.
    public var exitStatus: ExitStatus { .badData }
}
