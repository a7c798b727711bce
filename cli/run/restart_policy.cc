// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include <cli/run/restart_policy.h>

namespace doppel {

bool ended_cleanly(int status) {
  if (WIFEXITED(status)) return true;
  const int signal = WTERMSIG(status);
  return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGPIPE;
}

RestartPolicy::Decision RestartPolicy::decide(int status, Clock::time_point now,
                                              std::chrono::milliseconds lived) {
  if (mode_ == RestartMode::never) return {};
  if (mode_ == RestartMode::on_crash && ended_cleanly(status)) return {};
  while (!restarts_.empty() && now - restarts_.front() >= limit_.within) restarts_.pop_front();
  if (restarts_.size() >= limit_.count) return {.gave_up = true};
  restarts_.push_back(now);
  if (lived >= kLongLife) early_deaths_ = 0;
  Decision decision{.restart = true};
  if (early_deaths_ > 0) {
    const unsigned doublings = std::min(early_deaths_ - 1, 10u);
    decision.delay = std::min(kFirstPause * (1u << doublings), kLongestPause);
  }
  ++early_deaths_;
  return decision;
}

}  // namespace doppel
