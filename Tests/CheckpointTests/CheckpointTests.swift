import FalconCheckpoint
import FalconConcurrency
import FalconSystem
import FalconTestSupport
import FoundationEssentials
import Testing

/// A small checkpoint: two parameters, two moments each.
private func contents(step: Int) -> CheckpointContents {
    let parameters = [
        CheckpointParameter(name: "model.b.weight", shape: [3, 4], role: "hiddenMatrix"),
        CheckpointParameter(name: "model.a.bias", shape: [5], role: "vector"),
    ]
    return CheckpointContents(
        step: step, tokens: step * 38, recipeDigest: "ab", dataDigest: "cd",
        parameters: parameters,
        optimizerTensors: parameters.flatMap { parameter in
            ["first", "second"].map {
                TensorDescription(name: "\($0).\(parameter.name)", shape: parameter.shape)
            }
        },
        configuration: Array("{}\n".utf8), state: Array("{\"position\": 7}\n".utf8),
        recipe: Array("name: x\n".utf8),
        tokenizerFiles: [(CheckpointFileName.tokenizer, [1, 2, 3])])
}

private func supply(
    _ part: CheckpointPart, _ tensor: TensorDescription, _ emit: (Span<Float>) throws -> Void
) throws {
    let offset: Float = part == .model ? 0 : 100
    let values = (0..<tensor.elementCount).map { Float($0) + offset }
    try emit(values.span)
}

@discardableResult
private func save(_ folder: CheckpointFolder, step: Int) throws -> String {
    try folder.writer(contents(step: step)).finish(writing: supply)
    return folder.path(ofStep: step)
}

/// Changes one bit of a file.
private func flipBit(of path: String, at offset: Int) throws {
    var bytes = try load(path)
    bytes[offset] ^= 4
    try store(bytes, at: path)
}

@Suite struct CheckpointTests {
    @Test func opensWhatWasWritten() throws {
        try withTemporaryFolder { run in
            let folder = CheckpointFolder(run: run)
            let path = try save(folder, step: 1000)
            #expect(path == run + "/checkpoints/step-00001000")
            let checkpoint = try Checkpoint.open(path)
            #expect(checkpoint.manifest.step == 1000)
            #expect(checkpoint.manifest.tokens == 38_000)
            #expect(checkpoint.manifest.recipeDigest == "ab")
            #expect(checkpoint.manifest.dataDigest == "cd")
            #expect(checkpoint.manifest.parameters == contents(step: 1000).parameters)
            #expect(try checkpoint.weights.floats("model.a.bias") == [0, 1, 2, 3, 4])
            #expect(try checkpoint.optimizer?.floats("second.model.a.bias")[1] == 101)
            #expect(
                try checkpoint.bytes(of: CheckpointFileName.state)
                    == Array("{\"position\": 7}\n".utf8))
            #expect(try checkpoint.bytes(of: CheckpointFileName.tokenizer) == [1, 2, 3])
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [
                    "config.json", "manifest.json", "model.safetensors", "optimizer.safetensors",
                    "recipe.resolved.yaml", "state.json", "tokenizer.model",
                ])
        }
    }

    @Test func twoSavesAreTheSameBytes() throws {
        try withTemporaryFolder { run in
            let first = try save(CheckpointFolder(run: run + "/a"), step: 3)
            let second = try save(CheckpointFolder(run: run + "/b"), step: 3)
            for name in try FileManager.default.contentsOfDirectory(atPath: first) {
                #expect(try load(first + "/" + name) == load(second + "/" + name), "\(name)")
            }
        }
    }

    @Test func partsMayBeLeftOut() throws {
        try withTemporaryFolder { folder in
            var imported = contents(step: 0)
            imported.optimizerTensors = []
            imported.state = nil
            imported.recipe = nil
            imported.tokenizerFiles = []
            try CheckpointWriter(imported, to: folder + "/imported").finish(writing: supply)
            let checkpoint = try Checkpoint.open(folder + "/imported")
            #expect(checkpoint.optimizer == nil)
            #expect(try checkpoint.bytes(of: CheckpointFileName.state) == nil)
            // What another process has made meanwhile stays.
            imported.step = 7
            let error = #expect(throws: FileError.self) {
                try CheckpointWriter(imported, to: folder + "/imported").finish(writing: supply)
            }
            #expect(error?.exitStatus == .cannotCreate)
            #expect(try Checkpoint.open(folder + "/imported").manifest.step == 0)
        }
    }

    @Test(arguments: [
        "config.json", "model.safetensors", "optimizer.safetensors", "recipe.resolved.yaml",
        "state.json", "tokenizer.model",
    ])
    func aFlippedBitNamesTheFile(name: String) throws {
        try withTemporaryFolder { run in
            let path = try save(CheckpointFolder(run: run), step: 1)
            let size = try load(path + "/" + name).count
            for offset in [0, size / 2, size - 1] {
                try flipBit(of: path + "/" + name, at: offset)
                #expect(problems { _ = try Checkpoint.open(path) } == [.wrongDigest(file: name)])
                try flipBit(of: path + "/" + name, at: offset)
            }
            _ = try Checkpoint.open(path)
        }
    }

    @Test func anyFlippedBitInTheManifestIsNoticed() throws {
        try withTemporaryFolder { run in
            let path = try save(CheckpointFolder(run: run), step: 1)
            let manifest = path + "/manifest.json"
            for offset in stride(from: 0, to: try load(manifest).count, by: 7) {
                try flipBit(of: manifest, at: offset)
                #expect(throws: CheckpointError.self, "byte \(offset)") {
                    try Checkpoint.open(path)
                }
                try flipBit(of: manifest, at: offset)
            }
        }
    }

    @Test func reportsAllDamageTogether() throws {
        try withTemporaryFolder { run in
            let path = try save(CheckpointFolder(run: run), step: 1)
            try store([], at: path + "/model.safetensors")
            try FileManager.default.removeItem(atPath: path + "/state.json")
            try flipBit(of: path + "/config.json", at: 0)
            #expect(
                Set(problems { _ = try Checkpoint.open(path) }.map(\.description)) == [
                    "model.safetensors has 0 bytes, want 244", "state.json is missing",
                    "config.json is damaged: its SHA-256 is not the one written",
                ])
        }
    }

    @Test func aRenamedFolderIsNoticed() throws {
        try withTemporaryFolder { run in
            let folder = CheckpointFolder(run: run)
            let path = try save(folder, step: 1)
            try FileManager.default.moveItem(atPath: path, toPath: folder.path(ofStep: 2))
            #expect(
                problems { _ = try Checkpoint.open(folder.path(ofStep: 2)) } == [
                    .stepDisagrees(folder: "step-00000002", step: 1)
                ])
        }
    }

    @Test func aFolderWithoutManifestIsNamed() throws {
        try withTemporaryFolder { folder in
            #expect(throws: FileError.missing(path: folder + "/manifest.json")) {
                try Checkpoint.open(folder)
            }
        }
    }
}

@Suite struct CheckpointFolderTests {
    @Test func theOneBeforeADamagedNewestIsUsed() throws {
        try withTemporaryFolder { run in
            let folder = CheckpointFolder(run: run)
            #expect(try folder.newest().checkpoint == nil)
            try save(folder, step: 10)
            try save(folder, step: 20)
            let newest = try save(folder, step: 30)
            #expect(try folder.newest().checkpoint?.manifest.step == 30)
            try flipBit(of: newest + "/model.safetensors", at: 240)
            try FileManager.default.removeItem(
                atPath: folder.path(ofStep: 20) + "/manifest.json")
            let (checkpoint, damaged) = try folder.newest()
            #expect(checkpoint?.manifest.step == 10)
            #expect(damaged.count == 2)
            #expect("\(damaged[0])".contains("step-00000030: model.safetensors is damaged"))
            #expect("\(damaged[1])".contains("step-00000020/manifest.json: no such file"))
            try save(folder, step: 30)
            #expect(try folder.newest().checkpoint?.manifest.step == 30)
            #expect(try folder.steps() == [10, 20, 30])
        }
    }

    @Test func whatACrashLeftIsIgnoredAndRemoved() throws {
        try withTemporaryFolder { run in
            let folder = CheckpointFolder(run: run)
            try save(folder, step: 10)
            let leftover = folder.path(ofStep: 20) + ".partial"
            try FileManager.default.copyItem(atPath: folder.path(ofStep: 10), toPath: leftover)
            try store([1], at: leftover + "/model.safetensors.partial")
            #expect(try folder.steps() == [10])
            #expect(try folder.newest().damaged.isEmpty)
            #expect(try folder.removeLeftovers() == ["step-00000020.partial"])
            try FileManager.default.createDirectory(
                atPath: leftover, withIntermediateDirectories: false)
            try save(folder, step: 20)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
                    "step-00000010", "step-00000020",
                ])
        }
    }

    /// On a shared disk a rename of another machine may be seen late; what is seen may be older.
    @Test func aCheckpointOfAnotherMachineIsWaitedFor() throws {
        try withTemporaryFolder { run in
            let folder = CheckpointFolder(run: run)
            try save(folder, step: 10)
            let (path, hidden) = (folder.path(ofStep: 10), run + "/hidden")
            let digest = try Checkpoint.open(path).manifest.digest
            try renameItem(path, to: hidden)
            #expect(throws: FileError.self) {
                try Checkpoint.open(path, withManifest: digest, within: 0.1)
            }
            let thread = try WorkerThread {
                sleepSeconds(0.2)
                try? renameItem(hidden, to: path)
            }
            #expect(try Checkpoint.open(path, withManifest: digest, within: 20).manifest.step == 10)
            thread.join()
            #expect(throws: CheckpointError.self) {
                try Checkpoint.open(path, withManifest: "another", within: 0.1)
            }
        }
    }

    @Test func aFailedSaveLeavesNothing() throws {
        struct Stop: Error {}
        try withTemporaryFolder { run in
            let folder = CheckpointFolder(run: run)
            try save(folder, step: 10)
            #expect(throws: Stop.self) {
                try folder.writer(contents(step: 20)).finish { part, tensor, emit in
                    if part == .optimizer { throw Stop() }
                    try supply(part, tensor, emit)
                }
            }
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path) == [
                    "step-00000010"
                ])
        }
    }

    @Test(
        arguments: [
            (1, nil, [10, 20, 30, 40]), (2, nil, [10, 20, 30]), (5, nil, []), (1, 20, [10, 30]),
            (2, 30, [10, 20]),
        ] as [(Int, Int?, [Int])])
    func retentionKeepsTheLastAndEveryNth(last: Int, every: Int?, removed: [Int]) throws {
        try withTemporaryFolder { run in
            let folder = CheckpointFolder(run: run)
            let steps = [10, 20, 30, 40, 50]
            for step in steps { try save(folder, step: step) }
            #expect(try folder.prune(keepLast: last, keepEverySteps: every) == removed)
            #expect(try folder.steps() == steps.filter { !removed.contains($0) })
            #expect(try folder.removeLeftovers() == [])
        }
    }
}
