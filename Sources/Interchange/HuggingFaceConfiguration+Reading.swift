import FalconCheckpoint
import FalconJSON
import FalconModel
import FalconRecipeSection
import FalconSystem
import FoundationEssentials

extension HuggingFaceConfiguration {
    /// Reads `config.json` in any spelling of transformers 4 and 5.
    ///
    /// - Parameters:
    ///   - bytes: the file's contents.
    ///   - path: its name, for messages.
    /// - Throws: `InterchangeError.configuration` with every field that is wrong or not supported.
    ///   Fields that change nothing are ignored.
    public init(bytes: [UInt8], path: String) throws(InterchangeError) {
        let object: JSONObject
        do {
            guard let found = try JSONValue(parsing: bytes).object else {
                throw JSONError(message: "an object is wanted", offset: 0)
            }
            object = found
        } catch {
            let problem = ConfigurationProblem(key: "config", message: "\(error)")
            throw .configuration(path: path, problems: [problem])
        }
        var fields = ConfigurationFields(object)
        let model = fields.modelClass().flatMap { $0.read(&fields) }
        bosTokenID = fields.optionalInteger("bos_token_id")
        padTokenID = fields.optionalInteger("pad_token_id")
        eosTokenIDs = fields.integers("eos_token_id")
        for problem in model?.problems() ?? [] {
            fields.report(problem.key ?? "config", problem.message)
        }
        guard let model, fields.problems.isEmpty else {
            throw .configuration(path: path, problems: fields.problems)
        }
        self.model = model
    }

    /// Reads `config.json` of a folder.
    ///
    /// - Parameter folder: a Hugging Face folder or a checkpoint.
    /// - Throws: `FileError` if there is none, else as for `init(bytes:path:)`.
    public init(folder: String) throws {
        let path = folder + "/" + Self.fileName
        try self.init(bytes: InputFile.contents(of: path), path: path)
    }
}

extension ConfigurationFields {
    /// The class of the file; reports an unknown one.
    fileprivate mutating func modelClass() -> (any HuggingFaceClass.Type)? {
        let type = value("model_type")?.string
        let classes = Architecture.huggingFaceClasses
        guard let modelClass = classes.first(where: { $0.modelType == type }) else {
            let known = classes.map { "\"\($0.modelType)\"" }
            report(
                "model_type",
                "got \(type.map { "\"\($0)\"" } ?? "none"), want one of "
                    + known.joined(separator: ", "))
            return nil
        }
        if let architectures = value("architectures"),
            architectures.array?.contains(.string(modelClass.name)) != true
        {
            report(
                "architectures",
                "got \(architectures.serialized()), want [\"\(modelClass.name)\"]")
            return nil
        }
        return modelClass
    }
}
