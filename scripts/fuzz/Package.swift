// swift-tools-version: 6.2

import PackageDescription

/// The fuzzer of the file readers, beside the program so that neither its build nor its tests know of
/// it; `run.sh` builds it with coverage counters in every module.
let package = Package(
    name: "fuzz",
    dependencies: [.package(name: "falcon", path: "../..")],
    targets: [
        .executableTarget(
            name: "fuzz-readers",
            dependencies: [.product(name: "FalconFiles", package: "falcon")],
            path: "Sources",
            swiftSettings: [.treatAllWarnings(as: .error)],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])])
    ]
)
