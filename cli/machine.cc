// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <cli/machine.h>
#include <cli/render/quantity.h>
#include <cli/watchdog.h>
#include <dumpwriter/job/cpu_budget.h>
#include <snapshot/linux/permission_check.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/text_scan.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {
namespace {

std::string file_or_empty(Sys& sys, const char* path) {
  Result<std::string> text = read_system_file(sys, path);
  return text ? std::move(*text) : std::string();
}

/// The word in brackets of "always [madvise] never".
std::string chosen_word(std::string_view text) {
  const std::size_t open = text.find('[');
  const std::size_t close = text.find(']');
  if (open == text.npos || close == text.npos || close < open) return "";
  return std::string(text.substr(open + 1, close - open - 1));
}

void read_directory(Sys& sys, MachineFacts& facts) {
  const long fd = sys.openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return;
  const UniqueFd directory(static_cast<int>(fd));
  struct statfs space{};
  if (sys.fstatfs(directory.get(), &space) >= 0) {
    facts.directory_free =
        static_cast<std::uint64_t>(space.f_bavail) * static_cast<std::uint64_t>(space.f_bsize);
  }
  // Asks without a trace: a read-only file system and missing rights are both refusals.
  facts.directory_writable = ::faccessat(AT_FDCWD, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

Check good(std::string name, std::string what) {
  Check check;
  check.name = std::move(name);
  check.what = std::move(what);
  return check;
}

Check bad(std::string name, Severity severity, ExitCode exit, std::string what, std::string why,
          std::string remedy) {
  return {.name = std::move(name),
          .good = false,
          .severity = severity,
          .exit = exit,
          .what = std::move(what),
          .why = std::move(why),
          .remedy = std::move(remedy)};
}

constexpr const char* kGrant = "run as root, or: setcap cap_sys_ptrace+ep on the doppel program";

Check judge_permission(const MachineFacts& facts) {
  const char* name = "permission";
  const int yama = facts.yama_scope.value_or(0);
  if (!facts.ptrace_answers) {
    return bad("permission", Severity::forbids, ExitCode::not_permitted,
               "no process can be attached to", "a seccomp filter on this shell forbids ptrace",
               "in a container: run it with --cap-add SYS_PTRACE and a profile that allows ptrace");
  }
  if (yama >= 3) {
    return bad(name, Severity::forbids, ExitCode::not_permitted, "no process can be attached to",
               "kernel.yama.ptrace_scope is 3", "only a reboot with another setting changes it");
  }
  if (facts.may_ptrace) {
    return good(name, facts.initial_user_namespace
                          ? "any process can be captured (CAP_SYS_PTRACE)"
                          : "processes of this user namespace can be captured (CAP_SYS_PTRACE)");
  }
  if (yama == 2) {
    return bad(name, Severity::forbids, ExitCode::not_permitted, "no process can be attached to",
               "kernel.yama.ptrace_scope is 2 and we lack CAP_SYS_PTRACE", kGrant);
  }
  if (yama == 1) {
    return bad(name, Severity::forbids_injection, ExitCode::not_permitted,
               "only our own children can be attached to",
               "kernel.yama.ptrace_scope is 1 and we lack CAP_SYS_PTRACE", kGrant);
  }
  return good(name,
              fmt::format("processes of user {} can be captured; others need root", facts.uid));
}

}  // namespace

MachineFacts read_machine(Sys& sys) {
  MachineFacts facts;
  utsname name{};
  if (::uname(&name) == 0) {
    facts.kernel = name.release;
    facts.machine = name.machine;
  }
  if (const Result<SelfFacts> self = read_self(sys)) {
    const std::uint64_t capabilities = self->status.capabilities_effective;
    facts.uid = self->status.uid.effective;
    facts.may_ptrace = has_capability(capabilities, kCapSysPtrace);
    facts.may_administer = has_capability(capabilities, kCapSysAdmin);
    facts.initial_user_namespace = self->initial_user_namespace;
    facts.may_suspend_seccomp = can_suspend_seccomp(sys, *self);
  }
  facts.ptrace_answers = ptrace_answers(sys);
  facts.yama_scope = read_yama_scope(sys);
  facts.overcommit =
      text::number<int>(text::trim(file_or_empty(sys, "/proc/sys/vm/overcommit_memory")));
  facts.huge_pages = chosen_word(file_or_empty(sys, "/sys/kernel/mm/transparent_hugepage/enabled"));
  facts.pressure_known =
      parse_pressure(file_or_empty(sys, "/proc/pressure/memory"), "").has_value();
  if (const auto pool = parse_meminfo(file_or_empty(sys, "/proc/meminfo"))) {
    facts.memory_total = pool->total;
    facts.memory_left = pool->left;
  }
  read_directory(sys, facts);
  facts.cpus = available_cpus(sys);
  return facts;
}

std::vector<Check> judge_machine(const MachineFacts& facts) {
  std::vector<Check> checks;
  if (facts.machine == "x86_64") {
    checks.push_back(good("kernel", fmt::format("Linux {} on {}", printable(facts.kernel),
                                                printable(facts.machine))));
  } else {
    checks.push_back(bad("kernel", Severity::forbids, ExitCode::failed,
                         fmt::format("{} is not supported", printable(facts.machine)),
                         "this version captures x86-64 processes only", ""));
  }
  checks.push_back(judge_permission(facts));
  if (facts.may_suspend_seccomp) {
    checks.push_back(good("seccomp", "processes under a seccomp filter can be cloned"));
  } else {
    checks.push_back(bad("seccomp", Severity::note, ExitCode::done,
                         "processes under a seccomp filter are read directly, not cloned",
                         facts.may_administer ? "this kernel or a filter on this shell forbids it"
                                              : "we lack CAP_SYS_ADMIN",
                         facts.may_administer ? "" : "run as root"));
  }
  if (facts.memory_left < head_room_floor(facts.memory_total)) {
    checks.push_back(bad(
        "memory", Severity::loses, ExitCode::with_losses,
        "memory is short: a dump would be cut short at once",
        fmt::format("{} of {} left", size_text(facts.memory_left), size_text(facts.memory_total)),
        "free some first"));
  } else {
    checks.push_back(
        good("memory", fmt::format("{} of {} memory left", size_text(facts.memory_left),
                                   size_text(facts.memory_total))));
  }
  if (facts.overcommit == 2) {
    checks.push_back(bad("overcommit", Severity::note, ExitCode::done,
                         "a clone counts like a second process", "vm.overcommit_memory is 2",
                         "a large process may need: sysctl vm.overcommit_memory=0"));
  }
  if (facts.huge_pages == "never") {
    checks.push_back(bad("huge_pages", Severity::note, ExitCode::done,
                         "pauses are longer than they need be", "transparent huge pages are off",
                         "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"));
  }
  if (!facts.pressure_known) {
    checks.push_back(bad("pressure", Severity::note, ExitCode::done,
                         "the memory watchdog sees less", "the kernel gives no PSI",
                         "boot with psi=1"));
  }
  if (!facts.directory_writable) {
    checks.push_back(bad("directory", Severity::note, ExitCode::done,
                         "no dump can be written to the current directory", "not writable",
                         "use -o"));
  } else {
    checks.push_back(good("directory", fmt::format("{} free in the current directory",
                                                   size_text(facts.directory_free))));
  }
  checks.push_back(good("cpus", "compression on " + count_text(facts.cpus, "CPU", "CPUs")));
  return checks;
}

ExitCode machine_exit(const std::vector<Check>& checks) {
  ExitCode worst = ExitCode::done;
  const auto weight = [](ExitCode exit) {
    switch (exit) {
      case ExitCode::not_permitted:
        return 3;
      case ExitCode::failed:
        return 2;
      case ExitCode::with_losses:
        return 1;
      default:
        return 0;
    }
  };
  for (const Check& check : checks) {
    if (!check.good && weight(check.exit) > weight(worst)) worst = check.exit;
  }
  return worst;
}

}  // namespace doppel
