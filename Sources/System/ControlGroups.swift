/// The limits of this process's control groups, versions 1 and 2, on processors and memory.
///
/// Limits are set anywhere between a process's own group and the root, and the tightest counts.
public struct ControlGroups: Sendable {
    /// Folders of the group and its ancestors, the own one first.
    private let processorFolders: [String]
    private let memoryFolders: [String]

    /// The groups of this process.
    ///
    /// - Parameter root: a prefix of `/proc` and `/sys`, empty except in tests.
    public init(root: String = "") {
        var groups: [String: String] = [:]
        for line in lines(of: root + "/proc/self/cgroup") {
            // 4:memory:/a/b in version 1, 0::/a/b in version 2.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            for controller in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                groups[String(controller)] = String(parts[2])
            }
        }
        var folders: [String: [String]] = [:]
        for line in lines(of: root + "/proc/self/mountinfo") {
            guard let mount = ControlGroupMount(line) else { continue }
            for controller in mount.controllers {
                guard let group = groups[controller] else { continue }
                folders[controller] = mount.folders(ofGroup: group).map { root + $0 }
            }
        }
        let unified = folders[""] ?? []
        processorFolders = (folders["cpu"] ?? []) + unified
        memoryFolders = (folders["memory"] ?? []) + unified
    }

    /// Processors' worth of time that may be used, rounded up; nil for no limit.
    public var processorLimit: Int? {
        processorFolders.compactMap { folder in
            let words = lines(of: folder + "/cpu.max").first?.split(separator: " ") ?? []
            let quota = words.first.flatMap { Int($0) } ?? number(folder + "/cpu.cfs_quota_us")
            let period = words.last.flatMap { Int($0) } ?? number(folder + "/cpu.cfs_period_us")
            guard let quota, let period, quota > 0, period > 0 else { return nil }
            return (quota + period - 1) / period
        }.min()
    }

    /// Bytes that may still be taken; nil for no limit.
    ///
    /// The groups' file caches are freed under pressure, so they do not count as used.
    public var availableMemoryByteCount: Int? {
        memoryFolders.compactMap { folder in
            let limit = number(folder + "/memory.max") ?? number(folder + "/memory.limit_in_bytes")
            let used =
                number(folder + "/memory.current") ?? number(folder + "/memory.usage_in_bytes")
            guard let limit, let used else { return nil }
            return max(0, limit - max(0, used - reclaimableByteCount(folder + "/memory.stat")))
        }.min()
    }

    private func reclaimableByteCount(_ path: String) -> Int {
        var values: [Substring: Int] = [:]
        for line in lines(of: path) {
            let words = line.split(separator: " ")
            if words.count == 2 { values[words[0]] = Int(words[1]) }
        }
        // Version 1 has names for the group alone and, with "total_", for it and those below.
        return ["active_file", "inactive_file", "slab_reclaimable"].reduce(0) { sum, name in
            sum + (values["total_\(name)"] ?? values[name[...]] ?? 0)
        }
    }
}

/// A line of mountinfo(5) that mounts control groups.
private struct ControlGroupMount {
    /// Names of version 1's controllers; version 2 has one without a name.
    let controllers: [String]
    /// The group at the top of the mount.
    private let top: String
    private let mountPoint: String

    /// nil for other file systems.
    init?(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        guard let dash = words.firstIndex(of: "-"), dash >= 5, words.count >= dash + 4 else {
            return nil
        }
        switch words[dash + 1] {
        case "cgroup2": controllers = [""]
        case "cgroup": controllers = words[dash + 3].split(separator: ",").map(String.init)
        default: return nil
        }
        (top, mountPoint) = (words[3], words[4])
    }

    /// The group's folder and those above it, up to the mount.
    func folders(ofGroup group: String) -> [String] {
        var rest = group.split(separator: "/")
        let prefix = top.split(separator: "/")
        // A group that is not below the top cannot be seen from here: only the mount's own can.
        rest = rest.starts(with: prefix) ? Array(rest.dropFirst(prefix.count)) : []
        var folders: [String] = []
        while true {
            folders.append(([mountPoint] + rest.map(String.init)).joined(separator: "/"))
            if rest.isEmpty { return folders }
            rest.removeLast()
        }
    }
}

/// The lines of a small file of the kernel; none if it cannot be read.
func lines(of path: String) -> [String] {
    // The sizes of such files read as 0.
    guard let file = try? InputFile(path: path) else { return [] }
    var bytes: [UInt8] = []
    while let more = try? file.read(upTo: 1 << 16), !more.isEmpty { bytes += more }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
}

/// The number in a file that holds only a number.
private func number(_ path: String) -> Int? { lines(of: path).first.flatMap { Int($0) } }
