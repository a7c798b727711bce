// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/linux/cgroup_parser.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/remote_calls.h>
#include <snapshot/linux/settle_clone.h>
#include <snapshot/linux/urgency.h>

namespace doppel {
namespace {

bool write_file(Sys& sys, const std::string& path, std::string_view text) {
  const UniqueFd file(static_cast<int>(sys.openat(AT_FDCWD, path.c_str(), O_WRONLY)));
  return file && sys.write(file.get(), text.data(), text.size()) == static_cast<long>(text.size());
}

/// Moves the clone into our own groups, hierarchy by hierarchy. False when it shares one with the
/// target still. It was born into the target's, so its own say which those are, also when the
/// target is a zombie, which is shown in none.
bool leave_cgroups(Sys& sys, pid_t clone) {
  Result<std::string> own_text = read_system_file(sys, "/proc/self/cgroup");
  Result<std::string> mount_text = read_system_file(sys, "/proc/self/mountinfo");
  Result<std::string> clone_text =
      read_system_file(sys, ("/proc/" + std::to_string(clone) + "/cgroup").c_str());
  if (!own_text || !mount_text || !clone_text) return false;
  const std::vector<CgroupEntry> own = parse_cgroup(*own_text);
  const std::vector<CgroupEntry> theirs = parse_cgroup(*clone_text);
  const std::vector<Mount> mounts = parse_mountinfo(*mount_text);
  bool away = true;
  for (const CgroupEntry& entry : own) {
    const auto same = [&](const CgroupEntry& other) { return other.hierarchy == entry.hierarchy; };
    const auto its = std::find_if(theirs.begin(), theirs.end(), same);
    if (its == theirs.end() || its->path == entry.path)
      continue;  // we stand in the same group ourselves
    const std::string controller = entry.controllers.empty() ? "" : entry.controllers.front();
    const std::optional<CgroupDirectory> directory = find_cgroup(own, mounts, controller);
    away = directory && write_file(sys, directory->path + "/cgroup.procs", std::to_string(clone)) &&
           away;
  }
  return away;
}

/// The target's nice value; 0 when it cannot be told.
int nice_of(const TargetProcess& target) {
  std::array<char, 1024> buffer;
  Result<std::span<char>> text = target.read_into("stat", buffer);
  if (!text) return 0;
  Result<ProcStat> stat = parse_stat(std::string_view(text->data(), text->size()));
  return stat ? static_cast<int>(stat->nice) : 0;
}

/// comm becomes "dump:NAME", and where permitted the command line too (PR_SET_MM needs
/// CAP_SYS_RESOURCE in the clone). The text stands in a page of its own, so that nothing that was
/// the target's is touched; the page goes away again unless the command line has to stay in it.
bool name_clone(Sys& sys, const TargetProcess& target, InjectedClone& clone, int memory_fd,
                std::uint64_t& page) {
  std::array<char, 64> comm{};
  Result<std::span<char>> text = target.read_into("comm", std::span(comm).first(comm.size() - 1));
  if (!text) return false;
  std::string name(text->data(), text->size());
  if (!name.empty() && name.back() == '\n') name.pop_back();
  RemoteCalls calls(clone.tracee, clone.registers, clone.gadget, RemoteCalls::Of::ours);
  Result<long> mapped = calls.call({.number = SYS_mmap,
                                    .b = 4096,
                                    .c = PROT_READ | PROT_WRITE,
                                    .d = MAP_PRIVATE | MAP_ANONYMOUS,
                                    .e = ~0ull});
  if (!mapped || *mapped < 0) return false;
  const auto address = static_cast<std::uint64_t>(*mapped);
  const std::string short_name = ("dump:" + name).substr(0, 15);
  const std::string long_name =
      "doppel: memory of " + name + " (" + std::to_string(target.pid()) + ") for its dump";
  std::string both = short_name;
  both.resize(16, '\0');
  both += long_name;
  both += '\0';
  bool named = false;
  bool stays = false;
  if (sys.pwrite(memory_fd, both.data(), both.size(), address) == static_cast<long>(both.size())) {
    Result<long> set = calls.call({.number = SYS_prctl, .a = PR_SET_NAME, .b = address});
    named = set && *set == 0;
    // The start first: it must not lie behind the end, and this page lies below the old one on the
    // stack.
    const std::uint64_t start = address + 16;
    Result<long> moved =
        calls.call({.number = SYS_prctl, .a = PR_SET_MM, .b = PR_SET_MM_ARG_START, .c = start});
    if (moved && *moved == 0) {
      stays = true;
      (void)calls.call({.number = SYS_prctl,
                        .a = PR_SET_MM,
                        .b = PR_SET_MM_ARG_END,
                        .c = start + long_name.size() + 1});
    }
  }
  if (stays) {
    page = address;
  } else {
    (void)calls.call({.number = SYS_munmap, .a = address, .b = 4096});
  }
  return named;
}

}  // namespace

std::vector<std::string> settle_remarks(std::uint32_t missed) {
  std::vector<std::string> remarks;
  if ((missed & Settled::kNoOomScore) != 0) {
    remarks.emplace_back("not permitted: to make the clone first in line for the OOM killer");
  }
  if ((missed & Settled::kSameCgroup) != 0) {
    remarks.emplace_back("not permitted: to move the clone out of the process's control group");
  }
  if ((missed & Settled::kNoName) != 0) {
    remarks.emplace_back("not possible: to name the clone, so `ps` shows it like the process");
  }
  return remarks;
}

Settled settle_clone(Sys& sys, const TargetProcess& target, InjectedClone& clone, int memory_fd) {
  Settled settled;
  const std::string process = "/proc/" + std::to_string(clone.tracee.tid());
  if (!write_file(sys, process + "/oom_score_adj", "1000")) settled.missed |= Settled::kNoOomScore;
  if (!leave_cgroups(sys, clone.tracee.tid())) settled.missed |= Settled::kSameCgroup;
  if (!name_clone(sys, target, clone, memory_fd, settled.page)) settled.missed |= Settled::kNoName;
  // Last: what comes before is done sooner in haste.
  calm(sys, clone.tracee.tid(), nice_of(target));
  return settled;
}

}  // namespace doppel
