// SPDX-License-Identifier: Apache-2.0
//
// One thing that stands in the way of a capture, or spoils it: as data with the words for a person
// already in it, since only the place that found it knows the numbers.
//
// It must not know how gates are shown, nor which engine will obey them.
#ifndef DOPPEL_SNAPSHOT_LINUX_GATE_H_
#define DOPPEL_SNAPSHOT_LINUX_GATE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/support/result.h>

namespace doppel {

enum class GateId {
  // Who it is.
  no_process,
  zombie,
  leader_exited,
  kernel_thread,
  thread_id,
  ourselves,
  ancestor,
  foreign_architecture,
  being_dumped,
  // Whether we may.
  other_user,
  undumpable,
  more_capabilities,
  yama,
  security_module,
  user_namespace,
  ptrace_blocked,
  traced,
  // Whether a clone can be injected.
  seccomp,
  frozen,
  userfaultfd,
  child_namespaces,
  pids_limit,
  process_limit,
  thread_limit,
  overcommit,
  memory_headroom,
  pinned_memory,
  virtual_machine,
  // What will be missing, or is worth knowing.
  huge_page_pool,
  dont_fork,
  wipe_on_fork,
  secret_memory,
  device_memory,
  dont_dump,
  shared_memory,
  swapped,
  shadow_stack,
  uninterruptible,
  vfork,
  stopped,
  namespace_init,
  other_namespaces,
  unknown,  ///< something could not be read, so it is not known; `why` says what
};

/// In the order of weight.
enum class Severity {
  note,               ///< worth knowing; changes nothing
  loses,              ///< the dump will lack something that the process has
  forbids_injection,  ///< no clone; the direct engine may still do
  forbids,            ///< no capture at all
};

/// Reads as "WHAT (WHY); REMEDY". Each is one short line without a full stop; `remedy` is empty
/// where there is nothing to do.
struct Gate {
  GateId id = GateId::unknown;
  Severity severity = Severity::note;
  std::string what;
  std::string why;
  std::string remedy;
  /// Of a gate that forbids injection: it guards against a longer pause, not against harm, so one
  /// who asks for the clone engine by name may have it.
  bool overridable = false;
  bool operator==(const Gate&) const = default;
};

using Gates = std::vector<Gate>;

/// The id in snake_case: stable, for JSON and tests.
std::string_view gate_name(GateId id);
std::string_view severity_name(Severity severity);

/// "WHAT (WHY); REMEDY"
std::string gate_line(const Gate& gate);

/// What kind of failure it is when a capture is refused because of this gate: gone for processes
/// that are not (any more), denied for permissions and a tracer, limit for resources, unsupported
/// for the rest.
Errc gate_code(GateId id);

/// Appends a gate.
void add_gate(Gates& gates, GateId id, Severity severity, std::string what, std::string why,
              std::string remedy = {}, bool overridable = false);

/// Appends GateId::unknown, with what could not be read as the reason.
void add_unknown(Gates& gates, std::string what, const Error& error,
                 Severity severity = Severity::note);

/// A size for people: "512 KiB", "1.4 GiB". Rounded down.
std::string bytes_text(std::uint64_t bytes);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_GATE_H_
