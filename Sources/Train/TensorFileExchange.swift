import FalconCheckpoint
import FalconModel
import FalconOptim
import FalconRanks
import FalconSystem
import FalconTensor

/// Writes the files of a checkpoint's tensors, each by one rank, with what the others bring.
///
/// W files at a time: all ranks go through the same stretches of these files, one of each in turn, so that nobody
/// waits for what nobody sends.
struct TensorFileExchange {
    /// A stretch of a tensor in a file.
    private struct Stretch {
        let tensor: TrainedTensor
        let elements: Range<Int>
        let owner: Int
    }

    /// A file that this rank writes.
    private final class OpenFile {
        private var writer: SafetensorsWriter?

        init(_ file: CheckpointTensorFile, in folder: String) throws {
            writer = try file.writer(in: folder)
        }

        func append(_ values: Span<Float>) throws { try writer?.append(values) }

        func finish() throws -> WrittenFile? { try writer.take()?.finish() }
    }

    /// The time that a file system may take to show a folder that another machine has made, in seconds.
    private static let secondsUntilSeen = 90.0

    private let trainer: Trainer
    private let tensors: [String: TrainedTensor]
    private let pieces: [[UpdatePiece]]
    private var ranks: RankGroup { trainer.ranks }

    /// An exchange of the state between the ranks of a run.
    ///
    /// - Parameter trainer: between two steps.
    init(_ trainer: Trainer) {
        self.trainer = trainer
        pieces = trainer.piecesByParameter
        tensors = Dictionary(
            uniqueKeysWithValues: trainer.trainedTensors.map { ($0.description.name, $0) })
    }

    /// Writes all files.
    ///
    /// - Parameters:
    ///   - files: the same on every rank.
    ///   - folder: an unfinished checkpoint on a disk that all ranks see.
    /// - Returns: the files as written, those of other ranks too, in their order.
    /// - Throws: `FileError`, for instance if the disk is full; `RankFailure` if a rank has failed.
    func write(_ files: [CheckpointTensorFile], in folder: String) throws -> [WrittenFile] {
        if !ranks.isLeader { try waitUntilSeen(folder) }
        var own: [WrittenFile] = []
        for start in stride(from: 0, to: files.count, by: ranks.count) {
            let group = files[start..<min(start + ranks.count, files.count)]
            if let written = try writeOne(of: Array(group), in: folder) { own.append(written) }
        }
        let texts = try ranks.gather(
            own.map { "\($0.name) \($0.byteCount) \($0.sha256)" }.joined(separator: "\n"))
        let written = texts.flatMap { $0.split(separator: "\n") }.map { line in
            let fields = line.split(separator: " ").map(String.init)
            return WrittenFile(name: fields[0], byteCount: Int(fields[1]) ?? 0, sha256: fields[2])
        }
        return files.compactMap { file in written.first { $0.name == file.name } }
    }

    /// Writes a file of this rank, if there is one for it among as many as there are ranks.
    private func writeOne(
        of files: [CheckpointTensorFile], in folder: String
    ) throws -> WrittenFile? {
        let isWriting = ranks.rank < files.count
        let open = isWriting ? try OpenFile(files[ranks.rank], in: folder) : nil
        if let open, files[ranks.rank].part == .model { try writeModel(files[ranks.rank], open) }
        let stretches: [[Stretch]] = files.map { file in
            file.part == .model ? [] : file.tensors.flatMap { self.stretches(of: $0) }
        }
        for place in 0..<(stretches.map(\.count).max() ?? 0) {
            for (writer, stretches) in stretches.enumerated() where place < stretches.count {
                try pass(stretches[place], to: writer, open)
            }
        }
        return try open?.finish()
    }

    /// Weights, which every rank has.
    private func writeModel(_ file: CheckpointTensorFile, _ open: OpenFile) throws {
        let parameters = Dictionary(
            uniqueKeysWithValues: trainer.model.table.modelParameters.map { ($0.name, $0) })
        for tensor in file.tensors {
            try parameters[tensor.name]?.value.download { try open.append($0) }
        }
    }

    private func stretches(of tensor: TensorDescription) -> [Stretch] {
        guard let trained = tensors[tensor.name] else { return [] }
        return pieces[trained.parameter].flatMap { piece in
            piece.elements.pieces(ofAtMost: ranks.messageFloatLimit).map {
                Stretch(
                    tensor: trained, elements: $0, owner: trainer.units.owners[piece.unit])
            }
        }
    }

    /// Brings a stretch to the rank that writes it.
    private func pass(_ stretch: Stretch, to writer: Int, _ open: OpenFile?) throws {
        let isOwn = stretch.owner == ranks.rank
        if writer == ranks.rank {
            if isOwn {
                try trainer.values(of: stretch.tensor, stretch.elements)
                    .download { try open?.append($0) }
            } else {
                try ranks.receive(from: stretch.owner).readFloats { try open?.append($0) }
            }
        } else if isOwn, let link = ranks.link {
            try ranks.waitForRoom()
            let message = link.makeMessage()
            trainer.values(of: stretch.tensor, stretch.elements).download { message.append($0) }
            try ranks.send(message, to: writer)
        }
    }

    /// Waits until a folder that the leader has made is there.
    private func waitUntilSeen(_ folder: String) throws {
        let start = monotonicSeconds()
        while fileKind(of: folder) != .folder {
            guard monotonicSeconds() - start < Self.secondsUntilSeen else {
                throw TrainError.notSeen(
                    path: folder, host: ranks.host(of: ranks.rank), leader: ranks.host(of: 0))
            }
            sleepSeconds(0.05)
        }
    }
}
