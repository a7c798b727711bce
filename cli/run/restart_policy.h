// SPDX-License-Identifier: Apache-2.0
//
// Whether and when the service is started again. Pure: instants in, decision out.
#ifndef DOPPEL_CLI_RUN_RESTART_POLICY_H_
#define DOPPEL_CLI_RUN_RESTART_POLICY_H_

#include <chrono>
#include <deque>
#include <optional>

#include <cli/options.h>

namespace doppel {

using Clock = std::chrono::steady_clock;

/// True for a status as wait() gives it that is no crash and no failure to live: any exit, and the
/// signals by which people end services (TERM, INT, HUP, PIPE).
bool ended_cleanly(int status);

class RestartPolicy {
 public:
  RestartPolicy(RestartMode mode, RestartLimit limit) : mode_(mode), limit_(limit) {}

  struct Decision {
    bool restart = false;
    bool gave_up = false;  ///< it would be started again, but was too often
    std::chrono::milliseconds delay{0};
    bool operator==(const Decision&) const = default;
  };

  /// The service ended with `status` at `now`, having run for `lived`. The first start after a long
  /// life comes at once; each early death after it doubles the pause before the next.
  Decision decide(int status, Clock::time_point now, std::chrono::milliseconds lived);

 private:
  static constexpr std::chrono::milliseconds kFirstPause{100};
  static constexpr std::chrono::milliseconds kLongestPause{30'000};
  static constexpr std::chrono::milliseconds kLongLife{10'000};

  RestartMode mode_;
  RestartLimit limit_;
  std::deque<Clock::time_point> restarts_;  // within limit_.within
  unsigned early_deaths_ = 0;               // in a row
};

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_RESTART_POLICY_H_
