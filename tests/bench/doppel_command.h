// SPDX-License-Identifier: Apache-2.0
//
// Commands as a user types them, with what they cost: `doppel capture` and its rivals.
#ifndef DOPPEL_TESTS_BENCH_DOPPEL_COMMAND_H_
#define DOPPEL_TESTS_BENCH_DOPPEL_COMMAND_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace doppel::bench {

struct CommandResult {
  double wall_ms = 0;
  std::string out;
};

/// What every program of this folder is told by `run`.
struct Settings {
  bool brief = false;             ///< prove that it runs; the figures mean nothing
  std::string doppel = "doppel";  ///< the command
  std::string directory = ".";    ///< for dumps
};

Settings parse_settings(int argc, char** argv);

/// Runs it with stderr discarded. Ends the program when it cannot be run or fails. `meanwhile` is
/// called with its process id every millisecond or so while it runs.
CommandResult run_command(const std::vector<std::string>& words,
                          const std::function<void(pid_t)>& meanwhile = {});

struct CaptureResult {
  double wall_ms = 0;
  double pause_ms = 0;
  double running_pause_ms = 0;
  double dump_bytes = 0;
};

/// `doppel capture PID` at its defaults, into a file that is removed again.
CaptureResult run_capture(const Settings& settings, pid_t target,
                          const std::function<void(pid_t)>& meanwhile = {});

/// Processes whose parent is `parent`, whichever of its threads made them.
std::vector<pid_t> children_of(pid_t parent);

}  // namespace doppel::bench

#endif  // DOPPEL_TESTS_BENCH_DOPPEL_COMMAND_H_
