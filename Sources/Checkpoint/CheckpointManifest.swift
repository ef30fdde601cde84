import FalconJSON
import FalconSystem

/// A parameter as a checkpoint lists it.
public struct CheckpointParameter: Equatable, Sendable {
    /// Hugging Face's name.
    public let name: String
    /// Lengths, outermost first.
    public let shape: [Int]
    /// The type in `model.safetensors`.
    public let type: ElementType
    /// The purpose of the parameter, in the model's words.
    public let role: String

    /// A parameter of a checkpoint.
    ///
    /// - Parameters:
    ///   - name: Hugging Face's name.
    ///   - shape: lengths, outermost first.
    ///   - type: the type in `model.safetensors`; masters are F32.
    ///   - role: the purpose of the parameter, in the model's words.
    public init(name: String, shape: [Int], type: ElementType = .float32, role: String) {
        self.name = name
        self.shape = shape
        self.type = type
        self.role = role
    }

    /// The parameter as a tensor of a file.
    public var tensor: TensorDescription {
        TensorDescription(name: name, shape: shape, type: type)
    }
}

/// A checkpoint of another run that a run has begun from.
public struct CheckpointAncestor: Codable, Equatable, Sendable {
    /// The other run's folder, by its name at that time.
    public let run: String
    /// Optimizer steps taken there.
    public let step: Int
    /// The SHA-256 at the end of the manifest of that checkpoint.
    public let manifestDigest: String

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case run, step
        case manifestDigest = "manifest_sha256"
    }

    /// An ancestor.
    ///
    /// - Parameters:
    ///   - run: the other run's folder.
    ///   - step: optimizer steps taken there.
    ///   - manifestDigest: the SHA-256 at the end of the manifest of that checkpoint.
    public init(run: String, step: Int, manifestDigest: String) {
        self.run = run
        self.step = step
        self.manifestDigest = manifestDigest
    }
}

/// The manifest of a checkpoint, `manifest.json`.
///
/// The text ends with a digest of everything before it, so that a changed digit is noticed too.
public struct CheckpointManifest: Equatable, Sendable {
    /// The file's name in a checkpoint.
    public static let fileName = "manifest.json"
    /// The newest version of the layout that this program reads.
    ///
    /// Checkpoints with ancestors have version 2, those without version 1.
    public static let schemaVersion = 2

    /// Optimizer steps taken.
    public var step: Int
    /// Tokens consumed by those steps.
    public var tokens: Int
    /// SHA-256 of the resolved recipe; empty for imported weights.
    public var recipeDigest: String
    /// SHA-256 of the data's index; empty for imported weights.
    public var dataDigest: String
    /// The checkpoints of other runs that this one comes from, the oldest first; empty for a run that
    /// is not a branch.
    public var ancestors: [CheckpointAncestor]
    /// The parameters in the order of the model.
    public var parameters: [CheckpointParameter]
    /// Every other file of the checkpoint.
    public var files: [WrittenFile]

    init(
        step: Int, tokens: Int, recipeDigest: String, dataDigest: String,
        ancestors: [CheckpointAncestor] = [], parameters: [CheckpointParameter],
        files: [WrittenFile]
    ) {
        self.step = step
        self.tokens = tokens
        self.recipeDigest = recipeDigest
        self.dataDigest = dataDigest
        self.ancestors = ancestors
        self.parameters = parameters
        self.files = files
    }

    /// The digest of the text before it, which stands at the end of `manifest.json`.
    public var digest: String { Self.digest(of: JSONValue.object(fields).serialized()) }

    /// The text of `manifest.json`.
    ///
    /// - Returns: the same text for the same values, as it does not depend on time or machine.
    func serialized() -> String {
        var object = fields
        object["manifest_sha256"] = .string(digest)
        return JSONValue.object(object).serialized(indentation: 1) + "\n"
    }

    /// Everything except the digest.
    private var fields: JSONObject {
        var object: JSONObject = [
            "schema_version": .integer(ancestors.isEmpty ? 1 : 2),
            "step": .integer(step),
            "tokens": .integer(tokens),
            "recipe_sha256": .string(recipeDigest),
            "data_sha256": .string(dataDigest),
        ]
        if !ancestors.isEmpty {
            object["ancestors"] = .array(
                ancestors.map { ancestor in
                    .object([
                        "run": .string(ancestor.run),
                        "step": .integer(ancestor.step),
                        "manifest_sha256": .string(ancestor.manifestDigest),
                    ])
                })
        }
        object["parameters"] = .array(
            parameters.map { parameter in
                .object([
                    "name": .string(parameter.name),
                    "shape": .array(parameter.shape.map { .integer($0) }),
                    "dtype": .string(parameter.type.rawValue),
                    "role": .string(parameter.role),
                ])
            })
        object["files"] = .array(
            files.map { file in
                .object([
                    "name": .string(file.name),
                    "bytes": .integer(file.byteCount),
                    "sha256": .string(file.sha256),
                ])
            })
        return object
    }

    private static func digest(of text: String) -> String {
        var digest = SHA256()
        digest.update(text)
        return digest.finalizeHex()
    }

    /// Reads the text of `manifest.json`.
    ///
    /// - Parameters:
    ///   - bytes: the file's contents.
    ///   - path: the checkpoint, for messages.
    /// - Throws: `CheckpointError` if it is not exactly the output of `serialized()`.
    init(bytes: [UInt8], path: String) throws(CheckpointError) {
        func malformed(_ reason: String) -> CheckpointError {
            CheckpointError(path: path, problems: [.manifestMalformed(reason)])
        }
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw malformed(error.description)
        }
        guard let object = value.object else {
            throw malformed("it is \(value.kindName), not an object")
        }
        if let version = object["schema_version"]?.integer,
            !(1...Self.schemaVersion).contains(version)
        {
            throw CheckpointError(
                path: path,
                problems: [.unsupportedSchema(got: version, want: Self.schemaVersion)],
                advice: "use the version of falcon that wrote it")
        }
        guard let step = object["step"]?.integer, let tokens = object["tokens"]?.integer,
            let recipeDigest = object["recipe_sha256"]?.string,
            let dataDigest = object["data_sha256"]?.string,
            let ancestors = (object["ancestors"] ?? .array([])).array?.map(Self.ancestor)
                as? [CheckpointAncestor],
            let parameters = object["parameters"]?.array?.map(Self.parameter)
                as? [CheckpointParameter],
            let files = object["files"]?.array?.map(Self.file) as? [WrittenFile]
        else { throw malformed("a field is missing or has the wrong type") }
        (self.step, self.tokens) = (step, tokens)
        (self.recipeDigest, self.dataDigest) = (recipeDigest, dataDigest)
        (self.ancestors, self.parameters, self.files) = (ancestors, parameters, files)
        guard Array(serialized().utf8) == bytes else {
            throw malformed("its text does not match its own SHA-256; it was changed or damaged")
        }
    }

    private static func ancestor(_ value: JSONValue) -> CheckpointAncestor? {
        guard let object = value.object, let run = object["run"]?.string,
            let step = object["step"]?.integer, let digest = object["manifest_sha256"]?.string
        else { return nil }
        return CheckpointAncestor(run: run, step: step, manifestDigest: digest)
    }

    private static func parameter(_ value: JSONValue) -> CheckpointParameter? {
        guard let object = value.object, let name = object["name"]?.string,
            let shape = object["shape"]?.array?.map(\.integer) as? [Int],
            let type = object["dtype"]?.string.flatMap(ElementType.init(rawValue:)),
            let role = object["role"]?.string
        else { return nil }
        return CheckpointParameter(name: name, shape: shape, type: type, role: role)
    }

    private static func file(_ value: JSONValue) -> WrittenFile? {
        guard let object = value.object, let name = object["name"]?.string,
            !name.isEmpty, !name.contains("/"), name != "..",
            let byteCount = object["bytes"]?.integer, let sha256 = object["sha256"]?.string
        else { return nil }
        return WrittenFile(name: name, byteCount: byteCount, sha256: sha256)
    }
}
