import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#endif

/// A failure of the file system, with the path and the system's own reason.
public enum FileError: FalconError, Equatable {
    /// The path does not exist.
    case missing(path: String)
    /// The path exists and must not be overwritten.
    case exists(path: String, advice: String)
    /// Another process is writing it.
    case held(path: String, owner: String)
    /// Opening, reading, writing, syncing or renaming failed with `errno` = `code`.
    case failed(action: String, path: String, code: Int32)

    /// The error that describes `errno` after a failed call.
    ///
    /// - Parameters:
    ///   - action: the verb of the message: "open", "write", "rename".
    ///   - path: the file or folder concerned.
    ///   - code: the value of `errno`.
    public init(action: String, path: String, code: Int32) {
        self =
            code == ENOENT && action != "create"
            ? .missing(path: path)
            : .failed(action: action, path: path, code: code)
    }

    /// The path concerned.
    public var path: String {
        switch self {
        case .missing(let path), .exists(let path, _), .held(let path, _), .failed(_, let path, _):
            path
        }
    }

    /// The message for a person.
    public var description: String {
        switch self {
        case .missing(let path):
            return "\(path): no such file or folder; check the path"
        case .exists(let path, let advice):
            return "\(path) exists already; \(advice)"
        case .held(let path, let owner):
            return "\(path) is in use by \(owner); wait until it has ended, or choose another name"
        case .failed(let action, let path, let code):
            let reason = unsafe String(cString: strerror(code))
            let advice =
                switch code {
                case ENOSPC: "; free some space on that disk and run again"
                case EFBIG: "; raise the limit on the size of files (ulimit -f) and run again"
                case EACCES, EPERM: "; check the permissions"
                case EAGAIN where action == "start":
                    "; the limit on processes (ulimit -u, or that of the container) or the memory is used up"
                default: ""
                }
            return "cannot \(action) \(path): \(reason)\(advice)"
        }
    }

    /// The code that the program exits with.
    public var exitStatus: ExitStatus {
        switch self {
        case .missing: .missingInput
        case .exists, .held: .cannotCreate
        case .failed(let action, _, let code):
            code == ENOSPC || ["read", "write", "start"].contains(action)
                ? .inputOutput : .cannotCreate
        }
    }
}
