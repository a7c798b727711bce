// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C, SIGTERM and SIGHUP as a request to stop, not as a death: the target must be left as it
// was and the disk clean. The signals are blocked in every thread and read by one of our own.
#ifndef DOPPEL_CLI_SIGNAL_WATCH_H_
#define DOPPEL_CLI_SIGNAL_WATCH_H_

#include <atomic>
#include <csignal>
#include <stop_token>
#include <thread>

namespace doppel {

/// Construct it before any other thread exists: threads inherit the mask. SIGPIPE is ignored from
/// then on. A signal that was ignored when we were started (nohup, a background job of a plain
/// shell) stays so.
class SignalWatch {
 public:
  SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();

  /// False when no thread could be started for it: signals have their usual effect then.
  bool watches() const { return thread_.joinable(); }

  /// Stops when a signal came.
  std::stop_token token() const { return source_.get_token(); }

  /// The signal that came first; 0: none.
  int signal() const { return signal_.load(); }

 private:
  void watch();

  sigset_t set_{};
  std::atomic<int> signal_{0};
  std::atomic<bool> closing_{false};
  std::stop_source source_;
  std::thread thread_;  // last: it uses what stands above
};

/// "SIGINT" and the like, for the three that are watched.
const char* signal_name(int signal);

}  // namespace doppel

#endif  // DOPPEL_CLI_SIGNAL_WATCH_H_
