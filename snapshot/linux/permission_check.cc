// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include <snapshot/linux/permission_check.h>
#include <snapshot/linux/text_scan.h>

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

namespace doppel {
namespace {

// include/linux/proc_ns.h PROC_USER_INIT_INO: the same on every machine.
constexpr std::string_view kInitialUserNamespace = "user:[4026531837]";

constexpr const char* kSetcap = "run as root, or: setcap cap_sys_ptrace+ep $(command -v doppel)";

long word(const void* pointer) {
  return reinterpret_cast<long>(pointer);
}

/// The kernel's "uid match": all three ids of the target are the caller's real ones.
bool same_owner(const ProcStatus& target, const ProcStatus& self) {
  const auto all = [](const IdSet& ids, std::uint32_t id) {
    return ids.real == id && ids.effective == id && ids.saved == id;
  };
  return all(target.uid, self.uid.real) && all(target.gid, self.gid.real);
}

/// The calling thread's capabilities; `set` laid aside are put back when it is dropped.
class CapabilityAside {
 public:
  CapabilityAside(Sys& sys, int capability) : sys_(sys) {
    header_.version = _LINUX_CAPABILITY_VERSION_3;
    if (sys_.invoke(SYS_capget, word(&header_), word(before_)) != 0) return;
    __user_cap_data_struct without[2] = {before_[0], before_[1]};
    without[capability / 32].effective &= ~(1u << capability % 32);
    done_ = sys_.invoke(SYS_capset, word(&header_), word(without)) == 0;
  }

  CapabilityAside(const CapabilityAside&) = delete;
  CapabilityAside& operator=(const CapabilityAside&) = delete;

  ~CapabilityAside() {
    // What is permitted may always be made effective: this does not fail, save under a test.
    for (int tries = 0; done_ && tries < 2; ++tries) {
      if (sys_.invoke(SYS_capset, word(&header_), word(before_)) == 0) return;
    }
  }

  bool done() const { return done_; }

 private:
  Sys& sys_;
  __user_cap_header_struct header_{};
  __user_cap_data_struct before_[2]{};
  bool done_ = false;
};

std::string capability_names(std::uint64_t set) {
  static constexpr const char* kNames[] = {"chown",
                                           "dac_override",
                                           "dac_read_search",
                                           "fowner",
                                           "fsetid",
                                           "kill",
                                           "setgid",
                                           "setuid",
                                           "setpcap",
                                           "linux_immutable",
                                           "net_bind_service",
                                           "net_broadcast",
                                           "net_admin",
                                           "net_raw",
                                           "ipc_lock",
                                           "ipc_owner",
                                           "sys_module",
                                           "sys_rawio",
                                           "sys_chroot",
                                           "sys_ptrace",
                                           "sys_pacct",
                                           "sys_admin",
                                           "sys_boot",
                                           "sys_nice",
                                           "sys_resource",
                                           "sys_time",
                                           "sys_tty_config",
                                           "mknod",
                                           "lease",
                                           "audit_write",
                                           "audit_control",
                                           "setfcap",
                                           "mac_override",
                                           "mac_admin",
                                           "syslog",
                                           "wake_alarm",
                                           "block_suspend",
                                           "audit_read",
                                           "perfmon",
                                           "bpf",
                                           "checkpoint_restore"};
  std::string names;
  int shown = 0, all = 0;
  for (int capability = 0; capability < 64; ++capability) {
    if (!has_capability(set, capability)) continue;
    if (++all > 3) continue;
    if (shown++ > 0) names += ", ";
    names += capability < static_cast<int>(std::size(kNames))
                 ? "cap_" + std::string(kNames[capability])
                 : std::to_string(capability);
  }
  if (all > shown) names += " and " + std::to_string(all - shown) + " more";
  return names;
}

std::string yama_reason(int scope) {
  const std::string name = "Yama ptrace_scope=" + std::to_string(scope);
  if (scope == 1) return name + ": only an ancestor, or one it names by PR_SET_PTRACER, may attach";
  if (scope == 2) return name + ": only CAP_SYS_PTRACE may attach";
  return name + ": nobody may attach";
}

/// What a security module calls the process; empty without one.
std::string security_label(const ProcDir& process) {
  const auto label = process.read_text("attr/current");
  if (!label) return {};
  // AppArmor ends it with a newline, SELinux with a zero byte.
  std::string_view text = *label;
  while (text.ends_with('\0') || text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

Result<SelfFacts> read_self(Sys& sys) {
  SelfFacts self;
  const std::string text = DOPPEL_TRY(read_system_file(sys, "/proc/thread-self/status"));
  self.status = DOPPEL_TRY(parse_status(text));
  self.pid = self.status.thread_group;
  char link[64] = {};
  const long size = sys.readlinkat(AT_FDCWD, "/proc/self/ns/user", link, sizeof link - 1);
  // A kernel without user namespaces has no such link, and one namespace only.
  if (size > 0) self.initial_user_namespace = link == kInitialUserNamespace;
  return self;
}

int attach_errno(const ProcDir& process) {
  const auto file = process.open_file("mem", O_RDONLY);
  return file ? 0 : file.error().os;
}

std::optional<bool> read_dumpable(Sys& sys, const ProcDir& process, const ProcStatus& target,
                                  const SelfFacts& self) {
  struct stat owner;
  if (sys.fstatat(process.fd(), "stat", &owner, 0) != 0) return std::nullopt;
  if (target.uid.effective != 0) return owner.st_uid == target.uid.effective;
  if (target.gid.effective != 0) return owner.st_gid == target.gid.effective;

  // Root's own process: the owner tells nothing. Without CAP_SYS_PTRACE, and with everything else
  // in order, the kernel's check for reading comes down to dumpable.
  const std::uint64_t more = target.capabilities_permitted & ~self.status.capabilities_permitted;
  if (!same_owner(target, self.status) || more != 0 || !self.initial_user_namespace) {
    return std::nullopt;
  }
  const CapabilityAside aside(sys, kCapSysPtrace);
  if (!aside.done()) return std::nullopt;
  void* head = nullptr;
  std::size_t length = 0;
  const long answer = sys.invoke(SYS_get_robust_list, target.pid, word(&head), word(&length));
  if (answer == 0) return true;
  if (answer == -EPERM) return false;
  return std::nullopt;
}

std::optional<int> read_yama_scope(Sys& sys) {
  const auto text = read_system_file(sys, "/proc/sys/kernel/yama/ptrace_scope");
  if (!text) return std::nullopt;
  return text::number<int>(text::trim(*text));
}

Gate explain_refusal(Sys& sys, const ProcDir& process, const ProcStatus& target,
                     const SelfFacts& self, std::optional<bool> dumpable,
                     std::optional<int> yama_scope, int os) {
  Gate gate;
  gate.severity = Severity::forbids;
  gate.what = "attach to " + std::to_string(process.id()) + ": not permitted";
  gate.remedy = kSetcap;
  const bool privileged = has_capability(self.status.capabilities_effective, kCapSysPtrace);
  const std::uint64_t more = target.capabilities_permitted & ~self.status.capabilities_permitted;

  if (yama_scope.value_or(0) >= 3) {
    gate.id = GateId::yama;
    gate.why = yama_reason(*yama_scope);
    gate.remedy = "boot with another kernel.yama.ptrace_scope: this one cannot be lowered";
  } else if (privileged && !self.initial_user_namespace) {
    gate.id = GateId::user_namespace;
    gate.why = "CAP_SYS_PTRACE of a user namespace does not reach a process outside of it";
    gate.remedy = "run doppel in the user namespace of the process, or as root of the host";
  } else if (privileged) {
    gate.id = GateId::security_module;
  } else if (!same_owner(target, self.status)) {
    gate.id = GateId::other_user;
    const bool one_id =
        target.uid.real == target.uid.effective && target.uid.real == target.uid.saved;
    gate.why = target.uid.real == self.status.uid.real && !one_id
                   ? "it has changed its user or group id"
                   : "it belongs to user " + std::to_string(target.uid.effective) +
                         " and we are user " + std::to_string(self.status.uid.real);
    if (target.uid.real == self.status.uid.real && one_id) gate.why = "its group ids are not ours";
  } else if (dumpable == false) {
    gate.id = GateId::undumpable;
    gate.why = "it forbade dumps, or has changed its ids or capabilities (dumpable is not 1)";
    gate.remedy = "run as root with --force-undumpable";
  } else if (more != 0) {
    gate.id = GateId::more_capabilities;
    gate.why = "it holds capabilities that we lack: " + capability_names(more);
  } else if (yama_scope.value_or(0) >= 1) {
    gate.id = GateId::yama;
    gate.why = yama_reason(*yama_scope);
    if (*yama_scope == 1) {
      gate.remedy =
          "run as root, or: setcap cap_sys_ptrace+ep $(command -v doppel), or: "
          "sysctl kernel.yama.ptrace_scope=0";
    }
  } else {
    gate.id = GateId::security_module;
  }

  if (gate.id == GateId::security_module) {
    const auto modules = read_system_file(sys, "/sys/kernel/security/lsm");
    const std::string label = security_label(process);
    gate.why = "a security module or a seccomp filter refused with errno " + std::to_string(os);
    if (modules) gate.why += ", active: " + std::string(text::trim(*modules));
    if (!label.empty()) gate.why += ", label: " + label;
    gate.remedy = "look at the audit log (ausearch -m AVC, journalctl -k) and allow ptrace there";
  }
  return gate;
}

bool ptrace_answers(Sys& sys) {
  // Above every pid_max (include/linux/threads.h PID_MAX_LIMIT): nothing can be hit.
  constexpr pid_t kNobody = 0x7ffffff0;
  return sys.ptrace(PTRACE_SEIZE, kNobody, nullptr, nullptr) == -ESRCH;
}

bool can_suspend_seccomp(Sys& sys, const SelfFacts& self) {
  if (self.status.seccomp != Seccomp::none || !self.initial_user_namespace ||
      !has_capability(self.status.capabilities_effective, kCapSysAdmin)) {
    return false;
  }
  // Answers only in a kernel with CONFIG_CHECKPOINT_RESTORE, which is what the option needs too.
  void* address = nullptr;
  return sys.prctl(PR_GET_TID_ADDRESS, reinterpret_cast<unsigned long>(&address)) == 0;
}

}  // namespace doppel
