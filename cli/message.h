// SPDX-License-Identifier: Apache-2.0
//
// What the command says when it cannot do what was asked: what, why and what to do next, and the
// exit code that goes with it. A value, so that tests compare it and --json can carry it.
#ifndef DOPPEL_CLI_MESSAGE_H_
#define DOPPEL_CLI_MESSAGE_H_

#include <string>

#include <cli/exit_code.h>

namespace doppel {

struct Message {
  ExitCode exit = ExitCode::failed;
  std::string what;  ///< "attach to 4711: not permitted"; no full stop
  std::string why;   ///< "Yama ptrace_scope=1"; may be empty
  std::string next;  ///< "run as root, or: ..."; may be empty
  bool operator==(const Message&) const = default;
};

/// The message on one line: `WHAT (WHY); NEXT`.
std::string to_line(const Message& message);

}  // namespace doppel

#endif  // DOPPEL_CLI_MESSAGE_H_
