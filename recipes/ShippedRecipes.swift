/// The recipes embedded in the program, made from the `.yaml` files beside this one.
public enum ShippedRecipes {
    /// YAML text by file name.
    public static let texts: [String: String] = [
        "defaults-falcon-mamba.yaml": PackageResources.defaults_falcon_mamba_yaml,
        "defaults-mamba2.yaml": PackageResources.defaults_mamba2_yaml,
        "defaults.yaml": PackageResources.defaults_yaml,
        "demo.yaml": PackageResources.demo_yaml,
        "falcon-mamba-7b.yaml": PackageResources.falcon_mamba_7b_yaml,
        "h1-0.5b.yaml": PackageResources.h1_0_5b_yaml,
        "h1-1.5b-deep.yaml": PackageResources.h1_1_5b_deep_yaml,
        "h1-1.5b.yaml": PackageResources.h1_1_5b_yaml,
        "h1-34b.yaml": PackageResources.h1_34b_yaml,
        "h1-3b.yaml": PackageResources.h1_3b_yaml,
        "h1-7b.yaml": PackageResources.h1_7b_yaml,
        "h1-tiny-90m.yaml": PackageResources.h1_tiny_90m_yaml,
        "mamba-tiny.yaml": PackageResources.mamba_tiny_yaml,
        "mamba2-tiny.yaml": PackageResources.mamba2_tiny_yaml,
    ].mapValues { String(decoding: $0, as: UTF8.self) }

    /// The file names, sorted.
    public static var names: [String] { texts.keys.sorted() }

    /// The YAML of one recipe.
    ///
    /// - Parameter name: the file name, with `.yaml`.
    /// - Returns: its text; nil if no recipe has this name.
    public static func text(_ name: String) -> String? { texts[name] }
}
