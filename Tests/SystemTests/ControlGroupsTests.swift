import FalconSystem
import FalconTestSupport
import Foundation
import Testing

/// Control groups and processors, from files as the kernel writes them, in a folder.
@Suite final class ControlGroupsTests {
    private let folder: TemporaryFolder
    private var root: String { folder.path }

    init() throws { folder = try TemporaryFolder() }

    private func write(_ files: [String: String]) throws {
        for (path, text) in files { try folder.write(path, text) }
    }

    private static let unified = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
    private static let separate = """
        25 20 0:5 / /proc rw,nosuid shared:14 - proc proc rw
        33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:2 master:1 - cgroup cgroup rw,memory

        """

    @Test func withoutControlGroupsNothingIsLimited() throws {
        let groups = ControlGroups(root: root)
        #expect(groups.processorLimit == nil && groups.availableMemoryByteCount == nil)
        try write([
            "/proc/self/status": "Name:\tfalcon\nCpus_allowed_list:\t0-3,8,10-11\n",
            "/proc/meminfo": "MemTotal:  2000 kB\nMemFree: 10 kB\nMemAvailable:    1500 kB\n",
        ])
        #expect(usableProcessorCount(root: root) == 7)
        #expect(availableMemoryByteCount(root: root) == 1500 * 1024)
    }

    @Test func theTightestOfNestedGroupsCountsInVersion2() throws {
        try write([
            "/proc/self/cgroup": "0::/a/b/c\n", "/proc/self/mountinfo": Self.unified,
            "/proc/self/status": "Cpus_allowed_list:\t0-63\n",
            "/sys/devices/system/cpu/online": "0-15\n",
            "/proc/meminfo": "MemAvailable: 8000000 kB\n",
            "/sys/fs/cgroup/a/cpu.max": "250000 100000\n",
            "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            "/sys/fs/cgroup/a/b/c/cpu.max": "800000 100000\n",
            "/sys/fs/cgroup/a/memory.max": "max\n", "/sys/fs/cgroup/a/memory.current": "900\n",
            "/sys/fs/cgroup/a/b/memory.max": "1000000\n",
            "/sys/fs/cgroup/a/b/memory.current": "700000\n",
            "/sys/fs/cgroup/a/b/memory.stat":
                "anon 100000\nfile 600000\ninactive_file 300000\nactive_file 100000\n"
                + "slab_reclaimable 50000\n",
            "/sys/fs/cgroup/a/b/c/memory.max": "2000000\n",
            "/sys/fs/cgroup/a/b/c/memory.current": "100000\n",
        ])
        let groups = ControlGroups(root: root)
        #expect(groups.processorLimit == 3)
        #expect(groups.availableMemoryByteCount == 1_000_000 - (700_000 - 450_000))
        #expect(availableMemoryByteCount(root: root) == 750_000)
        #expect(usableProcessorCount(root: root) == 3)
    }

    @Test func theTightestOfNestedGroupsCountsInVersion1() throws {
        let memory = "/sys/fs/cgroup/memory"
        try write([
            "/proc/self/cgroup": "5:cpu,cpuacct:/one/two\n4:memory:/one\n1:name=systemd:/x\n0::/\n",
            "/proc/self/mountinfo": Self.separate + Self.unified,
            "/proc/self/status": "Cpus_allowed_list:\t1\n",
            "/sys/devices/system/cpu/online": "0-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_quota_us": "150000\n",
            "/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu,cpuacct/one/two/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/one/two/cpu.cfs_period_us": "100000\n",
            memory + "/memory.limit_in_bytes": "9223372036854771712\n",
            memory + "/memory.usage_in_bytes": "12345678\n",
            memory + "/one/memory.limit_in_bytes": "4000000\n",
            memory + "/one/memory.usage_in_bytes": "3900000\n",
            memory + "/one/memory.stat":
                "inactive_file 1\nactive_file 2\ntotal_inactive_file 1000000\n"
                + "total_active_file 500000\n",
        ])
        let groups = ControlGroups(root: root)
        #expect(groups.processorLimit == 2)
        #expect(groups.availableMemoryByteCount == 4_000_000 - 2_400_000)
        #expect(usableProcessorCount(root: root) == 1)
    }

    /// In a container the mount often shows a part of the tree, or the path leads out of it.
    @Test(arguments: [("/docker/abc", "/docker/abc/job"), ("/docker/abc", "/elsewhere")])
    func aMountMayShowOnlyAPartOfTheTree(_ top: String, _ group: String) throws {
        try write([
            "/proc/self/cgroup": "0::\(group)\n",
            "/proc/self/mountinfo":
                "30 23 0:26 \(top) /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
            "/sys/fs/cgroup/cpu.max": "100000 100000\n",
            "/sys/fs/cgroup/memory.max": "5000\n", "/sys/fs/cgroup/memory.current": "6000\n",
        ])
        let groups = ControlGroups(root: root)
        #expect(groups.processorLimit == 1)
        #expect(groups.availableMemoryByteCount == 0)
    }

    @Test func thisProcessHasProcessorsAndMemory() {
        #expect(usableProcessorCount() >= 1)
        #expect(availableMemoryByteCount() > 1 << 20)
    }
}
