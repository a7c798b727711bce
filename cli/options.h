// SPDX-License-Identifier: Apache-2.0
//
// What the user asked for, as plain values: the commands take these and never see argv, so they are
// tested without a command line. Filled by arguments.cc, which has checked every range.
#ifndef DOPPEL_CLI_OPTIONS_H_
#define DOPPEL_CLI_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <snapshot/executive/fault_plan.h>
#include <snapshot/executive/nt_types.h>
#include <snapshot/model/backend.h>

namespace doppel {

enum class ColorChoice { automatic, always, never };

struct CaptureOptions {
  std::string target;                 ///< a process id in decimal, or a name
  std::optional<std::string> output;  ///< a path, "-" for stdout; absent: a name of our own
  std::string format = "elf";
  std::optional<int> level;             ///< of zstd, 1..22; absent: the writer's own
  std::optional<unsigned> threads;      ///< that compress, 1..256; absent: the writer's own
  bool compress = true;                 ///< false: --no-compress
  std::optional<std::uint64_t> filter;  ///< coredump_filter bits, 0..0x1ff
  SharedMemory shared = SharedMemory::live;
  std::optional<std::chrono::microseconds> max_pause;
  std::optional<std::chrono::milliseconds> timeout;
  Engine engine = Engine::automatic;
  bool force_undumpable = false;
  bool json = false;
  bool quiet = false;
  ColorChoice color = ColorChoice::automatic;
};

struct ConvertOptions {
  std::string dump;    ///< the file to read
  std::string output;  ///< a path, "-" for stdout
  std::string format = "elf";
  std::optional<int> level;         ///< as in CaptureOptions
  std::optional<unsigned> threads;  ///< as in CaptureOptions
  bool compress = true;
  bool json = false;
  bool quiet = false;
  ColorChoice color = ColorChoice::automatic;
};

enum class RestartMode {
  never,
  on_crash,  ///< when a signal ended it that is not one people end services with
  always,
};

/// At most `count` restarts in any stretch of `within`.
struct RestartLimit {
  std::size_t count = 10;
  std::chrono::milliseconds within{60'000};
};

struct ServiceOptions {
  std::vector<std::string> command;  ///< program and arguments
  RestartMode restart = RestartMode::never;
  RestartLimit limit;
  std::string dump_directory;              ///< empty: the current one
  std::optional<std::size_t> keep;         ///< dumps per program, 1..; absent: all
  bool follow = true;                      ///< children are watched too
  std::optional<std::string> json_events;  ///< a file, appended to
  std::string format = "elf";
  bool compress = true;
  std::optional<int> level;         ///< as in CaptureOptions
  std::optional<unsigned> threads;  ///< as in CaptureOptions
  std::optional<std::uint64_t> filter;
  bool quiet = false;
  ColorChoice color = ColorChoice::automatic;
};

struct DoctorOptions {
  std::optional<std::string> target;  ///< absent: look at the machine and at our own privileges
  bool json = false;
  ColorChoice color = ColorChoice::automatic;
};

/// doppel executive run
struct ExecutiveRunOptions {
  std::string guest;                   ///< a PE32+ file of this machine
  std::vector<std::string> arguments;  ///< of the guest
  std::uint64_t seed = 1;
  NtProfile profile = NtProfile::nt63;
  std::uint64_t max_steps = 50'000'000;                      ///< of one instance of the guest
  std::optional<std::string> dump;                           ///< a path
  std::optional<std::pair<FaultSite, std::uint64_t>> fault;  ///< fail the n-th question of a site
  bool inherit_handles = false;  ///< the counter-example: clone as CreateProcess inherits
  bool restart = false;
  bool trace = false;
  bool json = false;
  ColorChoice color = ColorChoice::automatic;
};

}  // namespace doppel

#endif  // DOPPEL_CLI_OPTIONS_H_
