import CSentencePiece
import FalconConcurrency
import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

// The only file that calls libsentencepiece (through the C shim CSentencePiece).

/// Turns text into token ids and back with a SentencePiece model.
///
/// Any number of threads may encode and decode with one tokenizer at the same time.
@safe public final class SentencePieceTokenizer: Tokenizer, @unchecked Sendable {
    // - Invariant: the processor is read-only after init; the library's encode and decode are const.
    fileprivate let processor: OpaquePointer
    // - Invariant: `plainCopy`, made when it is first wanted, is read and written with `monitor` locked.
    private let monitor = Monitor()
    private var plainCopy: SentencePieceTokenizer?
    /// The file that the model came from, for messages.
    public let path: String
    /// The model, and the files that lay beside it.
    public let files: TokenizerFiles
    /// The SHA-256 of the model's bytes, in hexadecimal; shards and checkpoints compare it.
    public let digest: String
    /// The pieces and settings of the model.
    public let model: SentencePieceModel
    /// The id of the piece that may start a document: the one that the files beside the model name, or
    /// its own.
    public let bosID: Int32?
    /// The id of the piece that ends a document: the one that the files beside the model name, or its
    /// own.
    public let eosID: Int32?
    /// The id of the padding piece.
    public let padID: Int32?
    /// The id of the unknown piece.
    public let unkID: Int32?
    /// The tokens that Hugging Face transformers puts before a prompt; `encode` leaves that to its
    /// caller.
    public let promptPrefix: [Int32]
    /// The fingerprint of the tokenizer's behaviour.
    public let fingerprint: String

    /// Loads a model from a file.
    ///
    /// - Parameter path: a `tokenizer.model`.
    /// - Throws: `FileError` if it cannot be read; `TokenizerError.invalidModel` if it is not a
    ///   model.
    public convenience init(path: String) throws {
        try self.init(modelBytes: try InputFile.contents(of: path), path: path)
    }

    /// Loads a model from memory.
    ///
    /// - Parameters:
    ///   - modelBytes: the bytes of a `tokenizer.model`.
    ///   - path: where they came from, for messages.
    /// - Throws: `TokenizerError.invalidModel` if they are not a model.
    public convenience init(
        modelBytes: [UInt8], path: String = TokenizerFiles.modelName
    ) throws(TokenizerError) {
        let main = TokenizerFiles.File(name: TokenizerFiles.modelName, bytes: modelBytes)
        try self.init(files: TokenizerFiles(main: main), path: path)
    }

    /// Loads a model from memory, with files that belong to it.
    ///
    /// - Parameters:
    ///   - files: the main one is a `tokenizer.model`.
    ///   - path: where it came from, for messages.
    ///   - specialIDs: ids of special tokens that the files do not name.
    /// - Throws: `TokenizerError.invalidModel` if it is not a model, `.unsupported` if the files
    ///   beside it want tokens that it does not have.
    public init(
        files: TokenizerFiles, path: String, specialIDs: SpecialTokenIDs = SpecialTokenIDs()
    ) throws(TokenizerError) {
        var modelBytes = files.main.bytes
        do {
            var model = try SentencePieceModel(serialized: modelBytes)
            let settings = try Self.settings(of: files, model.pieces, path)
            if let adds = settings.addsPrefixSpace, adds != model.addsDummyPrefix {
                // Of a field that is written twice, the last one counts.
                modelBytes += SentencePieceModel.settingOfDummyPrefix(adds)
                model = try SentencePieceModel(serialized: modelBytes)
            }
            self.model = model
            let ids = settings.ids(
                in: model.pieces.map(\.text),
                otherwise: SpecialTokenIDs(
                    bos: model.bosID ?? specialIDs.bos, eos: model.eosID ?? specialIDs.eos,
                    unknown: model.unkID, padding: model.padID ?? specialIDs.padding))
            (bosID, eosID, unkID, padID) = (ids.bos, ids.eos, model.unkID, ids.padding)
            promptPrefix = try Self.promptPrefix(files, settings, ids.bos, model, path)
            fingerprint = model.fingerprint(bos: ids.bos, eos: ids.eos)
        } catch let error as SentencePieceModel.Malformed {
            throw .invalidModel(path: path, reason: error.reason)
        } catch let error as TokenizerError {
            throw error
        } catch {
            throw .invalidModel(path: path, reason: "\(error)")
        }
        var loaded: OpaquePointer?
        let failure = unsafe modelBytes.withUnsafeBytes { bytes in
            unsafe csp_load(&loaded, bytes.baseAddress, bytes.count)
        }
        if let reason = unsafe takeMessage(failure) {
            throw .invalidModel(path: path, reason: reason)
        }
        guard let loaded = unsafe loaded else {
            throw .invalidModel(path: path, reason: "out of memory")
        }
        unsafe processor = loaded
        self.path = path
        self.files = files
        digest = SHA256.hex(of: modelBytes)
    }

    deinit { unsafe csp_close(processor) }

    /// The bytes of the model, as checkpoints and exports store them.
    public var modelBytes: [UInt8] { files.main.bytes }

    /// Cuts a text into tokens; no beginning or end token is added.
    ///
    /// Control pieces spelled out in the text ("</s>") are ordinary text.
    ///
    /// - Parameter text: any text, up to `longestTextBytes`.
    /// - Returns: ids from 0 to `vocabularyCount - 1`.
    /// - Throws: `TokenizerError.failed` with the library's own reason.
    public func encode(_ text: String) throws(TokenizerError) -> [Int32] {
        var owned: UnsafeMutablePointer<Int32>?
        defer { unsafe csp_free(owned) }
        return try unsafe encoded(text) { ids, count, bytes in
            let failure = unsafe csp_encode(
                processor, &owned, count, bytes.baseAddress, bytes.count)
            unsafe ids.pointee = UnsafePointer(owned)
            return unsafe failure
        }
    }

    /// Joins tokens to a text; control pieces give nothing.
    ///
    /// - Parameter ids: ids from 0 to `vocabularyCount - 1`.
    /// - Returns: the text; byte pieces that are not UTF-8 together give U+FFFD.
    /// - Throws: `TokenizerError.tokenOutOfRange` for an id outside the vocabulary.
    public func decode(_ ids: [Int32]) throws(TokenizerError) -> String {
        for id in ids where id < 0 || id >= vocabularyCount {
            throw .tokenOutOfRange(id: id, vocabularyCount: vocabularyCount)
        }
        var bytes: UnsafeMutablePointer<CChar>?
        var count = 0
        let failure = unsafe ids.withUnsafeBufferPointer { buffer in
            unsafe csp_decode(processor, &bytes, &count, buffer.baseAddress, buffer.count)
        }
        if let reason = unsafe takeMessage(failure) {
            throw .failed(action: "decode tokens", reason: reason)
        }
        defer { unsafe csp_free(bytes) }
        return unsafe String(
            decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}

/// Encodes many texts with one tokenizer on one thread, several times faster than the library.
///
/// Most words of a text have been met before: their tokens are remembered. The ids are those of
/// `SentencePieceTokenizer.encode`: words are taken apart only where no piece of the model reaches
/// across (`SentencePieceModel.isCutBeforeSpaces`), and long ones where two tokens stand side by side
/// whatever surrounds them; other models go to the library whole.
@safe public final class WordCachingEncoder: TokenEncoder {
    private let tokenizer: SentencePieceTokenizer
    private let encoder: OpaquePointer?
    // A model that puts a space before every text is one that does not, for a text with that space.
    private let addsSpace: Bool

    /// An encoder that remembers nothing yet.
    ///
    /// - Parameter tokenizer: the tokenizer whose ids are wanted.
    public init(_ tokenizer: SentencePieceTokenizer) {
        let plain = tokenizer.withoutDummyPrefix
        addsSpace = plain != nil
        let used = plain ?? tokenizer
        self.tokenizer = used
        unsafe encoder =
            used.model.isCutBeforeSpaces
            ? csp_word_encoder_open(
                used.processor, used.model.pieces.map { $0.text.utf8.count }.max() ?? 0) : nil
    }

    deinit { unsafe csp_word_encoder_close(encoder) }

    /// Whether a text may be given in parts that begin with a space behind a visible ASCII character.
    public var isCutBeforeSpaces: Bool { unsafe encoder != nil }

    /// Cuts a text, or a part of one, into tokens, as `SentencePieceTokenizer.encode` does.
    ///
    /// - Parameters:
    ///   - text: any text, up to `longestTextBytes`.
    ///   - isContinued: whether it continues the text of the last call.
    /// - Returns: ids from 0 to the tokenizer's `vocabularyCount - 1`.
    /// - Throws: `TokenizerError.failed` with the library's own reason.
    public func encode(_ text: String, isContinued: Bool) throws(TokenizerError) -> [Int32] {
        guard let encoder = unsafe encoder else { return try tokenizer.encode(text) }
        return try unsafe encoded(addsSpace && !isContinued && !text.isEmpty ? " " + text : text) {
            ids, count, bytes in
            unsafe csp_word_encode(encoder, ids, count, bytes.baseAddress, bytes.count)
        }
    }
}

extension SentencePieceTokenizer {
    /// The tokenizer without the space that it puts before every text, if only that keeps its texts
    /// from being cut before spaces; otherwise nil.
    fileprivate var withoutDummyPrefix: SentencePieceTokenizer? {
        guard model.isCutBehindFirstSpace && model.addsDummyPrefix else { return nil }
        return monitor.locked {
            if plainCopy == nil {
                plainCopy = try? SentencePieceTokenizer(
                    modelBytes: modelBytes + SentencePieceModel.settingOfDummyPrefix(false),
                    path: path)
            }
            return plainCopy
        }
    }
}

/// Gives a text to a function of the shim and copies the ids it makes.
private func encoded(
    _ text: String,
    _ body: (
        UnsafeMutablePointer<UnsafePointer<Int32>?>, UnsafeMutablePointer<Int>,
        UnsafeBufferPointer<CChar>
    ) -> UnsafeMutablePointer<CChar>?
) throws(TokenizerError) -> [Int32] {
    var text = text
    var ids: UnsafePointer<Int32>?
    var count = 0
    let failure = text.withUTF8 { bytes in
        unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
            unsafe body(&ids, &count, characters)
        }
    }
    if let reason = unsafe takeMessage(failure) {
        throw .failed(action: "encode a text", reason: reason)
    }
    // Room for the token that ends a document.
    return unsafe [Int32](unsafeUninitializedCapacity: count + 1) { buffer, filled in
        _ = unsafe buffer.initialize(from: UnsafeBufferPointer(start: ids, count: count))
        filled = count
    }
}

/// Takes over a message of the shim; nil means that the call worked.
private func takeMessage(_ message: UnsafeMutablePointer<CChar>?) -> String? {
    guard let message = unsafe message else { return nil }
    defer { unsafe csp_free(message) }
    return unsafe String(cString: message)
}

/// Runs the library's trainer.
///
/// - Parameters:
///   - options: the trainer's own option names and values.
///   - threadCount: the most processors used.
///   - wordBytes: the memory for words and their counts; 0 to give the trainer the sentences themselves.
///   - next: gives the next sentence; nil ends; an error stops the training.
/// - Returns: the serialized model, and the number of words forgotten for lack of room.
/// - Throws: what `next` threw, else `TokenizerError.trainingFailed` with the library's reason.
func trainSentencePiece(
    options: [(name: String, value: String)], threadCount: Int, wordBytes: Int,
    next: @escaping () throws -> ArraySlice<UInt8>?
) throws -> (model: [UInt8], forgottenWordCount: Int) {
    let sentences = TrainingSentences(next)
    let lines = options.map { "\($0.name)=\($0.value)\n" }.joined()
    var model: UnsafeMutablePointer<UInt8>?
    var count = 0
    var forgotten = 0
    let failure = unsafe csp_train(
        &model, &count, lines,
        { context, bytes, count in
            guard let context = unsafe context else { return -1 }
            return unsafe Unmanaged<TrainingSentences>.fromOpaque(context).takeUnretainedValue()
                .give(bytes, count)
        },
        Unmanaged.passUnretained(sentences).toOpaque(), Int32(clamping: threadCount),
        ExitStatus.internalError.rawValue, wordBytes, &forgotten)
    let reason = unsafe takeMessage(failure)
    if let error = sentences.failure { throw error }
    if let reason {
        // "source.cc(660) [condition] Text for people."
        let text = reason.split(separator: "] ", maxSplits: 1).last.map(String.init)
        if reason == (unsafe String(cString: strerror(EAGAIN))) {
            // Nothing but starting its threads ends like this.
            throw FileError.failed(action: "start", path: "a thread", code: EAGAIN)
        }
        throw TokenizerError.trainingFailed(reason: text ?? reason)
    }
    defer { unsafe csp_free(model) }
    var serialized = unsafe Array(UnsafeBufferPointer(start: model, count: count))
    if wordBytes > 0 { serialized = try SentencePieceModel.withoutInputFormat(serialized) }
    return (serialized, forgotten)
}

/// The data of the trainer's callback: the source, and the bytes of the current sentence.
@safe private final class TrainingSentences {
    private let next: () throws -> ArraySlice<UInt8>?
    private var buffer = UnsafeMutableBufferPointer<CChar>.allocate(capacity: 1 << 13)
    private(set) var failure: (any Error)?

    init(_ next: @escaping () throws -> ArraySlice<UInt8>?) { self.next = next }

    deinit { unsafe buffer.deallocate() }

    func give(
        _ bytes: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ count: UnsafeMutablePointer<Int>?
    ) -> Int32 {
        do {
            guard let sentence = try next() else { return 0 }
            if unsafe sentence.count > buffer.count {
                unsafe buffer.deallocate()
                unsafe buffer = .allocate(capacity: sentence.count)
            }
            for (index, byte) in sentence.enumerated() {
                unsafe buffer[index] = CChar(bitPattern: byte)
            }
            unsafe bytes?.pointee = UnsafePointer(buffer.baseAddress)
            unsafe count?.pointee = sentence.count
            return 1
        } catch {
            failure = error
            return -1
        }
    }
}
