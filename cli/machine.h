// SPDX-License-Identifier: Apache-2.0
//
// `doppel doctor` without a process: what this machine and our own privileges allow. Reading and
// judging are apart, so that the judging is tested on machines that are not here.
#ifndef DOPPEL_CLI_MACHINE_H_
#define DOPPEL_CLI_MACHINE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <cli/exit_code.h>
#include <snapshot/linux/gate.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// Sizes in bytes.
struct MachineFacts {
  std::string kernel;   ///< release
  std::string machine;  ///< "x86_64"
  std::uint32_t uid = 0;
  bool may_ptrace = false;      ///< CAP_SYS_PTRACE is effective
  bool may_administer = false;  ///< CAP_SYS_ADMIN
  bool may_suspend_seccomp = false;
  bool ptrace_answers = true;  ///< no seccomp filter of our own forbids ptrace
  bool initial_user_namespace = true;
  std::optional<int> yama_scope;
  std::optional<int> overcommit;  ///< vm.overcommit_memory
  std::string huge_pages;         ///< of "always", "madvise", "never"; empty: not known
  bool pressure_known = false;    ///< PSI is there
  std::uint64_t memory_total = 0;
  std::uint64_t memory_left = 0;
  bool directory_writable = false;  ///< the current one, where dumps go
  std::uint64_t directory_free = 0;
  unsigned cpus = 1;
};

struct Check {
  std::string name;  ///< stable, snake_case
  bool good = true;
  Severity severity = Severity::note;  ///< when not good
  ExitCode exit = ExitCode::done;      ///< what it means for the command
  std::string what, why, remedy;       ///< as in Gate
  bool operator==(const Check&) const = default;
};

MachineFacts read_machine(Sys& sys);
std::vector<Check> judge_machine(const MachineFacts& facts);
/// The gravest: not permitted before failed before losses.
ExitCode machine_exit(const std::vector<Check>& checks);

}  // namespace doppel

#endif  // DOPPEL_CLI_MACHINE_H_
