// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <array>
#include <utility>
#include <vector>

#include <cli/run/crash_governor.h>
#include <cli/run/crash_scene.h>
#include <snapshot/linux/maps_parser.h>
#include <snapshot/linux/proc_directory.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/tracee.h>

namespace doppel {
namespace {

constexpr int kKcmpVm = 1;  // include/uapi/linux/kcmp.h, KCMP_VM
constexpr std::size_t kStackWords = 256;

}  // namespace

CrashScene look_at_crash(Sys& sys, const TargetProcess& target, pid_t tid, const siginfo_t& info,
                         ProcStatus status) {
  CrashScene scene{.pid = target.pid(), .tid = tid, .info = info};
  scene.comm = status.name;
  scene.status = std::move(status);
  std::array<char, 4096> path;
  const long length = sys.readlinkat(target.directory(), "exe", path.data(), path.size());
  if (length > 0) scene.executable.assign(path.data(), static_cast<std::size_t>(length));
  std::array<char, 64> comm;
  if (Result<std::span<char>> text = target.read_into("comm", comm); text && !text->empty()) {
    scene.comm.assign(text->data(), text->size() - 1);
  }
  return scene;
}

Result<std::string> signature_of(Sys& sys, const CrashScene& scene) {
  std::vector<Region> regions;
  const std::string process = "/proc/" + std::to_string(scene.pid);
  if (Result<std::string> text = read_system_file(sys, (process + "/maps").c_str(), 4u << 20)) {
    if (Result<std::vector<Region>> parsed = parse_maps(*text)) regions = std::move(*parsed);
  }
  X86_64Registers registers;
  Tracee thread = Tracee::adopt(sys, scene.tid);
  Result<> read = thread.get_registers(registers);
  thread.abandon();  // it stays the supervisor's
  DOPPEL_TRY(std::move(read));
  std::vector<std::uint64_t> words(kStackWords);
  const UniqueFd memory(
      static_cast<int>(sys.openat(AT_FDCWD, (process + "/mem").c_str(), O_RDONLY)));
  const long got = memory ? sys.pread(memory.get(), words.data(),
                                      words.size() * sizeof(std::uint64_t), registers.rsp)
                          : 0;
  words.resize(got > 0 ? static_cast<std::size_t>(got) / sizeof(std::uint64_t) : 0);
  return crash_signature(scene.executable, scene.info.si_signo, scene.info.si_code, registers.rip,
                         words, regions);
}

std::optional<std::string> hinders_handover(Sys& sys, const CrashScene& scene,
                                            const SeccompStanding& standing) {
  const bool filtered = scene.status.seccomp != Seccomp::none;
  // Filters that we carry ourselves let through what we need; of others we do not know.
  const bool same_filters = scene.status.seccomp == Seccomp::filter &&
                            scene.status.seccomp_filters.value_or(~0ull) == standing.own_filters;
  if (filtered && !standing.may_suspend && !same_filters) return "a seccomp filter of its own";
  // What lives on must not lose its mappings, nor be put first when memory runs out.
  const UniqueFd directory(static_cast<int>(sys.openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY)));
  const Result<std::vector<pid_t>> processes = list_numbers(sys, directory.get());
  if (!processes) return "it cannot be told whether it shares its memory";
  for (const pid_t other : *processes) {
    if (other == scene.pid) continue;
    if (sys.invoke(SYS_kcmp, scene.pid, other, kKcmpVm) == 0) {
      return fmt::format("it shares its memory with process {} (vfork, or clone with CLONE_VM)",
                         other);
    }
  }
  return std::nullopt;
}

}  // namespace doppel
