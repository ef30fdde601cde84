import FalconJSON

/// The files of a set of tensors: one, or shards of bounded size with a table that names them.
///
/// `NAME.safetensors`; or `NAME-00001-of-00003.safetensors` and so on with `NAME.safetensors.index.json`, as in
/// Hugging Face tools. Which tensor is in which file follows from their order and sizes alone.
struct ShardPlan {
    /// The name of the set: "model" or "optimizer".
    let name: String
    /// The tensors of each file, in the order in which they were announced.
    let shards: [[TensorDescription]]

    /// Fills shards in order.
    ///
    /// - Parameters:
    ///   - name: of the set.
    ///   - tensors: at least one.
    ///   - byteLimit: the most bytes of tensors in a file, > 0; a larger tensor gets its own.
    init(_ name: String, _ tensors: [TensorDescription], byteLimit: Int) {
        precondition(byteLimit > 0, "ShardPlan: shard limit \(byteLimit), want > 0")
        var shards: [[TensorDescription]] = [[]]
        var size = 0
        for tensor in tensors {
            if size > 0, size + tensor.byteCount > byteLimit {
                shards.append([])
                size = 0
            }
            shards[shards.count - 1].append(tensor)
            size += tensor.byteCount
        }
        self.name = name
        self.shards = shards
    }

    /// The name of a file.
    ///
    /// - Parameter number: from 0.
    /// - Returns: without a folder.
    func fileName(_ number: Int) -> String {
        func padded(_ number: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        }
        return shards.count == 1
            ? Self.singleFileName(name)
            : "\(name)-\(padded(number + 1))-of-\(padded(shards.count)).safetensors"
    }

    /// The name of the only file of a set.
    static func singleFileName(_ name: String) -> String { name + ".safetensors" }

    /// The name of the table of a set of several files.
    static func indexFileName(_ name: String) -> String { name + ".safetensors.index.json" }

    /// The text of the table; nil for a single file.
    var index: String? {
        guard shards.count > 1 else { return nil }
        var map = JSONObject()
        var fileOfTensor: [String: String] = [:]
        for (number, shard) in shards.enumerated() {
            for tensor in shard { fileOfTensor[tensor.name] = fileName(number) }
        }
        for (tensor, file) in fileOfTensor.sorted(by: { $0.key < $1.key }) {
            map[tensor] = .string(file)
        }
        let total = shards.joined().reduce(0) { $0 + $1.byteCount }
        let index = JSONValue.object([
            "metadata": .object(["total_size": .integer(total)]), "weight_map": .object(map),
        ])
        return index.serialized(indentation: 2) + "\n"
    }
}
