// SPDX-License-Identifier: Apache-2.0
//
// Starts a victim of tests/targets, waits until it says that it is ready, and afterwards finds out
// whether it was harmed: by looking at it from outside and by letting it end its own checks. It
// must not know how a capture is made.
#ifndef DOPPEL_TESTS_SUPPORT_LIVE_TARGET_H_
#define DOPPEL_TESTS_SUPPORT_LIVE_TARGET_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <snapshot/support/unique_fd.h>
#include <tests/support/process_picture.h>
#include <tests/support/temp_dir.h>

namespace doppel {

struct LiveTargetOptions {
  int descriptor_three = -1;  ///< given to the victim as descriptor 3; stays ours too
  long user = -1;             ///< run as this user and group; -1: as we are
  bool wait_ready = true;
  std::vector<std::string> wrapper;  ///< a command that runs the victim: {"setarch", "-R"}
};

struct Ending {
  int status = 0;                    ///< as waitpid gives it
  bool ok = false;                   ///< it said "ok" and exited 0
  std::vector<std::string> reports;  ///< its lines that begin with {
  std::string failure;               ///< what it complained of, or how it died
};

class LiveTarget {
 public:
  /// `path` is the name of a victim, or the path of any program. Aborts when it cannot be started.
  LiveTarget(const std::string& path, const std::vector<std::string>& arguments = {},
             const LiveTargetOptions& options = {});
  LiveTarget(const LiveTarget&) = delete;
  LiveTarget& operator=(const LiveTarget&) = delete;
  /// Kills it if it still runs.
  ~LiveTarget();

  /// The process to capture.
  pid_t pid() const { return pid_; }

  /// The process we started: another one than pid() for an init of its own namespace.
  pid_t started() const { return started_; }

  /// Why this victim cannot run here; empty when it is ready.
  const std::string& skip_reason() const { return skip_; }

  const std::string& fact(const std::string& key) const { return facts_.at(key); }

  bool has(const std::string& key) const { return facts_.contains(key); }

  /// A fact that is a number, hexadecimal or decimal; the first one when there are several.
  std::uint64_t number(const std::string& key) const;

  /// Writes a line to it.
  void command(const std::string& line) const;
  /// The next line it says; empty after `timeout_ms` or at its end.
  std::string next_line(int timeout_ms = 10000);

  /// The victim's mark in its environment.
  const std::string& mark() const { return mark_; }

  const TempDir& directory() const { return directory_; }

  /// Tells it to end, waits, and says how it went.
  Ending finish(int timeout_ms = 60000);

 private:
  TempDir directory_;
  std::string mark_;
  std::string name_;
  pid_t started_ = -1;
  pid_t pid_ = -1;
  UniqueFd input_, output_;
  std::string pending_;
  std::map<std::string, std::string> facts_;
  std::string skip_;
};

/// Pictures of target and ourselves before; `harm()` says what is different afterwards.
class Unharmed {
 public:
  /// `restless`: threads, mappings and children of the target come and go by themselves.
  explicit Unharmed(const LiveTarget& target, bool restless = false);

  /// Empty when nothing is. Waits up to two seconds for threads on their way back to sleep and for
  /// processes of ours that are just ending.
  std::string harm() const;

 private:
  const LiveTarget& target_;
  bool restless_;
  ProcessPicture before_;
  OwnPicture own_before_;
};

/// True with DOPPEL_REQUIRE_LIVE=1: what cannot run is a failure then.
bool live_required();

}  // namespace doppel

/// Leaves the test when the reason is not empty: skipped, or failed where live tests are required.
#define DOPPEL_SKIP_IF(reason)                                 \
  do {                                                         \
    const std::string doppel_reason_ = (reason);               \
    if (!doppel_reason_.empty()) {                             \
      if (::doppel::live_required()) FAIL() << doppel_reason_; \
      GTEST_SKIP() << doppel_reason_;                          \
    }                                                          \
  } while (0)

#endif  // DOPPEL_TESTS_SUPPORT_LIVE_TARGET_H_
