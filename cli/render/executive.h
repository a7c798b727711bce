// SPDX-License-Identifier: Apache-2.0
//
// What is told of a run on the executive: values, a story for people, one object for programs.
#ifndef DOPPEL_CLI_RENDER_EXECUTIVE_H_
#define DOPPEL_CLI_RENDER_EXECUTIVE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <cli/options.h>
#include <snapshot/executive/executive.h>
#include <snapshot/executive/guest_session.h>
#include <snapshot/model/omission.h>

namespace doppel {

/// A call by which a program gets hold of a file, a lock or a name.
struct GuestOpen {
  std::string call;
  NtStatus status;
};

/// One instance of the program, from its start to its end.
struct GuestInstance {
  std::uint32_t process = 0;
  GuestEnd end = GuestEnd::exited;
  NtStatus exit_status = status::pending;
  std::uint64_t steps = 0;  ///< that the executive made meanwhile
  std::vector<GuestOpen> opens;
  std::optional<CrashMessage> crash;
};

struct ExecutiveReport {
  std::vector<GuestInstance> instances;
  std::uint64_t steps = 0, trace_hash = 0;
  std::string unknown_instruction;  ///< outside the guest processor's repertoire; "" for none
  bool cloned = false;
  std::size_t clone_threads = 0, clone_regions = 0;
  std::optional<std::string> dump;
  std::uint64_t dump_bytes = 0, memory_bytes = 0;
  std::vector<std::string> beside;  ///< files that a debugger needs, laid beside the dump
  std::vector<Omission> omissions;
};

/// "C0000043 SHARING_VIOLATION".
std::string status_text(NtStatus status);
/// One native call, for --trace; ends in a newline.
std::string trace_line(const TraceEvent& event);
/// "ACCESS_VIOLATION writing 0x0 at 0x140001040".
std::string crash_text(const CrashMessage& crash);
/// How it ended; one line or more.
std::string instance_text(const GuestInstance& instance, const std::string& program);
std::string executive_json(const ExecutiveRunOptions& options, const ExecutiveReport& report);

}  // namespace doppel

#endif  // DOPPEL_CLI_RENDER_EXECUTIVE_H_
