import FalconSystem

/// The tensors of a safetensors file, or of a folder that holds one file or several shards.
///
/// Files are mapped into memory: opening reads only the headers, and a tensor takes memory only
/// when it is read.
public struct SafetensorsReader: Sendable {
    /// The name of a model's weights among the sets of tensors in a folder.
    static let modelSet = "model"
    /// The file name of unsharded weights in a folder.
    public static let singleFileName = ShardPlan.singleFileName(modelSet)
    /// The file name of the table of shards in a folder.
    public static let indexFileName = ShardPlan.indexFileName(modelSet)

    /// The path that was opened.
    public let path: String
    /// Free text about the files; for shards, that of the first one.
    public let metadata: [String: String]
    /// The tensors in the order of their bytes, shard after shard.
    public let tensors: [TensorDescription]
    private let files: [MappedFile]
    private let filePaths: [String]
    private let places: [String: Place]

    private struct Place {
        var file: Int
        var entry: SafetensorsHeader.Entry
    }

    /// Opens a file or a folder of weights.
    ///
    /// - Parameter path: a safetensors file, or a folder with `model.safetensors` or with
    ///   `model.safetensors.index.json` and the shards that it names.
    /// - Throws: `FileError` if a file cannot be opened; `CheckpointError` naming every violation of
    ///   the format and every disagreement between index and shards.
    public init(path: String) throws {
        guard fileKind(of: path) == .folder else {
            try self.init(path: path, filePaths: [path])
            return
        }
        try self.init(folder: path, set: Self.modelSet)
    }

    /// Opens a set of tensors of a folder: one file, or shards with their table.
    init(folder path: String, set: String) throws {
        let single = path + "/" + ShardPlan.singleFileName(set)
        let indexPath = path + "/" + ShardPlan.indexFileName(set)
        if fileKind(of: single) != .missing {
            try self.init(path: path, filePaths: [single])
        } else if fileKind(of: indexPath) != .missing {
            let index = try ShardIndex(path: indexPath)
            try self.init(
                path: path, filePaths: index.fileNames.map { path + "/" + $0 }, index: index)
        } else {
            throw FileError.missing(path: single)
        }
    }

    private init(path: String, filePaths: [String], index: ShardIndex? = nil) throws {
        self.path = path
        var files: [MappedFile] = []
        var places: [String: Place] = [:]
        var tensors: [TensorDescription] = []
        var metadata: [String: String] = [:]
        var problems: [CheckpointProblem] = []
        for (number, filePath) in filePaths.enumerated() {
            let file = try MappedFile(path: filePath)
            let header = try file.withBytes { bytes throws(CheckpointError) in
                try SafetensorsHeader(bytes: bytes, path: filePath)
            }
            if number == 0 { metadata = header.metadata }
            for entry in header.entries {
                let name = entry.tensor.name
                if let index, let other = places[name] {
                    problems.append(
                        .tensorInTwoFiles(
                            tensor: name, first: index.fileNames[other.file],
                            second: index.fileNames[number]))
                    continue
                }
                places[name] = Place(file: number, entry: entry)
                tensors.append(entry.tensor)
            }
            files.append(file)
        }
        if let index {
            problems += index.problems(placed: places.mapValues { index.fileNames[$0.file] })
        }
        guard problems.isEmpty else { throw CheckpointError(path: path, problems: problems) }
        self.files = files
        self.filePaths = filePaths
        self.places = places
        self.tensors = tensors
        self.metadata = metadata
    }

    /// The declaration of a tensor.
    ///
    /// - Parameter name: the tensor's name.
    /// - Returns: nil if the files do not hold it.
    public func tensor(named name: String) -> TensorDescription? {
        places[name]?.entry.tensor
    }

    /// The file that holds a tensor.
    ///
    /// - Parameter name: the tensor's name.
    /// - Returns: its path; that of the folder or file that was opened if there is no such tensor.
    public func filePath(of name: String) -> String {
        places[name].map { filePaths[$0.file] } ?? path
    }

    /// Gives the stored bytes of a tensor to `body`.
    ///
    /// - Parameters:
    ///   - name: the tensor's name.
    ///   - body: reads little-endian elements, row-major; they must not outlive the call.
    /// - Returns: what `body` returns.
    /// - Throws: `CheckpointError` if there is no such tensor; errors of `body`.
    public func withBytes<Result>(
        of name: String, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let place = try place(of: name)
        return try files[place.file].withBytes { bytes in
            try body(bytes.extracting(place.entry.range))
        }
    }

    private func place(of name: String) throws(CheckpointError) -> Place {
        guard let place = places[name] else {
            throw CheckpointError(
                path: path,
                problems: [.missingTensor(name, like: closest(to: name, among: places.keys))])
        }
        return place
    }
}

extension SafetensorsReader {
    /// Reads a tensor of float type into memory of the caller.
    ///
    /// - Parameters:
    ///   - name: the tensor's name; F32, F16, BF16 or F64 in the file. F64 is rounded to nearest.
    ///   - destination: the same number of elements as the tensor has; all are set.
    /// - Throws: `CheckpointError` if there is no such tensor or its type is none of these.
    public func readFloats(_ name: String, into destination: inout MutableSpan<Float>) throws {
        let count = try place(of: name).entry.tensor.elementCount
        try readFloats(name, elements: 0..<count, into: &destination)
    }

    /// Reads a part of a tensor of float type into memory of the caller.
    ///
    /// - Parameters:
    ///   - name: the tensor's name; F32, F16, BF16 or F64 in the file. F64 is rounded to nearest.
    ///   - elements: places in the tensor, row-major.
    ///   - destination: the same number of elements; all are set.
    /// - Throws: `CheckpointError` if there is no such tensor or its type is none of these.
    public func readFloats(
        _ name: String, elements: Range<Int>, into destination: inout MutableSpan<Float>
    ) throws {
        let place = try place(of: name)
        let tensor = place.entry.tensor
        precondition(
            destination.count == elements.count && elements.lowerBound >= 0
                && elements.upperBound <= tensor.elementCount,
            "readFloats: \(elements) of \(tensor.elementCount) elements of \(name) into room for "
                + "\(destination.count)")
        guard tensor.type.isReadable else {
            throw unreadable(tensor, want: "F32, BF16, F16 or F64")
        }
        let size = tensor.type.bitCount / 8
        let start = place.entry.range.lowerBound
        let range = start + elements.lowerBound * size..<start + elements.upperBound * size
        files[place.file].withBytes { bytes in
            let bytes = bytes.extracting(range)
            switch tensor.type {
            case .float16: destination.fill(from: bytes, as: Float16.self) { Float($0) }
            case .bfloat16: destination.fill(from: bytes, as: UInt16.self, floatFromBFloat16)
            case .float64: destination.fill(from: bytes, as: Double.self) { Float($0) }
            default: destination.fill(from: bytes, as: Float.self) { $0 }
            }
        }
        files[place.file].forget(range)
    }

    /// A tensor of float type.
    ///
    /// - Parameter name: the tensor's name; F32, F16, BF16 or F64 in the file.
    /// - Returns: its elements as float32, row-major.
    /// - Throws: `CheckpointError` if there is no such tensor or its type is none of these.
    public func floats(_ name: String) throws -> [Float] {
        var values = [Float](repeating: 0, count: try place(of: name).entry.tensor.elementCount)
        var span = values.mutableSpan
        try readFloats(name, into: &span)
        return values
    }

    /// A tensor of float64.
    ///
    /// - Parameter name: the tensor's name; F64 in the file.
    /// - Returns: its elements, row-major.
    /// - Throws: `CheckpointError` if there is no such tensor or it has another type.
    public func doubles(_ name: String) throws -> [Double] {
        try elements(name, type: .float64, zero: 0)
    }

    /// A tensor of int64.
    ///
    /// - Parameter name: the tensor's name; I64 in the file.
    /// - Returns: its elements, row-major.
    /// - Throws: `CheckpointError` if there is no such tensor or it has another type.
    public func integers(_ name: String) throws -> [Int] {
        try elements(name, type: .int64, zero: 0)
    }

    private func elements<Element: BitwiseCopyable>(
        _ name: String, type: ElementType, zero: Element
    ) throws -> [Element] {
        let tensor = try place(of: name).entry.tensor
        guard tensor.type == type else { throw unreadable(tensor, want: type.rawValue) }
        var values = [Element](repeating: zero, count: tensor.elementCount)
        try withBytes(of: name) { bytes in
            var span = values.mutableSpan
            span.fill(from: bytes, as: Element.self) { $0 }
        }
        return values
    }

    private func unreadable(_ tensor: TensorDescription, want: String) -> CheckpointError {
        CheckpointError(
            path: path,
            problems: [.unreadableType(tensor: tensor.name, got: tensor.type, want: want)],
            advice: "export the model again with float weights")
    }

    /// The most problems for which similar names are searched, as each search visits all names.
    private static let suggestionLimit = 40

    /// Checks that the files hold exactly the tensors of a model.
    ///
    /// - Parameters:
    ///   - wanted: names and shapes; the types are not compared, but must be float types.
    ///   - isIgnored: whether a tensor's type does not matter, as the tensor is not read.
    /// - Throws: `CheckpointError` naming every missing, unexpected, misshapen and unreadable tensor.
    public func requireExactly(
        _ wanted: [TensorDescription], ignoringTypesOf isIgnored: (String) -> Bool = { _ in false }
    ) throws(CheckpointError) {
        var problems: [CheckpointProblem] = []
        let wantedNames = Set(wanted.map(\.name))
        let extras = tensors.map(\.name).filter { !wantedNames.contains($0) }
        for want in wanted {
            guard let got = tensor(named: want.name) else {
                let like =
                    problems.count < Self.suggestionLimit
                    ? closest(to: want.name, among: extras) : nil
                problems.append(.missingTensor(want.name, like: like))
                continue
            }
            if got.shape != want.shape {
                problems.append(
                    .wrongShape(tensor: want.name, got: got.shape, want: want.shape))
            }
            if !got.type.isReadable && !isIgnored(want.name) {
                problems.append(
                    .unreadableType(
                        tensor: want.name, got: got.type, want: "F32, BF16, F16 or F64"))
            }
        }
        problems += extras.map { .extraTensor($0) }
        guard problems.isEmpty else {
            throw CheckpointError(
                path: path, problems: problems,
                advice: "the weights belong to another configuration; use the two together")
        }
    }
}

/// The most similar of some names, for "did you mean".
///
/// - Parameters:
///   - name: the name asked for.
///   - candidates: the names that exist.
/// - Returns: the one with the longest common beginning and end, if these cover most of `name`.
func closest(to name: String, among candidates: some Sequence<String>) -> String? {
    let wanted = Array(name.utf8)
    var best: (name: String, shared: Int)?
    for candidate in candidates {
        let given = Array(candidate.utf8)
        let limit = min(wanted.count, given.count)
        var head = 0
        while head < limit, wanted[head] == given[head] { head += 1 }
        var tail = 0
        while tail < limit - head, wanted[wanted.count - 1 - tail] == given[given.count - 1 - tail]
        {
            tail += 1
        }
        if head + tail > best?.shared ?? 0 { best = (candidate, head + tail) }
    }
    guard let best, best.shared * 4 >= wanted.count * 3 else { return nil }
    return best.name
}
