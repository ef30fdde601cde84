/// The tasks, groups and suites there are.
public enum TaskCatalog {
    /// Tasks that stand alone, as results list them.
    public static let tasks: [any EvaluationTask] = [
        HellaSwag(), ARC("arc_easy"), ARC("arc_challenge"), PIQA(), WinoGrande(), Lambada(),
        SciQ(), BoolQ(), OpenBookQA(), CommonsenseQA(), SocialIQA(), COPA(),
        TruthfulQA(hasOneRight: true), TruthfulQA(hasOneRight: false), WikiText(), GSM8K(),
        TriviaQA(), MMLUPro(),
    ]

    /// Groups of tasks.
    public static let groups: [TaskGroup] = {
        let subjects = MMLU.subjects.flatMap(\.names)
        let parts = MMLU.subjects.map { part, names in
            TaskGroup("mmlu_" + part, names.map { MMLU($0) }, isWeighted: true)
        }
        return [
            TaskGroup("mmlu", subjects.map { MMLU($0) }, isWeighted: true),
            TaskGroup(
                "mmlu_continuation", subjects.map { MMLU($0, isContinuation: true) },
                isWeighted: true),
            TaskGroup("blimp", BLiMP.parts.map(BLiMP.init), isWeighted: false),
            TaskGroup("leaderboard_bbh", BBH.parts, isWeighted: true),
            TaskGroup("leaderboard_gpqa", GPQA.parts.map(GPQA.init), isWeighted: true),
            TaskGroup("leaderboard_math_hard", MATH.subjects, isWeighted: true),
        ] + parts
    }()

    /// Suites.
    public static let suites = [
        // Table 2 of arXiv 2507.22448 names the tasks and their shots.
        TaskSuite(
            "falcon-h1",
            [
                .init("mmlu", shots: 5, "acc"), .init("arc_challenge", shots: 25, "acc_norm"),
                .init("hellaswag", shots: 10, "acc_norm"), .init("winogrande", shots: 5, "acc"),
                .init("gsm8k", shots: 5, "exact_match_strict"),
                .init("mmlu_stem", shots: 5, "acc"),
                .init("leaderboard_bbh", shots: 3, "acc_norm"),
                .init("leaderboard_math_hard", shots: 4, "exact_match_normalized"),
                .init("leaderboard_gpqa", shots: 5, "acc_norm"),
                .init("leaderboard_mmlu_pro", shots: 5, "acc"),
            ], missing: ["humaneval", "humaneval_plus", "mbpp", "mbpp_plus"]),
        // Table 2 of arXiv 2601.04890; it does not say the shots, which are Falcon-H1's.
        TaskSuite(
            "learnable-multipliers",
            [
                .init("hellaswag", shots: 10, "acc_norm"),
                .init("arc_challenge", shots: 25, "acc_norm"), .init("mmlu", shots: 5, "acc"),
                .init("gsm8k", shots: 5, "exact_match_strict"),
                .init("leaderboard_mmlu_pro", shots: 5, "acc"),
                .init("leaderboard_bbh", shots: 3, "acc_norm"),
                .init("leaderboard_math_hard", shots: 4, "exact_match_normalized"),
            ]),
        // The 22 tasks of DCLM's CORE, arXiv 2406.11794, appendix G, with the harness's prompts.
        TaskSuite(
            "core",
            [
                .init("arc_easy", shots: 10, "acc", baseline: 0.25),
                .init("arc_challenge", shots: 10, "acc", baseline: 0.25),
                .init("boolq", shots: 10, "acc", baseline: 0.62),
                .init("commonsense_qa", shots: 10, "acc", baseline: 0.2),
                .init("copa", "acc", baseline: 0.5),
                .init("hellaswag", "acc_norm", baseline: 0.25),
                .init("hellaswag", shots: 10, "acc_norm", baseline: 0.25),
                .init("lambada_openai", "acc"), .init("openbookqa", "acc", baseline: 0.25),
                .init("piqa", shots: 10, "acc", baseline: 0.5),
                .init("winogrande", "acc", baseline: 0.5),
            ],
            missing: [
                "agi_eval_lsat_ar", "bigbench_cs_algorithms", "bigbench_dyck_languages",
                "bigbench_language_identification", "bigbench_operators", "bigbench_qa_wikidata",
                "bigbench_repeat_copy_logic", "coqa", "jeopardy", "squad", "winograd",
            ]),
        // Smooth where accuracies of small models are at chance.
        TaskSuite(
            "bpb",
            [
                "hellaswag", "arc_easy", "arc_challenge", "piqa", "winogrande", "lambada_openai",
                "sciq", "boolq", "openbookqa", "social_iqa",
            ].map { .init($0, "bits_per_byte") }),
    ]

    /// The task with a name, alone or of a group.
    ///
    /// - Parameter name: a name.
    /// - Returns: the task; nil if there is none.
    public static func task(named name: String) -> (any EvaluationTask)? {
        tasks.first { $0.name == name }
            ?? groups.lazy.flatMap(\.tasks).first { $0.name == name }
    }

    /// The number of examples of a task, or of the tasks of a group, unless asked for otherwise.
    static func defaultShots(of name: String) -> Int {
        let task = task(named: name) ?? groups.first { $0.name == name }?.tasks.first
        return task?.defaultShots ?? 0
    }

    /// All names of tasks that stand alone, groups and suites.
    public static var names: [String] {
        tasks.map(\.name) + groups.map(\.name) + suites.map(\.name)
    }

    /// The score of a task, group or suite that stands for all of its scores.
    ///
    /// - Parameters:
    ///   - key: its name in results.
    ///   - scores: by the names of metrics.
    /// - Returns: the metric and its value: the normalized accuracy if there is one, else the task's first metric.
    public static func leadingScore(
        of key: String, in scores: [String: Double]
    ) -> (metric: String, value: Double)? {
        let name = key.splitAsPython("@")[0]
        let task = task(named: name) ?? groups.first { $0.name == name }?.tasks.first
        let names = ["acc_norm", "score"] + (task?.metrics.map(\.name) ?? [])
        return names.lazy.compactMap { name in scores[name].map { (name, $0) } }.first
    }
}
