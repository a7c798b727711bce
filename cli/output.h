// SPDX-License-Identifier: Apache-2.0
//
// Where the dump goes, opened and looked at before anything is stopped: a full disk or a name that
// is taken must not cost the target a pause.
#ifndef DOPPEL_CLI_OUTPUT_H_
#define DOPPEL_CLI_OUTPUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <cli/message.h>
#include <dumpwriter/sink/sink.h>
#include <snapshot/support/sys.h>

namespace doppel {

struct OutputRequest {
  std::optional<std::string> given;  ///< what the user named
  std::string_view option = "-o";    ///< with this option
  std::string comm;                  ///< for a name of our own
  std::int32_t pid = 0;
  std::int64_t seconds = 0;  ///< since 1970 UTC
  bool compressed = true;
  std::string kind = "core";  ///< of a name of our own: "core", "dmp"
  bool stdout_is_terminal = false;
};

struct Output {
  std::unique_ptr<Sink> sink;
  std::optional<std::string> path;          ///< absent: stdout
  std::optional<std::uint64_t> free_space;  ///< bytes; absent: not known
};

/// Opens it; nothing is visible yet. The Message has exit code 1, or 2 where stdout is a terminal.
std::variant<Output, Message> open_output(Sys& sys, const OutputRequest& request);

/// How large a dump of `memory` bytes is at the least (`least`: below it there is no point in
/// trying) and at the most, file systems' own overhead included. Compressed: real heaps shrink to
/// between a tenth and three quarters; what cannot be compressed at all is rare, but not
/// impossible.
struct SizeEstimate {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

SizeEstimate estimate_dump(std::uint64_t memory, bool compressed);

/// Refuses when not even the smallest dump to be expected fits.
std::optional<Message> check_space(std::uint64_t free_space, const SizeEstimate& estimate,
                                   const std::string& path);

/// A remark when the largest may not; empty when it does.
std::string space_remark(std::uint64_t free_space, const SizeEstimate& estimate);

}  // namespace doppel

#endif  // DOPPEL_CLI_OUTPUT_H_
