// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <utility>

#include <snapshot/linux/gate.h>

namespace doppel {

std::string_view gate_name(GateId id) {
  switch (id) {
    case GateId::no_process:
      return "no_process";
    case GateId::zombie:
      return "zombie";
    case GateId::leader_exited:
      return "leader_exited";
    case GateId::kernel_thread:
      return "kernel_thread";
    case GateId::thread_id:
      return "thread_id";
    case GateId::ourselves:
      return "ourselves";
    case GateId::ancestor:
      return "ancestor";
    case GateId::foreign_architecture:
      return "foreign_architecture";
    case GateId::being_dumped:
      return "being_dumped";
    case GateId::other_user:
      return "other_user";
    case GateId::undumpable:
      return "undumpable";
    case GateId::more_capabilities:
      return "more_capabilities";
    case GateId::yama:
      return "yama";
    case GateId::security_module:
      return "security_module";
    case GateId::user_namespace:
      return "user_namespace";
    case GateId::ptrace_blocked:
      return "ptrace_blocked";
    case GateId::traced:
      return "traced";
    case GateId::seccomp:
      return "seccomp";
    case GateId::frozen:
      return "frozen";
    case GateId::userfaultfd:
      return "userfaultfd";
    case GateId::child_namespaces:
      return "child_namespaces";
    case GateId::pids_limit:
      return "pids_limit";
    case GateId::process_limit:
      return "process_limit";
    case GateId::thread_limit:
      return "thread_limit";
    case GateId::overcommit:
      return "overcommit";
    case GateId::memory_headroom:
      return "memory_headroom";
    case GateId::pinned_memory:
      return "pinned_memory";
    case GateId::virtual_machine:
      return "virtual_machine";
    case GateId::huge_page_pool:
      return "huge_page_pool";
    case GateId::dont_fork:
      return "dont_fork";
    case GateId::wipe_on_fork:
      return "wipe_on_fork";
    case GateId::secret_memory:
      return "secret_memory";
    case GateId::device_memory:
      return "device_memory";
    case GateId::dont_dump:
      return "dont_dump";
    case GateId::shared_memory:
      return "shared_memory";
    case GateId::swapped:
      return "swapped";
    case GateId::shadow_stack:
      return "shadow_stack";
    case GateId::uninterruptible:
      return "uninterruptible";
    case GateId::vfork:
      return "vfork";
    case GateId::stopped:
      return "stopped";
    case GateId::namespace_init:
      return "namespace_init";
    case GateId::other_namespaces:
      return "other_namespaces";
    case GateId::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::loses:
      return "loses";
    case Severity::forbids_injection:
      return "forbids_injection";
    case Severity::forbids:
      return "forbids";
  }
  return "note";
}

std::string gate_line(const Gate& gate) {
  std::string line = gate.what;
  if (!gate.why.empty()) line += " (" + gate.why + ")";
  if (!gate.remedy.empty()) line += "; " + gate.remedy;
  return line;
}

Errc gate_code(GateId id) {
  switch (id) {
    case GateId::no_process:
    case GateId::zombie:
      return Errc::gone;
    case GateId::other_user:
    case GateId::undumpable:
    case GateId::more_capabilities:
    case GateId::yama:
    case GateId::security_module:
    case GateId::user_namespace:
    case GateId::ptrace_blocked:
    case GateId::traced:
      return Errc::denied;
    case GateId::pids_limit:
    case GateId::process_limit:
    case GateId::thread_limit:
    case GateId::overcommit:
    case GateId::memory_headroom:
      return Errc::limit;
    default:
      return Errc::unsupported;
  }
}

void add_gate(Gates& gates, GateId id, Severity severity, std::string what, std::string why,
              std::string remedy, bool overridable) {
  gates.push_back({id, severity, std::move(what), std::move(why), std::move(remedy), overridable});
}

void add_unknown(Gates& gates, std::string what, const Error& error, Severity severity) {
  std::string why = std::string(error.step) + " " + error.subject;
  if (error.os != 0) {
    // The name of the error, not its sentence: strerror() is not thread-safe and speaks the
    // locale's language.
    const char* name = ::strerrorname_np(error.os);
    why += ": " + (name != nullptr ? std::string(name) : std::to_string(error.os));
  }
  add_gate(gates, GateId::unknown, severity, std::move(what), std::move(why),
           error.code == Errc::denied ? "run as root to know" : "");
}

std::string bytes_text(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  std::uint64_t tenths = 0;
  while (bytes >= 1024) {
    tenths = (bytes % 1024) * 10 / 1024;
    bytes /= 1024;
    ++unit;
  }
  std::string text = std::to_string(bytes);
  if (bytes < 10 && tenths != 0) text += "." + std::to_string(tenths);
  return text + " " + kUnits[unit];
}

}  // namespace doppel
