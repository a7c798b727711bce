// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>
#include <map>

#include <snapshot/linux/resource_check.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

// Of the private memory, the part that a target rewrites while its dump is written. The bench's
// goal for the extra memory under a heavy writer (15 % of the resident memory).
constexpr std::uint64_t kExpectedGrowthPercent = 15;
// Never start with less than this left over the page tables.
constexpr std::uint64_t kLeastReserve = 16u << 20;

std::optional<std::uint64_t> read_number(Sys& sys, const std::string& path) {
  const auto text = read_system_file(sys, path.c_str(), 4096);
  if (!text) return std::nullopt;
  return text::number<std::uint64_t>(text::trim(*text));
}

/// "NAME NUMBER" in memory.stat, cgroup.events.
std::uint64_t keyed(std::string_view text, std::string_view key) {
  std::string_view line;
  while (text::next_line(text, line)) {
    if (text::next_word(line) == key) {
      return text::number<std::uint64_t>(text::trim(line)).value_or(0);
    }
  }
  return 0;
}

std::uint64_t minus(std::uint64_t a, std::uint64_t b) {
  return a > b ? a - b : 0;
}

/// The directory and those above it, up to the mount point: a limit counts for all below it.
std::vector<std::string> ancestry(const CgroupDirectory& directory) {
  std::vector<std::string> paths{directory.path};
  while (paths.back().size() > directory.mount.size()) {
    const std::string& path = paths.back();
    paths.push_back(path.substr(0, std::max(path.rfind('/'), directory.mount.size())));
  }
  return paths;
}

Gate clone_gate(GateId id, std::string why, std::string remedy) {
  return {.id = id,
          .severity = Severity::forbids_injection,
          .what = "clone: would be refused",
          .why = std::move(why),
          .remedy = std::move(remedy)};
}

void check_pids(Sys& sys, const Cgroups& cgroups, Gates& gates) {
  const auto directory = find_cgroup(cgroups.entries, cgroups.mounts, "pids");
  if (!directory) return;
  for (const std::string& path : ancestry(*directory)) {
    // "max", or no file in the root: no limit.
    const auto most = read_number(sys, path + "/pids.max");
    const auto current = read_number(sys, path + "/pids.current");
    if (!most || !current || minus(*most, *current) >= kTasksNeeded) continue;
    gates.push_back(clone_gate(GateId::pids_limit,
                               path + " holds " + std::to_string(*current) + " of pids.max " +
                                   std::to_string(*most) + ", and a clone needs " +
                                   std::to_string(kTasksNeeded),
                               "raise pids.max there for a moment, or: --engine direct"));
    return;
  }
}

/// How many threads run under the real user id. Absent when that cannot be counted.
std::optional<std::uint64_t> count_threads(Sys& sys, std::uint32_t user) {
  const long fd = sys.openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return std::nullopt;
  const UniqueFd proc(static_cast<int>(fd));
  const auto names = list_directory(sys, proc.get(), "/proc");
  if (!names) return std::nullopt;
  std::uint64_t threads = 0;
  for (const std::string& name : *names) {
    if (!text::number<pid_t>(name)) continue;
    const auto text = read_system_file(sys, ("/proc/" + name + "/status").c_str());
    if (!text) continue;
    const auto status = parse_status(*text);
    if (status && status->uid.real == user) threads += static_cast<std::uint64_t>(status->threads);
  }
  return threads;
}

void check_process_limit(Sys& sys, const ProcDir& process, const ProcStatus& status, Gates& gates) {
  // kernel/fork.c copy_process(): root and those with these capabilities are exempt.
  if (status.uid.real == 0 || has_capability(status.capabilities_effective, kCapSysResource) ||
      has_capability(status.capabilities_effective, kCapSysAdmin)) {
    return;
  }
  const auto text = process.read_text("limits");
  if (!text) return;
  std::optional<std::uint64_t> most;
  for (const ProcLimit& limit : parse_limits(*text)) {
    if (limit.name == "Max processes") most = limit.soft;
  }
  if (!most) return;
  const auto threads = count_threads(sys, status.uid.real);
  if (!threads || minus(*most, *threads) >= kTasksNeeded) return;
  gates.push_back(clone_gate(GateId::process_limit,
                             "user " + std::to_string(status.uid.real) + " runs " +
                                 std::to_string(*threads) + " threads and RLIMIT_NPROC is " +
                                 std::to_string(*most),
                             "prlimit --pid " + std::to_string(process.id()) +
                                 " --nproc=" + std::to_string(*threads + 16)));
}

void check_thread_limit(Sys& sys, Gates& gates) {
  // "0.00 0.01 0.05 RUNNING/ALL LASTPID"
  const auto load = read_system_file(sys, "/proc/loadavg", 4096);
  const auto most = read_number(sys, "/proc/sys/kernel/threads-max");
  if (!load || !most) return;
  std::string_view rest = *load;
  for (int skip = 0; skip < 3; ++skip) text::next_word(rest);
  std::string_view tasks = text::next_word(rest);
  text::next_field(tasks, '/');
  const auto all = text::number<std::uint64_t>(tasks);
  if (!all || minus(*most, *all) >= kTasksNeeded) return;
  gates.push_back(
      clone_gate(GateId::thread_limit,
                 std::to_string(*all) + " tasks of kernel.threads-max " + std::to_string(*most),
                 "sysctl kernel.threads-max=" + std::to_string(*most * 2)));
}

/// Room in one memory cgroup, page cache that can be dropped included. Absent: no limit.
std::optional<std::uint64_t> headroom(Sys& sys, const std::string& path, bool unified) {
  const auto current =
      read_number(sys, path + (unified ? "/memory.current" : "/memory.usage_in_bytes"));
  if (!current) return std::nullopt;
  std::uint64_t limit = UINT64_MAX;
  if (unified) {
    // Above memory.high the kernel slows the whole group down: as good as a limit.
    limit = std::min(read_number(sys, path + "/memory.max").value_or(UINT64_MAX),
                     read_number(sys, path + "/memory.high").value_or(UINT64_MAX));
  } else {
    limit = read_number(sys, path + "/memory.limit_in_bytes").value_or(UINT64_MAX);
    // "No limit" is the largest multiple of a page in a signed word.
    if (limit >= (UINT64_MAX >> 1) - 4095) limit = UINT64_MAX;
  }
  if (limit == UINT64_MAX) return std::nullopt;
  const auto stat = read_system_file(sys, (path + "/memory.stat").c_str());
  const std::uint64_t cache =
      stat ? keyed(*stat, unified ? "inactive_file" : "total_inactive_file") : 0;
  return minus(limit, minus(*current, cache));
}

bool is_private_writable(const Region& region) {
  return region.sharing == Sharing::private_copy && region.access.write &&
         region.backing != Backing::device && !region.traits.dont_fork;
}

}  // namespace

Cgroups read_cgroups(Sys& sys, const ProcDir& process) {
  Cgroups cgroups;
  if (const auto text = process.read_text("cgroup")) cgroups.entries = parse_cgroup(*text);
  if (const auto text = read_system_file(sys, "/proc/self/mountinfo")) {
    cgroups.mounts = parse_mountinfo(*text);
  }
  return cgroups;
}

void check_tasks(Sys& sys, const ProcDir& process, const Cgroups& cgroups, const ProcStatus& status,
                 Gates& gates) {
  check_pids(sys, cgroups, gates);
  check_process_limit(sys, process, status, gates);
  check_thread_limit(sys, gates);
}

void check_overcommit(Sys& sys, const std::vector<Region>& regions, const ProcStatus& status,
                      Gates& gates) {
  const auto mode = read_number(sys, "/proc/sys/vm/overcommit_memory");
  const auto meminfo = read_system_file(sys, "/proc/meminfo");
  if (!mode || !meminfo) return;
  const auto field = [&](std::string_view key) {
    return text::kilobytes(text::value_of(*meminfo, key)).value_or(0);
  };
  std::uint64_t charged = 0, largest = 0;
  for (const Region& region : regions) {
    if (!region.traits.accountable || region.traits.dont_fork) continue;
    charged += region.range.size;
    largest = std::max(largest, region.range.size);
  }
  if (*mode == 0 && largest > field("MemTotal") + field("SwapTotal")) {
    gates.push_back(clone_gate(GateId::overcommit,
                               "one mapping of " + bytes_text(largest) +
                                   " is larger than memory and swap together, and "
                                   "vm.overcommit_memory is 0",
                               "sysctl vm.overcommit_memory=1 for the moment of the capture"));
  }
  if (*mode != 2) return;
  std::uint64_t limit = field("CommitLimit");
  // Reserves that only the administrator may use up, and a part of the process's own size.
  const auto reserve = [&](const char* path) { return read_number(sys, path).value_or(0) << 10; };
  if (!has_capability(status.capabilities_effective, kCapSysAdmin)) {
    limit = minus(limit, reserve("/proc/sys/vm/admin_reserve_kbytes"));
  }
  limit = minus(limit, std::min(status.virtual_size.value_or(0) / 32,
                                reserve("/proc/sys/vm/user_reserve_kbytes")));
  const std::uint64_t left = minus(limit, field("Committed_AS"));
  if (charged >= left) {
    gates.push_back(clone_gate(GateId::overcommit,
                               "vm.overcommit_memory is 2, a clone commits " + bytes_text(charged) +
                                   " and " + bytes_text(left) + " are left",
                               "sysctl vm.overcommit_memory=1 for the moment of the capture"));
  }
}

void check_memory(Sys& sys, const ProcDir& process, const Cgroups& cgroups,
                  const std::vector<Region>& regions, const ProcStatus& status, MemoryFacts& facts,
                  Gates& gates) {
  if (const auto meminfo = read_system_file(sys, "/proc/meminfo")) {
    const auto field = [&](std::string_view key) {
      return text::kilobytes(text::value_of(*meminfo, key)).value_or(0);
    };
    facts.total = field("MemTotal");
    facts.available = field("MemAvailable");
    facts.swap_total = field("SwapTotal");
  }
  facts.page_tables = status.page_tables.value_or(0);
  for (const Region& region : regions) {
    if (is_private_writable(region)) facts.private_writable += region.resident;
  }

  const auto directory = find_cgroup(cgroups.entries, cgroups.mounts, "memory");
  if (directory) {
    facts.cgroup = directory->path;
    facts.cgroup_unified = directory->unified;
    for (const std::string& path : ancestry(*directory)) {
      const auto room = headroom(sys, path, directory->unified);
      if (!room || (facts.cgroup_headroom && *room >= *facts.cgroup_headroom)) continue;
      facts.cgroup_headroom = room;
      facts.cgroup = path;
      facts.oom_group =
          directory->unified && read_number(sys, path + "/memory.oom.group").value_or(0) == 1;
    }
  }
  if (facts.total == 0) return;

  const bool in_cgroup = facts.cgroup_headroom && *facts.cgroup_headroom < facts.available;
  const std::uint64_t room = in_cgroup ? *facts.cgroup_headroom : facts.available;
  const std::string where = in_cgroup ? "cgroup " + facts.cgroup : "the machine";
  const std::uint64_t least = facts.page_tables + kLeastReserve;
  const std::uint64_t expected = least + facts.private_writable / 100 * kExpectedGrowthPercent;
  if (room >= expected) return;
  // With memory.oom.group the kernel's victim is the whole group, target and all: then even a
  // likely shortage is too much.
  const bool whole_group = in_cgroup && facts.oom_group;
  Gate gate;
  gate.id = GateId::memory_headroom;
  gate.why = bytes_text(room) + " free in " + where + ", a clone of " +
             std::to_string(process.id()) + " may need " + bytes_text(expected);
  if (room < least || whole_group) {
    gate.severity = Severity::forbids_injection;
    gate.what = "clone: too little memory";
    if (whole_group) gate.why += ", and memory.oom.group would kill the whole group";
    gate.remedy = "free memory or raise the limit, or: --engine direct";
  } else {
    gate.severity = Severity::note;
    gate.what = "memory is tight";
    gate.remedy = "the dump is cut short before the kernel must choose a victim";
  }
  gates.push_back(std::move(gate));
}

void check_huge_pages(Sys& sys, const std::vector<Region>& regions,
                      const std::vector<MappingDetail>& details, Gates& gates) {
  std::map<std::uint64_t, std::uint64_t> needed;  // page size to bytes
  std::uint64_t total = 0;
  bool whole = true;
  for (std::size_t i = 0; i < regions.size() && i < details.size(); ++i) {
    const Region& region = regions[i];
    if (!region.traits.huge_tlb || region.sharing == Sharing::shared || region.traits.dont_fork ||
        !region.access.write || details[i].page_size == 0) {
      continue;
    }
    needed[details[i].page_size] += details[i].hugetlb;
    total += details[i].hugetlb;
    whole &= details[i].hugetlb == region.range.size;
  }
  for (const auto& [size, bytes] : needed) {
    if (bytes == 0) continue;
    const std::string pool =
        "/sys/kernel/mm/hugepages/hugepages-" + std::to_string(size >> 10) + "kB/";
    const auto get = [&](const char* name) { return read_number(sys, pool + name).value_or(0); };
    const std::uint64_t free = minus(get("free_hugepages"), get("resv_hugepages")) +
                               minus(get("nr_overcommit_hugepages"), get("surplus_hugepages"));
    const std::uint64_t pages = bytes / size;
    if (free >= pages) continue;
    // mm/hugetlb.c hugetlb_wp(): with the pool empty, the owner's next write takes the page away
    // from the clone.
    // Reading a huge page that is not there would take one from the pool for the target.
    const bool copied = whole && total <= kMostHugeBytesCopied;
    gates.push_back(
        {.id = GateId::huge_page_pool,
         .severity = copied ? Severity::note : Severity::loses,
         .what = copied ? "huge pages are read in the stop" : "huge pages may be missing",
         .why = std::to_string(pages) + " private pages of " + bytes_text(size) + ", " +
                std::to_string(free) +
                " free in the pool: what the target writes meanwhile leaves the clone",
         .remedy = "let the pool grow: echo " + std::to_string(pages) + " > " + pool +
                   "nr_overcommit_hugepages"});
  }
}

void check_frozen(Sys& sys, const Cgroups& cgroups, Gates& gates) {
  const auto directory = find_cgroup(cgroups.entries, cgroups.mounts, "freezer");
  if (!directory) return;
  bool frozen = false;
  if (directory->unified) {
    const auto events = read_system_file(sys, (directory->path + "/cgroup.events").c_str());
    frozen = events && keyed(*events, "frozen") == 1;
  } else {
    const auto state = read_system_file(sys, (directory->path + "/freezer.state").c_str());
    frozen = state && text::trim(*state) != "THAWED";
  }
  if (!frozen) return;
  // A frozen thread runs no system call, ours neither, until it is thawed.
  gates.push_back({.id = GateId::frozen,
                   .severity = Severity::forbids_injection,
                   .what = "clone: the process is frozen",
                   .why = "its cgroup " + directory->path + " is frozen, as by docker pause",
                   .remedy = "thaw it, or: --engine direct"});
}

}  // namespace doppel
