// swift-tools-version: 6.2

import PackageDescription

/// Settings of every Swift target: Swift 6 mode comes with the tools version; a warning is an error.
let swiftSettings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Settings of the targets above the engine: raw pointers are visible (`unsafe`) or rejected.
let safeSwiftSettings: [SwiftSetting] = swiftSettings + [.strictMemorySafety()]

/// Kernels built for AVX-512 use whole vectors; the compiler's default is half of one.
#if arch(x86_64)
    let vectorFlags = ["-mprefer-vector-width=512"]
#else
    let vectorFlags: [String] = []
#endif

/// Kernels are compiled at full speed in debug builds too, so that `swift test` is fast.
///
/// Not `-ffast-math`: NaN and infinity must survive.
let kernelSettings: [CSetting] = [
    .unsafeFlags(
        ["-O3", "-fno-math-errno", "-Wall", "-Wextra", "-Werror", "-std=gnu17"] + vectorFlags)
]

let package = Package(
    name: "falcon",
    products: [
        .executable(name: "falcon", targets: ["falcon-cli"]),
        // For `scripts/fuzz`: what reads files from elsewhere.
        .library(
            name: "FalconFiles",
            targets: [
                "FalconSystem", "FalconJSON", "FalconTensor", "FalconTokenizer", "FalconRecipe",
                "FalconCheckpoint", "FalconGGUF", "FalconParquet", "FalconModel", "FalconData",
                "FalconInterchange", "FalconEval", "FalconTrain", "FalconSweep",
            ]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // Floor 1: C kernels, shims over system libraries, and the recipes that are embedded.
        .target(name: "CKernels", cSettings: kernelSettings),
        .target(name: "CSystem", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CBzip2", providers: [.apt(["libbz2-dev"])]),
        .systemLibrary(name: "CLzma", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
        .systemLibrary(name: "CSnappy", pkgConfig: "snappy", providers: [.apt(["libsnappy-dev"])]),
        .systemLibrary(name: "CLz4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(
            name: "CBrotli", pkgConfig: "libbrotlidec", providers: [.apt(["libbrotli-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CMPI"),
        .target(
            name: "CSentencePiece",
            cxxSettings: [.unsafeFlags(["-O2"])],
            linkerSettings: [
                .linkedLibrary("sentencepiece_train"), .linkedLibrary("sentencepiece"),
            ]),
        .target(
            name: "FalconRecipes", path: "recipes", exclude: ["studies"],
            resources: [
                .embedInCode("defaults.yaml"), .embedInCode("defaults-falcon-mamba.yaml"),
                .embedInCode("defaults-mamba2.yaml"),
                .embedInCode("demo.yaml"), .embedInCode("mamba-tiny.yaml"),
                .embedInCode("mamba2-tiny.yaml"),
                .embedInCode("falcon-mamba-7b.yaml"),
                .embedInCode("h1-tiny-90m.yaml"), .embedInCode("h1-0.5b.yaml"),
                .embedInCode("h1-1.5b.yaml"), .embedInCode("h1-1.5b-deep.yaml"),
                .embedInCode("h1-3b.yaml"), .embedInCode("h1-7b.yaml"), .embedInCode("h1-34b.yaml"),
            ],
            swiftSettings: safeSwiftSettings),

        // Floor 2: files and the process, threads, JSON, what a part of a recipe is.
        .target(
            name: "FalconSystem", dependencies: ["CSystem", "CCrypto"],
            path: "Sources/System", swiftSettings: swiftSettings),
        .target(
            name: "FalconConcurrency", dependencies: ["FalconSystem"],
            path: "Sources/Concurrency", swiftSettings: swiftSettings),
        .target(
            name: "FalconJSON", path: "Sources/JSON", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconRecipeSection", path: "Sources/RecipeSection",
            swiftSettings: safeSwiftSettings),

        // Floor 3: the engine, text to ids, recipe files, files of weights, columns of text, bytes between
        // processes.
        .target(
            name: "FalconTensor", dependencies: ["CKernels", "FalconSystem"],
            path: "Sources/Tensor", swiftSettings: swiftSettings),
        .target(
            name: "FalconTokenizer",
            dependencies: ["CSentencePiece", "FalconSystem", "FalconConcurrency", "FalconJSON"],
            path: "Sources/Tokenizer", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconRecipe",
            dependencies: [
                "FalconSystem", "FalconRecipeSection", "FalconRecipes",
                .product(name: "Yams", package: "Yams"),
            ],
            path: "Sources/Recipe", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconCheckpoint", dependencies: ["FalconSystem", "FalconJSON"],
            path: "Sources/Checkpoint", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconGGUF", dependencies: ["CKernels", "FalconSystem", "FalconConcurrency"],
            path: "Sources/GGUF", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconParquet",
            dependencies: ["CZlib", "CZstd", "CSnappy", "CLz4", "CBrotli", "FalconSystem"],
            path: "Sources/Parquet", swiftSettings: safeSwiftSettings),

        .target(
            name: "FalconRanks", dependencies: ["CMPI", "FalconSystem", "FalconConcurrency"],
            path: "Sources/Ranks", swiftSettings: swiftSettings),

        // Floor 4: models and update rules, what checks and measures the engine, documents to batches,
        // what a run leaves.
        .target(
            name: "FalconModel",
            dependencies: ["FalconSystem", "FalconJSON", "FalconRecipeSection", "FalconTensor"],
            path: "Sources/Model", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconOptim",
            dependencies: ["FalconSystem", "FalconRecipeSection", "FalconTensor"],
            path: "Sources/Optim", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconVerification", dependencies: ["FalconTensor"],
            path: "Sources/Verification", swiftSettings: swiftSettings),
        .target(
            name: "FalconProfiling", dependencies: ["CKernels", "FalconSystem", "FalconTensor"],
            path: "Sources/Profiling", swiftSettings: swiftSettings),
        .target(
            name: "FalconData",
            dependencies: [
                "CKernels", "CZstd", "CZlib", "CBzip2", "CLzma", "FalconSystem",
                "FalconConcurrency", "FalconJSON", "FalconRecipeSection", "FalconTokenizer",
                "FalconParquet",
            ],
            path: "Sources/Data", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconRunRecord",
            dependencies: ["FalconSystem", "FalconJSON", "FalconCheckpoint"],
            path: "Sources/RunRecord", swiftSettings: safeSwiftSettings),

        // Floor 5: a score, a foreign file.
        .target(
            name: "FalconEval",
            dependencies: [
                "FalconSystem", "FalconJSON", "FalconTensor", "FalconTokenizer", "FalconRanks",
                "FalconData", "FalconModel", "FalconRunRecord",
            ],
            path: "Sources/Eval", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconInterchange",
            dependencies: [
                "FalconSystem", "FalconJSON", "FalconRecipeSection", "FalconTensor",
                "FalconTokenizer", "FalconModel", "FalconCheckpoint", "FalconGGUF",
                "FalconRunRecord", "FalconEval",
            ],
            path: "Sources/Interchange", swiftSettings: safeSwiftSettings),

        // Floor 6: a run, many runs, what they show, measurements.
        .target(
            name: "FalconTrain",
            dependencies: [
                "FalconSystem", "FalconConcurrency", "FalconJSON", "FalconRecipeSection",
                "FalconTensor", "FalconTokenizer", "FalconData", "FalconRecipe", "FalconModel",
                "FalconOptim", "FalconCheckpoint", "FalconRanks", "FalconRunRecord", "FalconEval",
                "FalconInterchange",
            ],
            path: "Sources/Train", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconSweep",
            dependencies: [
                "FalconSystem", "FalconConcurrency", "FalconJSON", "FalconRecipeSection",
                "FalconRecipe", "FalconOptim", "FalconRunRecord", "FalconTrain",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            path: "Sources/Sweep", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconReport",
            dependencies: [
                "FalconSystem", "FalconData", "FalconRecipe", "FalconModel", "FalconOptim",
                "FalconCheckpoint", "FalconRunRecord", "FalconEval", "FalconTrain", "FalconSweep",
            ],
            path: "Sources/Report", swiftSettings: safeSwiftSettings),
        .target(
            name: "FalconBench",
            dependencies: [
                "FalconSystem", "FalconConcurrency", "FalconRanks", "FalconTensor", "FalconData",
                "FalconRecipe", "FalconModel", "FalconOptim", "FalconProfiling", "FalconTrain",
            ],
            path: "Sources/Bench", swiftSettings: safeSwiftSettings),

        // Floor 7: the command line.
        .executableTarget(
            name: "falcon-cli",
            dependencies: [
                "FalconSystem", "FalconConcurrency", "FalconJSON", "FalconRanks", "FalconTensor",
                "FalconTokenizer", "FalconData", "FalconRecipe", "FalconModel", "FalconOptim",
                "FalconCheckpoint", "FalconRunRecord", "FalconVerification", "FalconProfiling",
                "FalconEval", "FalconInterchange", "FalconTrain", "FalconSweep", "FalconReport",
                "FalconBench", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: safeSwiftSettings),

        // What several test targets share; no program depends on it.
        .target(
            name: "FalconTestSupport",
            dependencies: [
                "FalconSystem", "FalconJSON", "FalconTokenizer", "FalconRanks", "FalconData",
                "FalconRecipe", "FalconCheckpoint", "FalconRunRecord", "FalconTrain",
            ],
            path: "Tests/Support", swiftSettings: swiftSettings),

        // Tests mirror the sources.
        .testTarget(
            name: "SystemTests", dependencies: ["FalconSystem", "FalconTestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "JSONTests", dependencies: ["FalconJSON"], swiftSettings: swiftSettings),
        .testTarget(
            name: "TensorTests",
            dependencies: [
                "CKernels", "FalconSystem", "FalconTensor", "FalconVerification",
                "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "VerificationTests", dependencies: ["FalconTensor", "FalconVerification"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "ProfilingTests",
            dependencies: ["FalconTensor", "FalconVerification", "FalconProfiling"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "TokenizerTests",
            dependencies: [
                "FalconSystem", "FalconConcurrency", "FalconJSON", "FalconTokenizer",
                "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "DataTests",
            dependencies: [
                "FalconSystem", "FalconJSON", "FalconConcurrency", "FalconTokenizer", "FalconData",
                "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "RecipeTests",
            dependencies: [
                "FalconSystem", "FalconRecipeSection", "FalconTensor", "FalconData",
                "FalconRecipes", "FalconRecipe", "FalconModel", "FalconTrain", "FalconTestSupport",
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "ModelTests",
            dependencies: [
                "FalconSystem", "FalconTensor", "FalconModel", "FalconCheckpoint",
                "FalconInterchange", "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "OptimTests",
            dependencies: [
                "FalconRecipeSection", "FalconTensor", "FalconOptim", "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "CheckpointTests",
            dependencies: [
                "FalconSystem", "FalconConcurrency", "FalconCheckpoint", "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "GGUFTests", dependencies: ["FalconSystem", "FalconGGUF", "FalconTestSupport"],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "ParquetTests",
            dependencies: ["FalconSystem", "FalconJSON", "FalconParquet", "FalconTestSupport"],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "RanksTests",
            dependencies: ["FalconSystem", "FalconConcurrency", "FalconRanks"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "RunRecordTests", dependencies: ["FalconRunRecord"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "EvalTests",
            dependencies: [
                "FalconSystem", "FalconJSON", "FalconTensor", "FalconTokenizer", "FalconRanks",
                "FalconModel",
                "FalconRunRecord", "FalconEval", "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "InterchangeTests",
            dependencies: [
                "FalconSystem", "FalconJSON", "FalconTensor", "FalconTokenizer", "FalconModel",
                "FalconCheckpoint", "FalconGGUF", "FalconInterchange", "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "TrainTests",
            dependencies: [
                "FalconSystem", "FalconJSON", "FalconRecipeSection", "FalconTensor",
                "FalconTokenizer", "FalconRanks", "FalconData", "FalconRecipe", "FalconModel",
                "FalconOptim", "FalconCheckpoint", "FalconRunRecord",
                "FalconEval", "FalconInterchange", "FalconTrain", "FalconTestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "SweepTests", dependencies: ["FalconRecipe", "FalconSweep"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "ReportTests",
            dependencies: ["FalconRunRecord", "FalconTrain", "FalconReport", "FalconTestSupport"],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "BenchTests",
            dependencies: [
                "FalconRanks", "FalconTensor", "FalconData", "FalconModel", "FalconProfiling",
                "FalconTrain",
                "FalconBench",
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "CommandLineTests", dependencies: ["falcon-cli", "FalconTestSupport"],
            swiftSettings: swiftSettings),
    ],
    cLanguageStandard: .gnu17,
    cxxLanguageStandard: .cxx17
)
