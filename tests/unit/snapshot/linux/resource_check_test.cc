// SPDX-License-Identifier: Apache-2.0
//
// Limits of tasks and memory, from files that a script answers: cgroups of both versions,
// overcommit modes, pools. The process is real, its surroundings are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include <snapshot/linux/resource_check.h>
#include <tests/support/sanitizer.h>
#include <tests/unit/snapshot/linux/child_process.h>
#include <tests/unit/snapshot/linux/scripted_sys.h>

namespace doppel {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kGiB = 1u << 30;

class ResourceCheck : public testing::Test {
 protected:
  ResourceCheck() {
    // A unified hierarchy with one cgroup in another.
    put("cgroup", "0::/app/job\n");
    put("/proc/self/mountinfo", "30 24 0:27 / /cg rw - cgroup2 cgroup2 rw\n");
    put("/proc/meminfo",
        "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\nSwapTotal: 0 kB\n"
        "CommitLimit: 8388608 kB\nCommitted_AS: 4194304 kB\n");
    put("/proc/sys/vm/overcommit_memory", "0\n");
    put("/proc/loadavg", "0.00 0.01 0.05 1/200 4711\n");
    put("/proc/sys/kernel/threads-max", "192731\n");
    status_.uid = {1000, 1000, 1000, 1000};
    status_.page_tables = kMiB;
    status_.virtual_size = kGiB;
  }

  void put(const std::string& path, std::string text) {
    sys_.files[path] = {.text = std::move(text)};
  }

  Result<ProcDir> process() { return ProcDir::open(sys_, ::getpid()); }

  static Region region(std::uint64_t size, std::uint64_t resident) {
    Region region;
    region.range = {{0x7f0000000000}, size};
    region.access = {true, true, false};
    region.traits.accountable = true;
    region.resident = region.anonymous = resident;
    return region;
  }

  Gates tasks() {
    Gates gates;
    const auto dir = process();
    check_tasks(sys_, *dir, read_cgroups(sys_, *dir), status_, gates);
    return gates;
  }

  Gates overcommit(const std::vector<Region>& regions) {
    Gates gates;
    check_overcommit(sys_, regions, status_, gates);
    return gates;
  }

  Gates memory(const std::vector<Region>& regions) {
    Gates gates;
    facts_ = {};
    const auto dir = process();
    check_memory(sys_, *dir, read_cgroups(sys_, *dir), regions, status_, facts_, gates);
    return gates;
  }

  Gates frozen() {
    Gates gates;
    const auto dir = process();
    check_frozen(sys_, read_cgroups(sys_, *dir), gates);
    return gates;
  }

  ScriptedSys sys_;
  ProcStatus status_;
  MemoryFacts facts_;
};

TEST_F(ResourceCheck, WithoutLimitsThereAreNoGates) {
  EXPECT_TRUE(tasks().empty());
  EXPECT_TRUE(overcommit({region(kGiB, kGiB)}).empty());
  EXPECT_TRUE(memory({region(kGiB, kGiB)}).empty());
  EXPECT_TRUE(frozen().empty());
  EXPECT_EQ(facts_.total, 16 * kGiB);
  EXPECT_EQ(facts_.available, 8 * kGiB);
  EXPECT_EQ(facts_.private_writable, kGiB);
  EXPECT_EQ(facts_.page_tables, kMiB);
  EXPECT_EQ(facts_.cgroup_headroom, std::nullopt);
  EXPECT_EQ(facts_.cgroup, "/cg/app/job");
  EXPECT_TRUE(facts_.cgroup_unified);
}

TEST_F(ResourceCheck, PidsMaxOfAnyCgroupAbove) {
  put("/cg/app/job/pids.max", "max\n");
  put("/cg/app/job/pids.current", "5\n");
  put("/cg/app/pids.max", "100\n");
  put("/cg/app/pids.current", "98\n");
  EXPECT_TRUE(tasks().empty());
  put("/cg/app/pids.current", "99\n");
  const Gates gates = tasks();
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].id, GateId::pids_limit);
  EXPECT_EQ(gates[0].severity, Severity::forbids_injection);
  EXPECT_THAT(gates[0].why, HasSubstr("/cg/app holds 99 of pids.max 100"));
}

TEST_F(ResourceCheck, PidsMaxOfVersionOne) {
  put("cgroup", "8:pids:/app\n0::/\n");
  put("/proc/self/mountinfo", "39 31 0:36 / /cg1/pids rw - cgroup cgroup rw,pids\n");
  put("/cg1/pids/app/pids.max", "10\n");
  put("/cg1/pids/app/pids.current", "12\n");
  ASSERT_EQ(tasks().size(), 1u);
}

TEST_F(ResourceCheck, ProcessLimitOfTheOwner) {
  // The limit of a real user without processes: what is counted are its threads, none here.
  status_.uid = {54321, 54321, 54321, 54321};
  constexpr std::string_view kHead =
      "Limit                     Soft Limit           Hard Limit           Units     \n";
  put("limits",
      std::string(kHead) +
          "Max processes             2                    2                    processes \n");
  EXPECT_TRUE(tasks().empty());
  put("limits",
      std::string(kHead) +
          "Max processes             1                    1                    processes \n");
  const Gates gates = tasks();
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].id, GateId::process_limit);
  EXPECT_THAT(gates[0].why, HasSubstr("user 54321 runs 0 threads and RLIMIT_NPROC is 1"));
  EXPECT_THAT(gates[0].remedy, HasSubstr("prlimit --pid " + std::to_string(::getpid())));
  // Exempt, as in the kernel.
  status_.capabilities_effective = 1ull << kCapSysResource;
  EXPECT_TRUE(tasks().empty());
  status_.capabilities_effective = 0;
  status_.uid = {};
  EXPECT_TRUE(tasks().empty());
}

TEST_F(ResourceCheck, ThreadsOfTheOwnerAreCounted) {
  const ChildProcess child([] { return ::setresuid(54322, 54322, 54322) == 0; });
  if (!child.ready()) GTEST_SKIP() << "needs root";
  status_.uid = {54322, 54322, 54322, 54322};
  put("limits",
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max processes             2                    2                    processes \n");
  const Gates gates = tasks();
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_THAT(gates[0].why,
              HasSubstr("runs " + std::to_string(1 + kSanitizerThreads) + " threads"));
}

TEST_F(ResourceCheck, ThreadsMax) {
  put("/proc/sys/kernel/threads-max", "201\n");
  const Gates gates = tasks();
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].id, GateId::thread_limit);
}

TEST_F(ResourceCheck, OvercommitHeuristicLooksAtEachMapping) {
  EXPECT_TRUE(overcommit({region(10 * kGiB, 0), region(10 * kGiB, 0)}).empty());
  const Gates gates = overcommit({region(17 * kGiB, 0)});
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].id, GateId::overcommit);
  EXPECT_THAT(gates[0].why, HasSubstr("17 GiB"));
  Region spare = region(17 * kGiB, 0);
  spare.traits.accountable = false;
  EXPECT_TRUE(overcommit({spare}).empty());
  put("/proc/sys/vm/overcommit_memory", "1\n");
  EXPECT_TRUE(overcommit({region(17 * kGiB, 0)}).empty());
}

TEST_F(ResourceCheck, StrictOvercommitAddsUp) {
  put("/proc/sys/vm/overcommit_memory", "2\n");
  // 8 GiB may be committed, 4 GiB are.
  EXPECT_TRUE(overcommit({region(kGiB, 0), region(2 * kGiB, 0)}).empty());
  const Gates gates = overcommit({region(2 * kGiB, 0), region(2 * kGiB, 0)});
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].severity, Severity::forbids_injection);
  EXPECT_THAT(gates[0].why, HasSubstr("a clone commits 4 GiB"));
  // What a clone does not get is not charged.
  Region unforked = region(2 * kGiB, 0);
  unforked.traits.dont_fork = true;
  EXPECT_TRUE(overcommit({region(2 * kGiB, 0), unforked}).empty());
  // The administrator's reserve is not for everybody.
  put("/proc/sys/vm/admin_reserve_kbytes", "2097152\n");
  EXPECT_EQ(overcommit({region(3 * kGiB, 0)}).size(), 1u);
  status_.capabilities_effective = 1ull << kCapSysAdmin;
  EXPECT_TRUE(overcommit({region(3 * kGiB, 0)}).empty());
  // Nor is the user's: 1/32 of the process's size, here less than the reserve.
  status_.virtual_size = 64 * kGiB;
  put("/proc/sys/vm/user_reserve_kbytes", "1048576\n");
  EXPECT_EQ(overcommit({region(3 * kGiB, 0)}).size(), 1u);
}

TEST_F(ResourceCheck, TooLittleMemoryOnTheMachine) {
  put("/proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 10240 kB\n");
  const Gates none = memory({region(kGiB, kGiB)});
  ASSERT_EQ(none.size(), 1u);
  EXPECT_EQ(none[0].id, GateId::memory_headroom);
  EXPECT_EQ(none[0].severity, Severity::forbids_injection);
  put("/proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 102400 kB\n");
  const Gates tight = memory({region(kGiB, kGiB)});
  ASSERT_EQ(tight.size(), 1u);
  EXPECT_EQ(tight[0].severity, Severity::note);
  EXPECT_THAT(tight[0].why, HasSubstr("100 MiB free in the machine"));
}

TEST_F(ResourceCheck, TheTightestCgroupCounts) {
  put("/cg/app/job/memory.current", std::to_string(2 * kGiB));
  put("/cg/app/job/memory.max", std::to_string(4 * kGiB));
  put("/cg/app/job/memory.high", "max\n");
  put("/cg/app/memory.current", std::to_string(3 * kGiB));
  put("/cg/app/memory.max", "max\n");
  put("/cg/app/memory.high", std::to_string(3 * kGiB + 100 * kMiB));
  const Gates gates = memory({region(kGiB, kGiB)});
  EXPECT_EQ(facts_.cgroup, "/cg/app");
  EXPECT_EQ(facts_.cgroup_headroom, 100 * kMiB);
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].severity, Severity::note);
  EXPECT_THAT(gates[0].why, HasSubstr("100 MiB free in cgroup /cg/app"));
  // Page cache that can be dropped is room.
  put("/cg/app/memory.stat", "anon 5\ninactive_file 1073741824\nactive_file 7\n");
  EXPECT_TRUE(memory({region(kGiB, kGiB)}).empty());
  EXPECT_EQ(facts_.cgroup_headroom, 1124 * kMiB);
}

TEST_F(ResourceCheck, WithOomGroupALikelyShortageForbids) {
  put("/cg/app/job/memory.current", std::to_string(2 * kGiB));
  put("/cg/app/job/memory.max", std::to_string(2 * kGiB + 100 * kMiB));
  put("/cg/app/job/memory.oom.group", "1\n");
  const Gates gates = memory({region(kGiB, kGiB)});
  EXPECT_TRUE(facts_.oom_group);
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].severity, Severity::forbids_injection);
  EXPECT_THAT(gates[0].why, HasSubstr("memory.oom.group"));
}

TEST_F(ResourceCheck, MemoryOfVersionOne) {
  put("cgroup", "4:memory:/app\n0::/\n");
  put("/proc/self/mountinfo",
      "35 31 0:32 / /cg1/memory rw - cgroup cgroup rw,memory\n"
      "41 31 0:38 / /cg2 rw - cgroup2 cgroup2 rw\n");
  put("/cg1/memory/app/memory.usage_in_bytes", std::to_string(kGiB));
  put("/cg1/memory/app/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_TRUE(memory({region(kGiB, kGiB)}).empty());
  EXPECT_EQ(facts_.cgroup_headroom, std::nullopt);
  EXPECT_FALSE(facts_.cgroup_unified);
  put("/cg1/memory/app/memory.limit_in_bytes", std::to_string(kGiB + 10 * kMiB));
  put("/cg1/memory/app/memory.stat", "inactive_file 99999999\ntotal_inactive_file 1048576\n");
  EXPECT_EQ(memory({region(kGiB, kGiB)}).size(), 1u);
  EXPECT_EQ(facts_.cgroup_headroom, 11 * kMiB);
}

TEST_F(ResourceCheck, MoreInUseThanAllowedIsNoRoom) {
  put("/cg/app/job/memory.current", std::to_string(3 * kGiB));
  put("/cg/app/job/memory.max", std::to_string(2 * kGiB));
  EXPECT_EQ(memory({region(kGiB, kGiB)}).size(), 1u);
  EXPECT_EQ(facts_.cgroup_headroom, 0u);
}

TEST_F(ResourceCheck, HugePagesAgainstThePool) {
  const std::string pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
  put(pool + "free_hugepages", "5\n");
  put(pool + "resv_hugepages", "2\n");
  put(pool + "nr_overcommit_hugepages", "0\n");
  put(pool + "surplus_hugepages", "0\n");
  Region huge = region(8 * kMiB, 8 * kMiB);
  huge.traits.huge_tlb = true;
  std::vector<MappingDetail> details{{.page_size = 2 * kMiB, .hugetlb = 8 * kMiB}};
  const auto check = [&] {
    Gates gates;
    check_huge_pages(sys_, {huge}, details, gates);
    return gates;
  };
  const Gates gates = check();
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].id, GateId::huge_page_pool);
  EXPECT_EQ(gates[0].severity, Severity::note);
  EXPECT_THAT(gates[0].why, HasSubstr("4 private pages of 2 MiB, 3 free"));
  huge.range.size = 10 * kMiB;  // one of its pages was never touched
  EXPECT_EQ(check().at(0).severity, Severity::loses);
  huge.range.size = 18 * kMiB;
  details[0].hugetlb = 18 * kMiB;
  EXPECT_EQ(check().at(0).severity, Severity::loses) << "too much to copy in the stop";
  huge.range.size = details[0].hugetlb = 8 * kMiB;
  put(pool + "nr_overcommit_hugepages", "1\n");
  EXPECT_TRUE(check().empty());
  put(pool + "nr_overcommit_hugepages", "0\n");
  huge.sharing = Sharing::shared;
  EXPECT_TRUE(check().empty());
  huge.sharing = Sharing::private_copy;
  huge.access.write = false;
  EXPECT_TRUE(check().empty());
}

TEST_F(ResourceCheck, FrozenByEitherVersion) {
  put("/cg/app/job/cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_TRUE(frozen().empty());
  put("/cg/app/job/cgroup.events", "populated 1\nfrozen 1\n");
  const Gates gates = frozen();
  ASSERT_EQ(gates.size(), 1u);
  EXPECT_EQ(gates[0].id, GateId::frozen);
  EXPECT_EQ(gates[0].severity, Severity::forbids_injection);
  put("cgroup", "6:freezer:/app\n0::/\n");
  put("/proc/self/mountinfo", "37 31 0:34 / /cg1/freezer rw - cgroup cgroup rw,freezer\n");
  put("/cg1/freezer/app/freezer.state", "THAWED\n");
  EXPECT_TRUE(frozen().empty());
  put("/cg1/freezer/app/freezer.state", "FREEZING\n");
  EXPECT_EQ(frozen().size(), 1u);
}

TEST_F(ResourceCheck, NonsenseInTheFilesIsNoGate) {
  for (const char* file : {"/cg/app/job/pids.max", "/cg/app/job/memory.max", "/proc/loadavg",
                           "/proc/sys/kernel/threads-max", "/proc/sys/vm/overcommit_memory"}) {
    put(file, "nonsense");
  }
  put("/cg/app/job/pids.current", "99999");
  EXPECT_TRUE(tasks().empty());
  EXPECT_TRUE(overcommit({region(kGiB, kGiB)}).empty());
  EXPECT_TRUE(memory({region(kGiB, kGiB)}).empty());
}

}  // namespace
}  // namespace doppel
