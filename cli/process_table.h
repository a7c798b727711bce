// SPDX-License-Identifier: Apache-2.0
//
// From what the user typed to one process. The choosing is pure; only list_processes() looks at the
// system.
#ifndef DOPPEL_CLI_PROCESS_TABLE_H_
#define DOPPEL_CLI_PROCESS_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <cli/message.h>
#include <snapshot/support/sys.h>

namespace doppel {

struct ProcessEntry {
  std::int32_t pid = 0;
  std::uint32_t uid = 0;           ///< effective
  std::int64_t started_at_ns = 0;  ///< since 1970 UTC
  std::string comm;                ///< at most 15 bytes
  std::string executable;          ///< path; empty when it may not be read
  std::vector<std::string> arguments;
  bool operator==(const ProcessEntry&) const = default;
};

/// True when `target` is meant as a process id: an optional sign and digits.
bool looks_like_pid(std::string_view target);

/// The id, or a usage error that says what an id is. Ids go from 1 to 2^22 (PID_MAX_LIMIT,
/// include/linux/threads.h).
std::variant<std::int32_t, Message> parse_pid(std::string_view target);

/// Those whose comm is `name`; if there is none, whose executable's file name is; if there is none,
/// whose argv[0] or its file name is. In the order of `processes`.
std::vector<ProcessEntry> match_name(const std::vector<ProcessEntry>& processes,
                                     std::string_view name);

/// The known process name nearest to `name`, for "did you mean"; empty when none is near.
std::string nearest_name(const std::vector<ProcessEntry>& processes, std::string_view name);

/// All processes that have an address space, by id, `except` left out. Those that end meanwhile are
/// not listed.
std::vector<ProcessEntry> list_processes(Sys& sys, std::int32_t except);

/// The lines shown for an ambiguous name: pid, user, start, command line. `columns` wide at most.
std::string candidates_text(const std::vector<ProcessEntry>& candidates, unsigned columns);

/// The one process that `target` names. Otherwise a Message: exit 4 when there is none, exit 2 when
/// there are several - `candidates` then holds them.
std::variant<std::int32_t, Message> resolve_target(Sys& sys, std::string_view target,
                                                   std::vector<ProcessEntry>& candidates);

}  // namespace doppel

#endif  // DOPPEL_CLI_PROCESS_TABLE_H_
